//! How busy a database's connections are, and which waits for it ran out.

use std::sync::atomic::{AtomicU64, Ordering};

use enum_map::{Enum, EnumMap};
use strum::IntoStaticStr;

/// What is waited for, each within a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Wait {
    /// To be connected, for writing or listening.
    Connect,
    /// One of the connections for reading: all are in use, or none can be made.
    ReadConnection,
    /// An answer.
    Answer,
}

/// How often each wait ran out.
#[derive(Debug, Default)]
pub(crate) struct RanOut(EnumMap<Wait, AtomicU64>);

impl RanOut {
    /// One more did.
    pub(crate) fn count(&self, wait: Wait) {
        self.0[wait].fetch_add(1, Ordering::Relaxed);
    }

    /// So many did.
    pub(crate) fn of(&self, wait: Wait) -> u64 {
        self.0[wait].load(Ordering::Relaxed)
    }
}

/// The connections that read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReadConnections {
    pub(crate) in_use: u64,
    pub(crate) max: u64,
}
