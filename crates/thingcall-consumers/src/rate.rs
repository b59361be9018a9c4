//! So many within a time.

use std::time::Duration;

use tokio::time::Instant;

/// At most so many within each span of time, spread as they come; at once after a rest.
#[derive(Debug)]
pub(crate) struct Rate {
    /// What one takes of the span.
    cost: Duration,
    span: Duration,
    /// All that was taken is paid for by then.
    paid_at: Instant,
}

impl Rate {
    pub(crate) fn new(most: u32, span: Duration, now: Instant) -> Self {
        let cost = (span / most.max(1)).max(Duration::from_nanos(1));
        // A whole number of costs: else rounding would leave one less than `most` after a rest.
        Self { cost, span: cost * most.max(1), paid_at: now }
    }

    /// How many may be taken now.
    pub(crate) fn room(&self, now: Instant) -> usize {
        let left = self.span.saturating_sub(self.paid_at.saturating_duration_since(now));
        usize::try_from(left.as_nanos() / self.cost.as_nanos().max(1)).unwrap_or(usize::MAX)
    }

    pub(crate) fn take(&mut self, many: usize, now: Instant) {
        let many = u32::try_from(many).unwrap_or(u32::MAX);
        self.paid_at = self.paid_at.max(now) + self.cost.saturating_mul(many);
    }

    /// When there is room for one again.
    pub(crate) fn next(&self) -> Instant {
        let full = self.span.saturating_sub(self.cost);
        self.paid_at.checked_sub(full).unwrap_or(self.paid_at)
    }
}

#[cfg(test)]
mod tests;
