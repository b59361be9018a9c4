//! Devices that came or went, until that is written.

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
    /// One more, among so many; says whether there was room.
    pub(crate) fn push(&self, turn: Turn, max: usize) -> bool {
        let mut all = self.lock();
        let room = all.len() < max;
        if room {
            all.push_back(turn);
        }
        room
    }

    /// Those there are. They stay until they are written.
    pub(crate) fn all(&self) -> Vec<Turn> {
        self.lock().iter().cloned().collect()
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
