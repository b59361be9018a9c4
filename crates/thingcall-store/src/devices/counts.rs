//! What is counted of look-ups.

use std::sync::atomic::AtomicU64;

/// What became of look-ups.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Memory answered.
    pub(crate) hits: AtomicU64,
    /// The database was asked, or somebody was waited for who asked it.
    pub(crate) misses: AtomicU64,
    /// The database did not answer.
    pub(crate) failures: AtomicU64,
    /// Signs of devices that found no room.
    pub(crate) signs_lost: AtomicU64,
}
