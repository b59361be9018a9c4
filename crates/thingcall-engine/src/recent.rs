//! What became of the latest calls, to tell a late or a second reply from one to a call that never was.
//!
//! **Invariant:** a fixed number of slots; a newer call overwrites the one a full round before it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use thingcall_core::{CallId, Device, DeviceKey};
use tokio::time::Instant;

/// The latest ended calls.
#[derive(Debug)]
pub(crate) struct Recent {
    /// Call ids count up, so the low bits of an id spread the latest calls evenly.
    slots: Box<[Mutex<Option<Ended>>]>,
    /// How many slots are in use.
    used: AtomicUsize,
}

#[derive(Debug)]
struct Ended {
    id: CallId,
    device: Arc<Device>,
    answered: bool,
    at: Instant,
}

/// What is remembered of a call.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Remembered {
    /// It had its answer.
    Answered,
    /// It ended without one, this long ago.
    Unanswered(Duration),
    /// It was made to another device.
    OtherDevice,
    /// Nothing.
    Nothing,
}

impl Recent {
    pub(crate) fn new(calls_max: usize) -> Self {
        Self { slots: (0..calls_max.max(1)).map(|_| Mutex::new(None)).collect(), used: AtomicUsize::new(0) }
    }

    fn slot(&self, id: CallId) -> Option<&Mutex<Option<Ended>>> {
        self.slots.get(id.as_u32() as usize % self.slots.len())
    }

    /// Notes that a call ended.
    pub(crate) fn note(&self, id: CallId, device: Arc<Device>, answered: bool) {
        if let Some(slot) = self.slot(id) {
            let ended = Ended { id, device, answered, at: Instant::now() };
            // The one it replaces is freed after the lock.
            let old = slot.lock().unwrap_or_else(PoisonError::into_inner).replace(ended);
            if old.is_none() {
                self.used.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// How many calls are remembered.
    pub(crate) fn len(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// What became of the call with this id to this device.
    pub(crate) fn recall(&self, id: CallId, device: &DeviceKey) -> Remembered {
        let Some(slot) = self.slot(id) else { return Remembered::Nothing };
        match &*slot.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(ended) if ended.id != id => Remembered::Nothing,
            Some(ended) if ended.device.key != *device => Remembered::OtherDevice,
            Some(ended) if ended.answered => Remembered::Answered,
            Some(ended) => Remembered::Unanswered(ended.at.elapsed()),
            None => Remembered::Nothing,
        }
    }
}
