//! What became of the latest calls, to tell a late or a second reply from one to a call that never was.
//!
//! **Invariant:** a fixed number of slots; a newer call overwrites the one a full round before it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use thingcall_core::{CallId, Device, DeviceKey, RequestId};
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
    request_id: RequestId,
    answer: Answer,
    at: Instant,
}

/// Whether a call had its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It ended by it.
    Came,
    /// It ended without.
    Missing,
    /// It ended without, and one came then.
    Late,
}

/// What is remembered of a call.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Remembered {
    /// It had its answer.
    Answered,
    /// It ended without one, this long ago. Its request is told to the first who asks.
    Unanswered(Duration, Option<RequestId>),
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

    /// Notes that a call ended; `at` counts where it had no answer.
    pub(crate) fn note(
        &self,
        id: CallId,
        (device, request_id): (Arc<Device>, RequestId),
        (answer, at): (Answer, Instant),
    ) {
        if let Some(slot) = self.slot(id) {
            let ended = Ended { id, device, request_id, answer, at };
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

    /// What became of the call with this id to this device, an answer to which came now.
    pub(crate) fn recall(&self, id: CallId, device: &DeviceKey) -> Remembered {
        let Some(slot) = self.slot(id) else { return Remembered::Nothing };
        match &mut *slot.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(ended) if ended.id != id => Remembered::Nothing,
            Some(ended) if ended.device.key != *device => Remembered::OtherDevice,
            Some(Ended { answer: Answer::Came, .. }) => Remembered::Answered,
            Some(ended) => {
                let is_first = std::mem::replace(&mut ended.answer, Answer::Late) == Answer::Missing;
                Remembered::Unanswered(ended.at.elapsed(), is_first.then_some(ended.request_id))
            }
            None => Remembered::Nothing,
        }
    }
}
