//! What is known of a device's connection, and what was heard of it since that was written.

use std::sync::{Mutex, MutexGuard, PoisonError};

use thingcall_core::{SyncTopic, TransportName, UnixMillis};
use thingcall_tsl::Route;

/// What is known of a device's connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) online: bool,
    pub(crate) activated_at: Option<UnixMillis>,
    pub(crate) last_seen_at: Option<UnixMillis>,
    /// When it last came online, as far as anybody told.
    pub(crate) online_at: Option<UnixMillis>,
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
    /// [`Route::unanswered`]: not in the database.
    unanswered: u8,
}

/// What was heard of a device and is not written yet. `None`: nothing was heard of that.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) online: Option<bool>,
    pub(crate) first_at: Option<UnixMillis>,
    pub(crate) last_at: Option<UnixMillis>,
    pub(crate) online_at: Option<UnixMillis>,
    pub(crate) address: Option<String>,
    pub(crate) came_from: Option<TransportName>,
    pub(crate) sync_topic: Option<SyncTopic>,
    /// Other instances are to know at once: it came, went, or the way to it is another one.
    pub(crate) is_news: bool,
}

impl Live {
    /// As read from the database.
    pub(crate) fn new(seen: Seen) -> Self {
        Self(Mutex::new(State { seen, unanswered: 0 }))
    }

    /// What is known now. Nobody was seen later than now: a clock that ran ahead and was set back, or that of another
    /// instance, leaves times that are still to come.
    pub(crate) fn seen(&self) -> Seen {
        let (now, seen) = (UnixMillis::now(), self.lock().seen.clone());
        let by_now = |at: Option<UnixMillis>| at.map(|at| at.min(now));
        let (activated_at, last_seen_at) = (by_now(seen.activated_at), by_now(seen.last_seen_at));
        Seen { activated_at, last_seen_at, online_at: by_now(seen.online_at), ..seen }
    }

    /// What is known of the way to it.
    pub(crate) fn route(&self) -> Route {
        let State { seen, unanswered } = &*self.lock();
        Route { last: seen.came_from, sync_topic: seen.sync_topic, unanswered: *unanswered }
    }

    /// The device answered: what it did not answer before counts no more.
    pub(crate) fn answered(&self) {
        self.lock().unanswered = 0;
    }

    /// The same, on this topic; says whether that is new.
    pub(crate) fn answered_on(&self, topic: SyncTopic) -> bool {
        let mut state = self.lock();
        state.unanswered = 0;
        state.seen.sync_topic.replace(topic) != Some(topic)
    }

    /// It did not answer a call that was made when so many had not been answered.
    pub(crate) fn unanswered(&self, before: u8) {
        let mut state = self.lock();
        if state.unanswered == before {
            state.unanswered = before.wrapping_add(1);
        }
    }

    /// Takes in what was heard. Says whether the way to the device is another one now, or it came or went.
    pub(crate) fn take_in(&self, heard: &Heard) -> bool {
        let mut state = self.lock();
        let way = |seen: &Seen| (seen.online, seen.came_from, seen.sync_topic);
        let before = way(&state.seen);
        state.seen.take_in(heard);
        way(&state.seen) != before
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
    fn take_in(&mut self, heard: &Heard) {
        let Heard { online, first_at, last_at, online_at, address, came_from, sync_topic, is_news: _ } = heard;
        let now = UnixMillis::now();
        let past = |before: &UnixMillis| *before <= now;
        if last_at.is_some() {
            self.last_seen_at = self.last_seen_at.filter(past).max(*last_at);
            self.activated_at = self.activated_at.filter(past).or(*first_at);
        }
        if online_at.is_some() {
            self.online_at = self.online_at.filter(past).max(*online_at);
        }
        self.online = online.unwrap_or(self.online);
        self.came_from = came_from.or(self.came_from);
        self.sync_topic = sync_topic.or(self.sync_topic);
        if let Some(address) = address {
            self.address = Some(address.clone());
        }
    }
}

impl Heard {
    /// The device was there then; not later than now.
    pub(crate) fn sign(at: UnixMillis) -> Self {
        let at = Some(at.min(UnixMillis::now()));
        Self { first_at: at, last_at: at, ..Self::default() }
    }

    /// The same, and it came online by that.
    pub(crate) fn came(at: UnixMillis) -> Self {
        let sign = Self::sign(at);
        Self { online_at: sign.last_at, ..sign }
    }

    /// What was heard later comes on top.
    pub(crate) fn join(&mut self, later: Self) {
        let Self { online, first_at, last_at, online_at, address, came_from, sync_topic, is_news } = later;
        self.online = online.or(self.online);
        self.first_at = self.first_at.or(first_at);
        self.last_at = self.last_at.max(last_at);
        self.online_at = self.online_at.max(online_at);
        self.address = address.or_else(|| self.address.take());
        self.came_from = came_from.or(self.came_from);
        self.sync_topic = sync_topic.or(self.sync_topic);
        self.is_news |= is_news;
    }

    /// Whether it is nothing but a sign, of which there will be more.
    pub(crate) const fn is_sign(&self) -> bool {
        self.online.is_none() && self.sync_topic.is_none()
    }
}
