//! Devices that came or went, until that is written.
//!
//! **Invariant:** a turn and what memory hears of it are taken together, or neither: a device whose row says already what its
//! turn does would not be told, and one whose row does not yet would be told, but not its next turn.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use thingcall_core::{DeviceKey, UnixMillis};

/// A device that came or went, as it was heard.
#[derive(Debug, Clone)]
pub(crate) struct Turn {
    pub(crate) device: DeviceKey,
    pub(crate) online: bool,
    pub(crate) at: UnixMillis,
    pub(crate) address: Option<String>,
    /// When it was last heard of before, if memory knew.
    pub(crate) last_at: Option<UnixMillis>,
}

/// Turns that are to be written, in their order.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<VecDeque<Turn>>);

impl Turns {
    /// One more, among so many, and what is heard with it; says whether there was room.
    pub(crate) fn push(&self, turn: Turn, max: usize, hear: impl FnOnce()) -> bool {
        let mut all = self.lock();
        let room = all.len() < max;
        if room {
            all.push_back(turn);
        }
        hear();
        room
    }

    /// Those there are, and what was heard with them. They stay until they are written.
    pub(crate) fn all<T>(&self, heard: impl FnOnce() -> T) -> (T, Vec<Turn>) {
        let all = self.lock();
        (heard(), all.iter().cloned().collect())
    }

    /// So many are written.
    pub(crate) fn wrote(&self, count: usize) {
        let mut all = self.lock();
        let count = count.min(all.len());
        all.drain(..count);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Turn>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
