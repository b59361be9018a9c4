//! When it is worth a word that nobody answers a product's synchronous calls. The caller says what time it is.
//!
//! **Invariants:** said once, and again only after an answer came in between. One dead device in a product that lives is
//! no silence. A call that is answered looks at one flag and at nothing else, unless a call before it was not.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use thingcall_core::DeviceName;

/// So many calls in a row are a silence, over so long a time at least: not all of one burst.
const CALLS_MIN: u32 = 3;
const TIME_MIN: Duration = Duration::from_secs(10);
/// How soon after it was said it may be said again.
const SAID_PAUSE: Duration = Duration::from_secs(600);

/// How the synchronous calls of one product end.
#[derive(Debug)]
pub struct Silence {
    /// The latest call was not answered, or none was ever.
    unsure: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// A call was answered.
    lives: bool,
    row: Option<Row>,
    /// It was said of this row.
    said: bool,
    said_at: Option<Instant>,
}

/// Calls without an answer, and none with one between them.
#[derive(Debug)]
struct Row {
    calls: u32,
    first: DeviceName,
    since: Instant,
    /// They were made to several devices.
    several: bool,
}

/// What is to be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unanswered {
    /// So many calls.
    pub calls: u32,
    /// Since the first of them ended.
    pub since: Duration,
}

impl Default for Silence {
    fn default() -> Self {
        Self { unsure: AtomicBool::new(true), state: Mutex::default() }
    }
}

impl Silence {
    /// A call was answered. Says whether that ends a silence that was told.
    #[inline]
    pub fn answered(&self) -> bool {
        self.unsure.load(Ordering::Relaxed) && self.ends()
    }

    #[cold]
    fn ends(&self) -> bool {
        let mut state = self.lock();
        self.unsure.store(false, Ordering::Relaxed);
        state.lives = true;
        state.row = None;
        std::mem::take(&mut state.said)
    }

    /// A call left for its device, and its time was over before an answer came. Says what is to be told now.
    #[cold]
    pub fn unanswered(&self, device: &DeviceName, now: Instant) -> Option<Unanswered> {
        let mut state = self.lock();
        self.unsure.store(true, Ordering::Relaxed);
        let row = state.row.get_or_insert_with(|| Row { calls: 0, first: device.clone(), since: now, several: false });
        row.calls = row.calls.saturating_add(1);
        row.several |= row.first != *device;
        let unanswered = Unanswered { calls: row.calls, since: now.saturating_duration_since(row.since) };
        let is_silence = unanswered.calls >= CALLS_MIN && unanswered.since >= TIME_MIN;
        let of_all = row.several || !state.lives;
        let just_said = state.said_at.is_some_and(|at| now.saturating_duration_since(at) < SAID_PAUSE);
        if !is_silence || !of_all || state.said || just_said {
            return None;
        }
        state.said = true;
        state.said_at = Some(now);
        Some(unanswered)
    }

    /// A silence that was told and lasts.
    pub fn lasting(&self, now: Instant) -> Option<Unanswered> {
        let state = self.lock();
        let row = state.row.as_ref().filter(|_| state.said)?;
        Some(Unanswered { calls: row.calls, since: now.saturating_duration_since(row.since) })
    }

    /// Nothing that is done under this lock can panic half way.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
