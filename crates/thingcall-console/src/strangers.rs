//! Requests of nobody known, as far as they are noted: anybody who reaches the port can make them.

use std::sync::{Mutex, PoisonError};

use thingcall_core::UnixMillis;

/// Of a minute.
const MILLIS: i64 = 60_000;

/// How many requests of nobody known were noted in this minute.
#[derive(Debug)]
pub(crate) struct Strangers {
    per_minute_max: u32,
    now: Mutex<(i64, u32)>,
}

impl Strangers {
    /// So many a minute.
    pub(crate) fn new(per_minute_max: u32) -> Self {
        Self { per_minute_max, now: Mutex::new((0, 0)) }
    }

    /// Whether one more is noted at this time.
    pub(crate) fn one_more(&self, at: UnixMillis) -> bool {
        let minute = at.0.div_euclid(MILLIS);
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        if now.0 != minute {
            *now = (minute, 0);
        }
        let fits = now.1 < self.per_minute_max;
        now.1 += u32::from(fits);
        fits
    }
}

#[cfg(test)]
mod tests {
    //! How many they may be.

    use super::*;

    #[test]
    fn they_are_noted_so_many_times_a_minute() {
        let strangers = Strangers::new(2);
        let minute = UnixMillis(600_000);
        assert_eq!([0; 3].map(|_| strangers.one_more(minute)), [true, true, false]);
        assert!(!strangers.one_more(UnixMillis(659_999)));
        assert!(strangers.one_more(UnixMillis(660_000)));
    }
}
