//! What is known of a device's connection, shared by all who hold its entry.

use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use thingcall_core::{SyncTopic, TransportName, UnixMillis};
use thingcall_tsl::Route;

/// What is known of a device's connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) online: bool,
    pub(crate) activated_at: Option<UnixMillis>,
    pub(crate) last_seen_at: Option<UnixMillis>,
    pub(crate) address: Option<String>,
    pub(crate) came_from: Option<TransportName>,
    pub(crate) sync_topic: Option<SyncTopic>,
}

/// The same, shared by all who hold the device's entry.
#[derive(Debug, Default)]
pub(crate) struct Live(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    seen: Seen,
    mark: Mark,
    /// [`Route::unanswered`]: not in the file.
    unanswered: u8,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Mark {
    #[default]
    Written,
    Marked,
}

impl Live {
    /// As read from the file.
    pub(crate) fn new(seen: Seen) -> Self {
        Self(Mutex::new(State { seen, ..State::default() }))
    }

    /// What is known now.
    pub(crate) fn seen(&self) -> Seen {
        self.lock().seen.clone()
    }

    /// What is known of the way to it.
    pub(crate) fn route(&self) -> Route {
        let State { seen, unanswered, .. } = &*self.lock();
        Route { last: seen.came_from, sync_topic: seen.sync_topic, unanswered: *unanswered }
    }

    /// The device answered: what it did not answer before counts no more. Says on which topic it takes synchronous calls.
    pub(crate) fn answered(&self) -> Option<SyncTopic> {
        let mut state = self.lock();
        state.unanswered = 0;
        state.seen.sync_topic
    }

    /// It did not answer a call that was made when so many had not been answered.
    pub(crate) fn unanswered(&self, before: u8) {
        let mut state = self.lock();
        if state.unanswered == before {
            state.unanswered = before.wrapping_add(1);
        }
    }

    /// Changes what is known; says whether the device must be put on the list of marked ones.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Seen)) -> bool {
        let mut state = self.lock();
        change(&mut state.seen);
        mem::replace(&mut state.mark, Mark::Marked) == Mark::Written
    }

    /// What is to be written; the mark is taken off, so a change while it is written marks again.
    pub(crate) fn take(&self) -> Seen {
        let mut state = self.lock();
        state.mark = Mark::Written;
        state.seen.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    /// What every sign of a device means, whichever way it came. Behind an external broker such signs are all that is ever
    /// heard of it.
    ///
    /// Signs may come out of order, so an earlier time does not replace a later one; but one that is still to come is of a
    /// clock that was set back since.
    pub(crate) fn heard(&mut self, transport: Option<TransportName>, address: Option<&str>, at: UnixMillis) {
        let now = UnixMillis::now();
        let at = at.min(now);
        let past = |before: &UnixMillis| *before <= now;
        self.last_seen_at = self.last_seen_at.filter(past).max(Some(at));
        self.activated_at = self.activated_at.filter(past).or(Some(at));
        self.came_from = transport.or(self.came_from);
        if let Some(address) = address {
            self.address = Some(address.to_owned());
        }
    }
}
