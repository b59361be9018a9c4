//! How many calls an account may make in a second.
//!
//! **Invariant:** counted by account, so keys of one account share one quota. Accounts come from the store, so what is
//! kept is bounded by it.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota as Rate};

use crate::gateway::Refusal;

/// The quota of all accounts.
#[derive(Debug)]
pub(crate) struct Quota {
    /// `None`: no limit.
    limit: Option<(NonZeroU32, DefaultKeyedRateLimiter<String>)>,
    clock: DefaultClock,
}

impl Quota {
    /// Allows so many calls a second, all of them at once if they come so; 0 is no limit.
    pub(crate) fn new(calls_per_second_max: u32) -> Self {
        let limit = NonZeroU32::new(calls_per_second_max)
            .map(|max| (max, DefaultKeyedRateLimiter::keyed(Rate::per_second(max))));
        Self { limit, clock: DefaultClock::default() }
    }

    /// Takes one call from the account's quota.
    pub(crate) fn take(&self, account: &String) -> Result<(), Refusal> {
        let Some((max, limiter)) = &self.limit else { return Ok(()) };
        limiter.check_key(account).map_err(|until| Refusal::Throttled {
            calls_per_second_max: max.get(),
            wait: until.wait_time_from(self.clock.now()).max(Duration::from_millis(1)),
        })
    }
}
