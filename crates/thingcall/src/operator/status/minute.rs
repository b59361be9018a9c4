//! How calls ended within the last minute: the difference between counts now and then.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::figures::Figures;

/// How often counts are noted.
pub(super) const NOTED_EVERY: Duration = Duration::from_secs(5);
const LASTS: Duration = Duration::from_secs(60);
pub(super) const LASTS_MS: i64 = 60_000;

/// Ends of calls that are no failure of anything here.
const FINE: [&str; 1] = ["ok"];
/// Ends that are their callers' own fault.
const OF_CALLERS: [&str; 5] = ["invalid_args", "too_large", "unknown_target", "denied", "throttled"];

type Counts = BTreeMap<String, f64>;

/// Counts of the last minute.
#[derive(Debug, Default)]
pub(super) struct Minute(Mutex<VecDeque<(Instant, Counts)>>);

/// What became of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LastMinute {
    /// Shorter after a start.
    pub(super) seconds: u64,
    /// By outcome; those alone that there were.
    pub(super) calls: Counts,
}

/// How most calls ended that failed within a minute, and the device that had most of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Worst {
    pub(super) outcome: String,
    pub(super) device: Option<(String, usize)>,
}

fn counts(figures: &Figures) -> Counts {
    figures.by("thingcall_calls_total", "outcome")
}

impl Minute {
    /// Notes what was counted by now.
    pub(super) fn note(&self, figures: &Figures) {
        self.keep(Instant::now(), counts(figures));
    }

    /// What was counted within the minute that ends now.
    pub(super) fn of(&self, figures: &Figures) -> LastMinute {
        self.until(Instant::now(), &counts(figures))
    }

    fn keep(&self, now: Instant, counts: Counts) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // One more than a minute's stays, so that there is one from before its beginning.
        while kept.get(1).is_some_and(|(at, _)| now.duration_since(*at) >= LASTS) {
            kept.pop_front();
        }
        kept.push_back((now, counts));
    }

    fn until(&self, now: Instant, counts: &Counts) -> LastMinute {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((at, then)) = kept.iter().rfind(|(at, _)| now.duration_since(*at) >= LASTS).or(kept.front()) else {
            return LastMinute { seconds: 0, calls: counts.clone() };
        };
        let since = |(outcome, count): (&String, &f64)| {
            let more = count - then.get(outcome).copied().unwrap_or_default();
            (more > 0.0).then(|| (outcome.clone(), more))
        };
        LastMinute { seconds: now.duration_since(*at).as_secs(), calls: counts.iter().filter_map(since).collect() }
    }
}

impl LastMinute {
    /// How most of those ended that did not end well.
    pub(super) fn worst(&self) -> Option<String> {
        let bad = self.calls.iter().filter(|(outcome, _)| !FINE.contains(&outcome.as_str()));
        bad.max_by(|one, other| one.1.total_cmp(other.1)).map(|(outcome, _)| outcome.clone())
    }

    /// How many there were, and how many did not end well.
    pub(super) fn counts(&self) -> (f64, f64) {
        let all: f64 = self.calls.values().sum();
        let fine: f64 = FINE.iter().filter_map(|outcome| self.calls.get(*outcome)).sum();
        (all, all - fine)
    }

    /// How many failed of those whose callers were right, and how many these were.
    pub(super) fn of_right_callers(&self) -> (f64, f64) {
        let (all, failed) = self.counts();
        let wrong: f64 = OF_CALLERS.iter().filter_map(|outcome| self.calls.get(*outcome)).sum();
        (all - wrong, failed - wrong)
    }

    pub(super) fn json(&self, worst: Option<&Worst>) -> Value {
        let (all, failed) = self.counts();
        let worst = worst.map(|worst| {
            let device = worst.device.as_ref();
            let calls = self.calls.get(&worst.outcome);
            json!({
                "outcome": worst.outcome, "calls": calls,
                "device": device.map(|(name, _)| name), "ofDevice": device.map(|(_, calls)| calls),
            })
        });
        json!({ "seconds": self.seconds, "calls": all, "failed": failed, "byOutcome": self.calls, "worst": worst })
    }
}

impl Worst {
    pub(super) fn of(outcome: &str, devices: impl Iterator<Item = String>) -> Self {
        let mut counts = BTreeMap::<String, usize>::new();
        devices.filter(|device| !device.is_empty()).for_each(|device| *counts.entry(device).or_default() += 1);
        let device = counts.into_iter().max_by_key(|(_, calls)| *calls);
        Self { outcome: outcome.to_owned(), device }
    }
}

#[cfg(test)]
mod tests {
    //! A minute that goes on.

    use super::*;

    fn counts(ok: f64, timeout: f64) -> Counts {
        [("ok".to_owned(), ok), ("timeout".to_owned(), timeout)].into()
    }

    #[test]
    fn what_was_counted_longer_ago_than_a_minute_is_not_told() {
        let (minute, start) = (Minute::default(), Instant::now());
        assert_eq!(minute.until(start, &counts(2.0, 0.0)).counts(), (2.0, 0.0));
        for seconds in 0..40 {
            let at = start + NOTED_EVERY * seconds;
            minute.keep(at, counts(f64::from(seconds) * 5.0, 0.0));
        }
        let now = start + NOTED_EVERY * 40;
        let told = minute.until(now, &counts(200.0, 1.0));
        assert_eq!((told.seconds, told.counts()), (60, (61.0, 1.0)));
        assert_eq!(told.worst().as_deref(), Some("timeout"));
        assert!(minute.0.lock().unwrap().len() <= 14);
        let quiet = minute.until(now, &counts(140.0, 0.0));
        assert_eq!((quiet.calls.len(), quiet.worst()), (0, None));
    }
}
