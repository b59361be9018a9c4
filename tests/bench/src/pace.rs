//! When the calls of one measurement are due and which of them count. Shared by all that make calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// The plan of one measurement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) in_flight: u32,
    pub(crate) rate: Option<u32>,
    /// How many calls a second of a closed loop are prepared for.
    pub(crate) signed_per_second: u32,
    pub(crate) warm_up: Duration,
    pub(crate) measured: Duration,
}

impl Plan {
    /// The same times, in which nobody calls.
    pub(crate) fn without_calls(self) -> Self {
        Self { in_flight: 0, rate: Some(1), ..self }
    }

    /// More calls than this are not prepared for.
    pub(crate) fn calls_max(self) -> usize {
        let per_second = u128::from(self.rate.unwrap_or(self.signed_per_second));
        let calls = (self.warm_up + self.measured).as_millis() * per_second / 1000 + u128::from(self.in_flight);
        usize::try_from(calls).unwrap_or(usize::MAX)
    }
}

/// The clock of one measurement.
#[derive(Debug)]
pub(crate) struct Pace {
    start: Instant,
    counted_from: Instant,
    end: Instant,
    rate: Option<u32>,
    next: AtomicU64,
}

impl Pace {
    /// From now on.
    pub(crate) fn new(plan: Plan) -> Arc<Self> {
        let start = Instant::now();
        let counted_from = start + plan.warm_up;
        let end = counted_from + plan.measured;
        Arc::new(Self { start, counted_from, end, rate: plan.rate, next: 0.into() })
    }

    /// Waits until the next call is due; its number and when it was due. `None` when the time is over.
    ///
    /// A call that was due before somebody was free to make it counts from when it was due: queueing is part of what
    /// is measured, the coarse timer of this process is not.
    pub(crate) async fn next(&self) -> Option<(u64, Instant)> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let now = Instant::now();
        let at = match self.rate {
            None => now,
            Some(rate) => {
                let nanos = u128::from(number) * 1_000_000_000 / u128::from(rate);
                let due = self.start + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
                if due > self.end {
                    return None;
                }
                if due > now {
                    tokio::time::sleep_until(due).await;
                    Instant::now()
                } else {
                    due
                }
            }
        };
        (at < self.end).then_some((number, at))
    }

    /// Whether a call that was due at one moment and ended at the other is part of the measurement.
    ///
    /// In a closed loop what ends within the time is what was achieved in it, whenever it began: else the more wait, the
    /// fewer would count. In an open loop a call belongs to the moment it was due.
    pub(crate) fn counts(&self, due: Instant, ended: Instant) -> bool {
        let of = if self.rate.is_none() { ended } else { due };
        of >= self.counted_from && ended <= self.end
    }

    /// Whether a call that failed at this moment is: one that was due in the warm-up, or failed after the end, was lost all
    /// the same.
    pub(crate) fn counts_failure(&self, ended: Instant) -> bool {
        ended >= self.counted_from
    }

    /// From when on calls count.
    pub(crate) const fn counted_from(&self) -> Instant {
        self.counted_from
    }

    /// Until when.
    pub(crate) const fn end(&self) -> Instant {
        self.end
    }
}
