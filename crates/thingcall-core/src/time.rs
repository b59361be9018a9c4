//! Points in time: one that ends a wait, one that is written down.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// When a call must have ended, on the clock that only goes forward.
///
/// This crate never reads that clock: the engine does, through its runtime, whose clock tests can pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// The deadline at this instant.
    pub const fn at(instant: Instant) -> Self {
        Self(instant)
    }

    /// The instant.
    pub const fn instant(self) -> Instant {
        self.0
    }

    /// What is left at `now`; zero once it has passed.
    pub fn left(self, now: Instant) -> Duration {
        self.0.saturating_duration_since(now)
    }
}

/// Milliseconds since 1970 in UTC, as Alink and the API write times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct UnixMillis(pub i64);

impl UnixMillis {
    /// The wall clock's time.
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}
