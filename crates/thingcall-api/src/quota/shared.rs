//! The quota that all instances share, taken from without waiting: one task asks for all accounts that need it.
//!
//! **Invariant:** while nobody can be asked, each instance lets through its share: the quota by the number of instances.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use enum_map::EnumMap;
use prometheus::IntCounter;
use thingcall_core::{Condition, SharedQuota, Want};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use super::Accounts;
use super::ahead::{Account, Rates};
use crate::shared::{Asked, Instances, Reach, SharedMetrics, TakenFrom};

/// The pause between two questions, on average. Each is between half and three halves of it, so that no instance always asks
/// just after another one took all.
const PAUSE: Duration = Duration::from_millis(20);

/// The pause where nobody can be asked, and the longest without a question.
const RETRY_PAUSE: Duration = Duration::from_millis(250);
const PROBE_PAUSE: Duration = Duration::from_secs(1);

/// An answer that takes longer is as good as none: until then, an instance takes no more than its share.
const ANSWER_MAX: Duration = Duration::from_millis(250);

/// Accounts in one question.
const WANTS_MAX: usize = 1000;

/// What this instance knows of the accounts that call here.
pub(crate) struct SharedAccounts {
    quota: Arc<dyn SharedQuota>,
    max: AtomicU32,
    instances: Instances,
    known: Mutex<Known>,
    /// Told when an account needs something and nobody is at it.
    needed: Notify,
    reach: Reach,
    counted: Accounts,
    calls: EnumMap<TakenFrom, IntCounter>,
    failed: IntCounter,
}

#[derive(Default)]
struct Known {
    accounts: HashMap<String, Account>,
    /// The task is at it.
    at_work: bool,
    /// Nobody can be asked.
    cut: bool,
}

impl SharedAccounts {
    pub(crate) fn new(
        max: NonZeroU32,
        (quota, condition): (Arc<dyn SharedQuota>, Arc<Condition>),
        (instances, ask_timeout): (Instances, Duration),
        counted: Accounts,
        metrics: &SharedMetrics,
    ) -> Arc<Self> {
        let consequence = "each instance lets through its share of every account's quota";
        let reach = Reach::new(condition, consequence, ask_timeout.min(ANSWER_MAX), metrics.took[Asked::Quota].clone());
        Arc::new(Self {
            quota,
            max: AtomicU32::new(max.get()),
            instances,
            known: Mutex::default(),
            needed: Notify::new(),
            reach,
            counted,
            calls: metrics.calls.clone(),
            failed: metrics.failed[Asked::Quota].clone(),
        })
    }

    pub(super) fn calls_per_second_max(&self) -> NonZeroU32 {
        NonZeroU32::new(self.max.load(Ordering::Relaxed)).unwrap_or(NonZeroU32::MIN)
    }

    /// From now on an account may make so many.
    pub(super) fn set_max(&self, max: NonZeroU32) {
        self.max.store(max.get(), Ordering::Relaxed);
    }

    /// Takes one call of an account, or says how long to wait for one.
    pub(super) fn take(&self, account: &str) -> Result<(), Duration> {
        let taken = self.take_now(account, Instant::now());
        if let Ok(from) = taken {
            self.calls[from].inc();
            self.counted.count(account);
        }
        taken.map(drop)
    }

    fn take_now(&self, name: &str, now: Instant) -> Result<TakenFrom, Duration> {
        let rates = self.rates();
        let mut known = self.lock();
        if !known.at_work {
            known.at_work = true;
            self.needed.notify_one();
        }
        let cut = known.cut;
        if !known.accounts.contains_key(name) {
            known.accounts.insert(name.to_owned(), Account::new(now));
        }
        let Some(account) = known.accounts.get_mut(name) else { return Err(PAUSE) };
        if cut { account.take_alone(now, rates) } else { account.take(now, rates) }
    }

    /// Asks for what accounts need; never ends.
    pub(crate) async fn settle(self: Arc<Self>) {
        let mut asked_at = None;
        loop {
            let now = Instant::now();
            let wants = self.wants(now);
            let rested = asked_at.is_none_or(|asked| now.saturating_duration_since(asked) >= PROBE_PAUSE);
            if !wants.is_empty() {
                self.ask(&wants).await;
            } else if rested || self.reach.is_lost() {
                // For nobody: no account is called so. Readiness wants to know whether there is an answer.
                self.ask(&[Want::default()]).await;
            }
            if !wants.is_empty() || rested {
                asked_at = Some(now);
            }
            if self.reach.is_lost() {
                sleep(RETRY_PAUSE).await;
            } else if self.is_at_rest() {
                let _woken_or_time = timeout(PROBE_PAUSE, self.needed.notified()).await;
            } else {
                sleep(PAUSE.mul_f64(0.5 + fastrand::f64())).await;
            }
        }
    }

    /// One question for all accounts that need something.
    async fn ask(&self, wants: &[Want]) {
        let asked_at = Instant::now();
        let answer = self.reach.ask(self.quota.reserve(wants, self.calls_per_second_max())).await;
        let now = Instant::now();
        let mut known = self.lock();
        match answer {
            Ok(grants) => {
                known.cut = false;
                for (want, grant) in wants.iter().zip(grants) {
                    if let Some(account) = known.accounts.get_mut(&want.account) {
                        account.heard(grant, asked_at, now);
                    }
                }
                drop(known);
                self.reach.holds();
            }
            Err(_told) => {
                self.failed.inc();
                known.cut = true;
                known.accounts.values_mut().for_each(|account| account.cut(now));
            }
        }
    }

    fn wants(&self, now: Instant) -> Vec<Want> {
        let rates = self.rates();
        let mut known = self.lock();
        known.accounts.retain(|_, account| !account.is_idle(now));
        let wants = known.accounts.iter_mut().filter_map(|(name, account)| account.want(name, now, rates));
        wants.take(WANTS_MAX).collect()
    }

    /// Whether no account needs anything; from then on one that does says so.
    fn is_at_rest(&self) -> bool {
        let mut known = self.lock();
        known.at_work = !known.accounts.is_empty();
        !known.at_work
    }

    fn rates(&self) -> Rates {
        let max = f64::from(self.calls_per_second_max().get());
        Rates { max, share: max / f64::from((self.instances)().get()) }
    }

    /// Nothing that is done under this lock can panic half way.
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
