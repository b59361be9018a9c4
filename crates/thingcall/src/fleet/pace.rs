//! How fast calls begin.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Who is behind by as much catches up.
const CATCH_UP: Duration = Duration::from_millis(20);
/// More than any server takes.
const RATE_MAX: f64 = 100_000.0;

/// So many a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rate(f64);

/// Reads `50/s`, `100/m` or `50`.
///
/// # Errors
/// What would be right.
pub(super) fn rate(text: &str) -> Result<Rate, String> {
    let wrong = || format!("{text:?} is not a rate; right is 50/s, 100/m or 0.5/s, up to {RATE_MAX}/s");
    let (number, seconds) = match text.split_once('/') {
        None | Some((_, "s")) => (text.trim_end_matches("/s"), 1.0),
        Some((number, "m" | "min")) => (number, 60.0),
        Some(_) => return Err(wrong()),
    };
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let a_second = number / seconds;
    if a_second > 0.0001 && a_second <= RATE_MAX { Ok(Rate(a_second)) } else { Err(wrong()) }
}

/// Lets calls begin one after the other.
#[derive(Debug)]
pub(super) struct Pace {
    gap: Duration,
    next: Mutex<Instant>,
}

impl Pace {
    pub(super) fn new(rate: Option<Rate>) -> Self {
        let gap = rate.map_or(Duration::ZERO, |Rate(rate)| Duration::from_secs_f64(1.0 / rate));
        Self { gap, next: Mutex::new(Instant::now()) }
    }

    /// Returns when the next call may begin.
    pub(super) async fn turn(&self) {
        if self.gap.is_zero() {
            return;
        }
        let at = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let at = (*next).max(now.checked_sub(CATCH_UP).unwrap_or(now));
            *next = at + self.gap;
            at
        };
        sleep_until(at).await;
    }
}

#[cfg(test)]
mod tests {
    //! Rates, and what comes of them.

    use super::*;

    #[test]
    fn rates_are_read_and_others_refused() {
        for (text, right) in [("50/s", 50.0), ("50", 50.0), ("120/m", 2.0), ("0.5/s", 0.5)] {
            assert_eq!(rate(text), Ok(Rate(right)), "{text}");
        }
        for text in ["", "0", "-1/s", "50/h", "fast", "NaN", "inf/s", "1e9/s"] {
            assert!(rate(text).unwrap_err().contains("right is 50/s"), "{text}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn calls_begin_no_faster_than_the_rate() {
        let pace = Pace::new(Some(Rate(10.0)));
        let began = Instant::now();
        for _ in 0..11 {
            pace.turn().await;
        }
        assert!(began.elapsed() >= Duration::from_millis(980), "{:?}", began.elapsed());
    }
}
