//! What was consumed within the last minute.

use std::time::Duration;

use thingcall_core::PerMinute;
use tokio::time::Instant;

/// How long a part of the minute is.
const PART: Duration = Duration::from_secs(10);
/// So many are the minute.
const PARTS: usize = 6;

/// Counts of the last minute, by parts of it.
#[derive(Debug)]
pub(crate) struct Minute {
    began: Instant,
    /// The newest part's number since the beginning.
    newest: u64,
    parts: [PerMinute; PARTS],
}

impl Minute {
    pub(crate) fn new(now: Instant) -> Self {
        Self { began: now, newest: 0, parts: [PerMinute::default(); PARTS] }
    }

    /// One more was consumed.
    pub(crate) fn add(&mut self, fresh: bool, now: Instant) {
        self.forget(now);
        let Some(part) = self.parts.first_mut() else { return };
        if fresh {
            part.fresh += 1;
        } else {
            part.backlog += 1;
        }
    }

    pub(crate) fn sum(&mut self, now: Instant) -> PerMinute {
        self.forget(now);
        let sum = |sum: PerMinute, part: &PerMinute| PerMinute {
            fresh: sum.fresh + part.fresh,
            backlog: sum.backlog + part.backlog,
        };
        self.parts.iter().fold(PerMinute::default(), sum)
    }

    /// The newest part stands first.
    fn forget(&mut self, now: Instant) {
        let number = now.saturating_duration_since(self.began).as_secs() / PART.as_secs();
        let passed = usize::try_from(number.saturating_sub(self.newest)).unwrap_or(PARTS).min(PARTS);
        self.newest = self.newest.max(number);
        self.parts.rotate_right(passed);
        self.parts.iter_mut().take(passed).for_each(|part| *part = PerMinute::default());
    }
}

#[cfg(test)]
mod tests;
