//! That others changed something or appended messages, told by the database itself where it can.
//!
//! **Invariant:** whoever is told looks what was changed: nothing is told of each change, and none is guessed. Who begins to
//! listen is told at once, since nobody told of what was changed before.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use tokio::sync::Notify;

/// What the one who listens tells the one who looks.
#[derive(Debug, Default)]
pub(crate) struct Told {
    changed: Notify,
    listening: AtomicBool,
    begun: AtomicU64,
    appended: Notify,
    /// The newest message's place, as it was told.
    newest: AtomicI64,
}

impl Told {
    /// From now on each change is told.
    pub(crate) fn begins(&self) {
        self.begun.fetch_add(1, Ordering::Relaxed);
        self.listening.store(true, Ordering::Relaxed);
        self.changed();
    }

    /// Changes are told no more; says whether they were.
    pub(crate) fn ends(&self) -> bool {
        self.listening.swap(false, Ordering::Relaxed)
    }

    /// Something was changed.
    pub(crate) fn changed(&self) {
        self.changed.notify_one();
    }

    /// Returns when something may have been changed since the last time.
    pub(crate) async fn wait(&self) {
        self.changed.notified().await;
    }

    /// There are messages up to this place.
    pub(crate) fn appended(&self, newest: i64) {
        self.newest.fetch_max(newest, Ordering::Relaxed);
        self.appended.notify_one();
    }

    /// Returns when messages were appended since the last time; the newest's place.
    pub(crate) async fn newest(&self) -> i64 {
        self.appended.notified().await;
        self.newest.load(Ordering::Relaxed)
    }

    /// Whether changes are told.
    pub(crate) fn listens(&self) -> bool {
        self.listening.load(Ordering::Relaxed)
    }

    /// How often that was begun.
    pub(crate) fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }
}
