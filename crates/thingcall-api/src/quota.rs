//! How many calls an account may make in a second.
//!
//! An instance that is alone counts by itself (`governor`); one of several takes from what all share (`shared`).
//!
//! **Invariant:** counted by account, so keys of one account share one quota. Accounts come from the store, so what is
//! kept is bounded by it. A call never waits for its quota.

mod ahead;
mod limits;
mod shared;

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock, Reference};
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::{Quota as Rate, RateLimiter};
use tokio::time::Instant;

use crate::gateway::GatewayError;

/// How long calls are counted at least before it is said how many a second they are.
const COUNTED_FOR_MIN: Duration = Duration::from_secs(1);

pub use limits::Quotas;
pub(crate) use limits::{Batch, QuotaLimits, Retuned};
pub(crate) use shared::SharedAccounts;

/// The quota of all accounts: so many calls a second, all of them at once if they come so.
pub(crate) enum Quota {
    /// No limit.
    None,
    /// This instance's, which is alone.
    Own(OwnQuota),
    /// That of all instances.
    Shared(Arc<SharedAccounts>),
}

/// What an instance counts by itself.
#[derive(Debug)]
pub(crate) struct OwnQuota {
    max: NonZeroU32,
    each: Each,
    limiter: RateLimiter<String, Accounts, DefaultClock>,
    clock: DefaultClock,
}

/// What a quota is of, and in which time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Each {
    /// Calls, a second.
    Call,
    /// InvokeThingsService, a second.
    ThingsService,
    /// SetDevicesProperty, a second.
    DevicesProperty,
    /// Broadcasts on a topic, a second.
    Broadcast,
    /// Broadcasts to all devices of a product, a minute.
    BroadcastToAll,
}

impl Each {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Call => {
                "InvokeThingService calls a second for an account, together with its other actions that call one device"
            }
            Self::ThingsService => "InvokeThingsService a second for an account at each instance",
            Self::DevicesProperty => "SetDevicesProperty a second for an account at each instance",
            Self::Broadcast => "PubBroadcast with a TopicFullName a second for an account at each instance",
            Self::BroadcastToAll => "PubBroadcast without a TopicFullName a minute for an account at each instance",
        }
    }

    const fn rate(self, max: NonZeroU32) -> Rate {
        match self {
            Self::Call | Self::ThingsService | Self::DevicesProperty | Self::Broadcast => Rate::per_second(max),
            Self::BroadcastToAll => Rate::per_minute(max),
        }
    }
}

impl Quota {
    /// Of an instance that is alone.
    pub(crate) fn own(max: NonZeroU32, each: Each, accounts: Accounts) -> Self {
        let clock = DefaultClock::default();
        let limiter = RateLimiter::new(each.rate(max), accounts.from(clock.now()), clock.clone());
        Self::Own(OwnQuota { max, each, limiter, clock })
    }

    /// Takes one call from the account's quota.
    pub(crate) fn take(&self, account: &String) -> Result<(), GatewayError> {
        let (max, each, wait) = match self {
            Self::None => return Ok(()),
            Self::Own(own) => match own.limiter.check_key(account) {
                Ok(()) => return Ok(()),
                Err(until) => (own.max, own.each, until.wait_time_from(own.clock.now())),
            },
            Self::Shared(shared) => match shared.take(account) {
                Ok(()) => return Ok(()),
                Err(wait) => (shared.calls_per_second_max(), Each::Call, wait),
            },
        };
        let wait = wait.max(Duration::from_millis(1));
        Err(GatewayError::Throttled { max: max.get(), of: each.as_str(), wait })
    }
}

/// The accounts that made calls, for whoever has a clone.
#[derive(Debug, Clone)]
pub(crate) struct Accounts {
    counted: Arc<Mutex<Counted>>,
    /// How long after the accounts began whoever takes from here did: a limiter reckons from its own beginning.
    offset: Nanos,
}

#[derive(Debug)]
struct Counted {
    accounts: HashMap<String, Account>,
    /// What times of accounts are reckoned from.
    begun: <DefaultClock as Clock>::Instant,
    since: Instant,
    /// Of the account that made most, as it was last counted.
    per_second: f64,
}

#[derive(Debug, Default)]
struct Account {
    /// Until when what it took counts, since the accounts began.
    taken_until: Option<Nanos>,
    calls: u32,
}

impl Accounts {
    pub(crate) fn new() -> Self {
        Self::begun(DefaultClock::default().now())
    }

    fn begun(begun: <DefaultClock as Clock>::Instant) -> Self {
        let counted = Counted { accounts: HashMap::new(), begun, since: Instant::now(), per_second: 0.0 };
        Self { counted: Arc::new(Mutex::new(counted)), offset: Nanos::new(0) }
    }

    /// The same, for a limiter that begins now.
    fn from(&self, now: <DefaultClock as Clock>::Instant) -> Self {
        let offset = now.duration_since(self.lock().begun);
        Self { counted: self.counted.clone(), offset }
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

    /// Counts a call that was let through.
    fn count(&self, account: &str) {
        let mut counted = self.lock();
        if let Some(account) = counted.accounts.get_mut(account) {
            account.calls = account.calls.saturating_add(1);
        } else {
            counted.accounts.insert(account.to_owned(), Account { calls: 1, ..Account::default() });
        }
    }

    /// Nothing that is done under this lock can panic half way.
    fn lock(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
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
            return account.take(self.offset, measure);
        }
        counted.accounts.entry(key.clone()).or_default().take(self.offset, measure)
    }
}

impl Account {
    fn take<T, F, E>(&mut self, offset: Nanos, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let since = |until: Nanos| Nanos::new(until.as_u64().saturating_sub(offset.as_u64()));
        let (taken, until) = measure(self.taken_until.map(since))?;
        self.taken_until = Some(Nanos::new(until.as_u64().saturating_add(offset.as_u64())));
        self.calls = self.calls.saturating_add(1);
        Ok(taken)
    }
}

#[cfg(test)]
mod tests;
