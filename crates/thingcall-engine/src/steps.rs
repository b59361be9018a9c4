//! When the steps of a call were, for its record.
//!
//! **Invariant:** one task polls a call's handler and with it all of its commands, so nothing here is changed by two at once:
//! the atomics are for `Sync` alone. Of a step that happens again the last time counts.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use enum_map::EnumMap;
use thingcall_core::{CallStep, CallTimes, UnixMillis};
use tokio::time::Instant;

/// The steps so far.
#[derive(Debug)]
pub(crate) struct Steps {
    /// When the request came.
    arrived: Instant,
    /// Microseconds since, and one; 0 = it was not.
    after: EnumMap<CallStep, AtomicU32>,
}

impl Steps {
    /// None so far.
    pub(crate) fn new(arrived: Instant) -> Self {
        Self { arrived, after: EnumMap::default() }
    }

    /// A step was then.
    pub(crate) fn note(&self, step: CallStep, at: Instant) {
        let micros = at.saturating_duration_since(self.arrived).as_micros();
        self.after[step].store(u32::try_from(micros).unwrap_or(u32::MAX).saturating_add(1), Relaxed);
    }

    /// Whether a step was.
    pub(crate) fn has(&self, step: CallStep) -> bool {
        self.after[step].load(Relaxed) > 0
    }

    /// When they were.
    pub(crate) fn times(&self) -> CallTimes {
        let mut times = CallTimes::default();
        for (step, after) in &self.after {
            if let Some(micros) = after.load(Relaxed).checked_sub(1) {
                times.set_micros(step, u64::from(micros));
            }
        }
        times
    }
}

/// So long before now.
pub(crate) fn ago(elapsed: Duration) -> UnixMillis {
    UnixMillis(UnixMillis::now().0.saturating_sub(i64::try_from(elapsed.as_millis()).unwrap_or(0)))
}
