//! How much is in a store's file and waits for it, for its metrics.

use std::sync::atomic::{AtomicU64, Ordering};

/// What only the holder of the write lock knows, as it was when it let go.
#[derive(Debug, Default)]
pub(crate) struct Sizes {
    pub(crate) devices: AtomicU64,
    pub(crate) records: AtomicU64,
    pub(crate) outbox: AtomicU64,
    pub(crate) unwritten: AtomicU64,
    pub(crate) log_bytes: AtomicU64,
    /// As of the last that this process made.
    pub(crate) batches: AtomicU64,
}

impl Sizes {
    /// Takes them over.
    pub(crate) fn measure(&self, records: u64, waiting: usize, unwritten: usize) {
        self.records.store(records, Ordering::Relaxed);
        self.outbox.store(wide(waiting), Ordering::Relaxed);
        self.unwritten.store(wide(unwritten), Ordering::Relaxed);
    }
}

/// A number as a gauge counts it.
pub(crate) fn wide(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// A count as a database gives it.
pub(crate) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
