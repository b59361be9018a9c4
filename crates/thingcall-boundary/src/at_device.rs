//! How long a plugin's call has waited for its device.
//!
//! **Invariant:** a moment counts once, however many commands are under way in it.

use std::time::Duration;

use tokio::time::Instant;

/// The time a call has spent at its device.
#[derive(Debug, Default)]
pub(crate) struct AtDevice {
    /// How many commands are under way.
    commands: u32,
    /// Since when at least one is.
    since: Option<Instant>,
    /// Of those before.
    total: Duration,
}

impl AtDevice {
    /// One more is under way from now on.
    pub(crate) fn asked(&mut self) {
        self.commands += 1;
        if self.since.is_none() {
            self.since = Some(Instant::now());
        }
    }

    /// One has ended, however.
    pub(crate) fn ended(&mut self) {
        self.commands = self.commands.saturating_sub(1);
        if self.commands == 0
            && let Some(since) = self.since.take()
        {
            self.total += since.elapsed();
        }
    }

    /// The time until now.
    pub(crate) fn total(&self, now: Instant) -> Duration {
        self.total + self.since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }
}

#[cfg(test)]
mod tests {
    //! What counts, and that it counts once.

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_moment_counts_once_however_many_commands_are_under_way() {
        let mut time = AtDevice::default();
        assert_eq!(time.total(Instant::now()), Duration::ZERO);

        time.asked();
        tokio::time::advance(SECOND).await;
        time.asked();
        tokio::time::advance(SECOND).await;
        time.ended();
        assert_eq!(time.total(Instant::now()), 2 * SECOND);
        tokio::time::advance(SECOND).await;
        time.ended();

        tokio::time::advance(SECOND).await;
        assert_eq!(time.total(Instant::now()), 3 * SECOND);
    }
}
