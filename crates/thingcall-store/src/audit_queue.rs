//! The log of who changed what: entries on their way to the database.
//!
//! **Invariants:** putting an entry never waits. One stays here until it is committed; what finds no room, or is here still when the
//! store closes, is written into the program's log in its place, and counted. An entry whose commit is in doubt is written again,
//! so it may be there twice.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use thingcall_core::AuditEntry;
use tokio::sync::Notify;
use tracing::error;

use crate::audit_table::AuditSize;
use crate::sizes::wide;

/// How many may wait to be written.
pub(crate) const QUEUE_ENTRIES_MAX: usize = 10_000;

/// Entries that wait, and what became of others.
#[derive(Debug, Default)]
pub(crate) struct Audit {
    waiting: Mutex<VecDeque<AuditEntry>>,
    /// Something waits.
    pub(crate) came: Notify,
    lost: AtomicU64,
    /// How many are in the database, as was last counted, with those written since.
    entries: AtomicU64,
    strangers: AtomicU64,
}

impl Audit {
    fn waiting(&self) -> MutexGuard<'_, VecDeque<AuditEntry>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes one, where there is room.
    pub(crate) fn put(&self, entry: AuditEntry) {
        let mut waiting = self.waiting();
        if waiting.len() >= QUEUE_ENTRIES_MAX {
            drop(waiting);
            return self.lose(&entry, "too many wait to be written");
        }
        waiting.push_back(entry);
        drop(waiting);
        self.came.notify_one();
    }

    /// The oldest of those that wait. For the holder of the write lock, who forgets them once they are written.
    pub(crate) fn oldest(&self, max: usize) -> Vec<AuditEntry> {
        self.waiting().iter().take(max).cloned().collect()
    }

    /// These, which were the oldest, are written.
    pub(crate) fn written(&self, entries: &[AuditEntry]) {
        self.waiting().drain(..entries.len());
        let strangers = entries.iter().filter(|entry| entry.is_of_a_stranger()).count();
        self.entries.fetch_add(wide(entries.len()), Ordering::Relaxed);
        self.strangers.fetch_add(wide(strangers), Ordering::Relaxed);
    }

    /// The store closes, and what waits was not written.
    pub(crate) fn lose_all(&self) {
        let left = std::mem::take(&mut *self.waiting());
        left.iter().for_each(|entry| self.lose(entry, "the store could not be written when it was closed"));
    }

    fn lose(&self, entry: &AuditEntry, why: &str) {
        self.lost.fetch_add(1, Ordering::Relaxed);
        let AuditEntry { door, key, action, target, outcome, address, .. } = entry;
        let (door, key): (&str, _) = ((*door).into(), key.as_deref().unwrap_or_default());
        error!(door, key, action, target, outcome, ?address, why, "a change is in no audit log but this line");
    }

    /// How many there are.
    pub(crate) fn size(&self) -> AuditSize {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        AuditSize { entries: of(&self.entries), strangers: of(&self.strangers) }
    }

    /// They were counted.
    pub(crate) fn measure(&self, size: AuditSize) {
        self.entries.store(size.entries, Ordering::Relaxed);
        self.strangers.store(size.strangers, Ordering::Relaxed);
    }

    /// How many wait.
    pub(crate) fn queued(&self) -> usize {
        self.waiting().len()
    }

    /// How many are in no audit log.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}
