//! How many calls an account may make in a second.
//!
//! **Invariant:** counted by account, so keys of one account share one quota. Accounts come from the store, so what is
//! kept is bounded by it.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed, StateStore};
use governor::{Quota as Rate, RateLimiter};
use tokio::time::Instant;

use crate::gateway::GatewayError;

/// How long calls are counted at least before it is said how many a second they are.
const COUNTED_FOR_MIN: Duration = Duration::from_secs(1);

/// The quota of all accounts.
#[derive(Debug)]
pub(crate) struct Quota {
    /// `None`: no limit.
    limit: Option<(NonZeroU32, RateLimiter<String, Accounts, DefaultClock>)>,
    clock: DefaultClock,
}

impl Quota {
    /// Allows so many calls a second, all of them at once if they come so; 0 is no limit.
    pub(crate) fn new(calls_per_second_max: u32, accounts: Accounts) -> Self {
        let clock = DefaultClock::default();
        let limit = NonZeroU32::new(calls_per_second_max)
            .map(|max| (max, RateLimiter::new(Rate::per_second(max), accounts, clock.clone())));
        Self { limit, clock }
    }

    /// Takes one call from the account's quota.
    pub(crate) fn take(&self, account: &String) -> Result<(), GatewayError> {
        let Some((max, limiter)) = &self.limit else { return Ok(()) };
        limiter.check_key(account).map_err(|until| GatewayError::Throttled {
            calls_per_second_max: max.get(),
            wait: until.wait_time_from(self.clock.now()).max(Duration::from_millis(1)),
        })
    }
}

/// The accounts that made calls, for whoever has a clone.
#[derive(Debug, Clone)]
pub(crate) struct Accounts(Arc<Mutex<Counted>>);

#[derive(Debug)]
struct Counted {
    accounts: HashMap<String, Account>,
    since: Instant,
    /// Of the account that made most, as it was last counted.
    per_second: f64,
}

#[derive(Debug, Default)]
struct Account {
    state: InMemoryState,
    calls: u32,
}

impl Accounts {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Counted { accounts: HashMap::new(), since: Instant::now(), per_second: 0.0 })))
    }

    /// How many calls a second the account made that made most, since it was asked for before.
    pub(crate) fn calls_per_second(&self) -> f64 {
        let mut counted = self.lock();
        let took = counted.since.elapsed();
        if took >= COUNTED_FOR_MIN {
            let calls = counted.accounts.values_mut().map(|account| std::mem::take(&mut account.calls)).max();
            counted.per_second = f64::from(calls.unwrap_or(0)) / took.as_secs_f64();
            counted.since = Instant::now();
        }
        counted.per_second
    }

    /// Nothing that is done under this lock can panic half way.
    fn lock(&self) -> MutexGuard<'_, Counted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StateStore for Accounts {
    type Key = String;

    fn measure_and_replace<T, F, E>(&self, key: &String, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut counted = self.lock();
        if let Some(account) = counted.accounts.get_mut(key) {
            return account.take(measure);
        }
        counted.accounts.entry(key.clone()).or_default().take(measure)
    }
}

impl Account {
    fn take<T, F, E>(&mut self, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let taken = self.state.measure_and_replace(&NotKeyed::NonKey, measure)?;
        self.calls = self.calls.saturating_add(1);
        Ok(taken)
    }
}

#[cfg(test)]
mod tests;
