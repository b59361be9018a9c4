//! What the front shares with other instances: whether it can be asked, and what that costs.
//!
//! **Invariant:** a condition follows what the last question came to, so readiness says why calls are refused or counted
//! otherwise.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use enum_map::{Enum, EnumMap};
use prometheus::{Histogram, IntCounter, Registry};
use strum::IntoStaticStr;
use thingcall_core::{Condition, SharedError, SharedNonces, SharedQuota};
use thingcall_metrics::Maker;
use tokio::time::{Instant, timeout};
use tracing::{info, warn};

/// What an instance shares with others. By default nothing: it is alone.
#[derive(Default)]
pub struct SharedParts {
    /// The nonces that were used, and the condition that says whether they can be asked.
    pub nonces: Option<(Arc<dyn SharedNonces>, Arc<Condition>)>,
    /// What accounts have left of their quota, with its condition.
    pub quota: Option<(Arc<dyn SharedQuota>, Arc<Condition>)>,
    /// How many instances live, whenever it is asked; one, if nobody says.
    pub instances: Option<Instances>,
    /// How long an answer is waited for.
    pub ask_timeout: Duration,
}

/// How many instances live.
pub type Instances = Arc<dyn Fn() -> NonZeroU32 + Send + Sync>;

/// Whether something can be asked, as its condition says.
pub(crate) struct Reach {
    condition: Arc<Condition>,
    /// What it means that it cannot.
    consequence: &'static str,
    fails: AtomicBool,
    /// That it cannot was logged.
    told: AtomicBool,
    within: Duration,
    took: Histogram,
}

impl Reach {
    /// Nothing is known of it yet.
    pub(crate) fn new(condition: Arc<Condition>, consequence: &'static str, within: Duration, took: Histogram) -> Self {
        Self { condition, consequence, fails: AtomicBool::new(true), told: AtomicBool::new(false), within, took }
    }

    /// Asks, and notes it where there was no answer in time.
    pub(crate) async fn ask<T>(&self, asked: impl Future<Output = Result<T, SharedError>>) -> Result<T, SharedError> {
        let since = Instant::now();
        let answer = timeout(self.within, asked).await;
        let answer = answer
            .unwrap_or_else(|_| Err(SharedError(format!("it does not answer within {} ms", self.within.as_millis()))));
        match &answer {
            Ok(_) => self.took.observe(since.elapsed().as_secs_f64()),
            Err(why) => {
                if !self.told.swap(true, Ordering::Relaxed) {
                    let (what, why) = (self.condition.now().name, why.to_string());
                    warn!(what, why, consequence = self.consequence, "what instances share cannot be asked");
                }
                self.fails(&why.to_string());
            }
        }
        answer
    }

    /// It could be asked, and what it said is of use.
    pub(crate) fn holds(&self) {
        if self.fails.load(Ordering::Relaxed) && self.fails.swap(false, Ordering::Relaxed) {
            self.condition.holds();
            self.told.store(false, Ordering::Relaxed);
            info!(what = self.condition.now().name, "what instances share can be asked");
        }
    }

    /// It could not be asked, or what it says is of no use yet.
    pub(crate) fn fails(&self, why: &str) {
        self.fails.store(true, Ordering::Relaxed);
        self.condition.fails(format!("{why}; {}", self.consequence));
    }

    /// Whether it could not be asked when it was last.
    pub(crate) fn is_lost(&self) -> bool {
        self.fails.load(Ordering::Relaxed)
    }
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Asked {
    /// Whether a nonce was used.
    Nonces,
    /// Calls of accounts.
    Quota,
}

/// What came of a nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum NonceResult {
    New,
    Used,
    TooOld,
    /// Nobody could say.
    Failed,
}

/// From what a call was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum TakenFrom {
    /// What was reserved.
    Reserved,
    /// What should be left, by what was heard last. It is settled afterwards.
    Expected,
    /// This instance's own share, since the others cannot be asked.
    Share,
}

/// What is counted of it.
pub(crate) struct SharedMetrics {
    pub(crate) took: EnumMap<Asked, Histogram>,
    pub(crate) nonces: EnumMap<NonceResult, IntCounter>,
    pub(crate) calls: EnumMap<TakenFrom, IntCounter>,
    pub(crate) failed: EnumMap<Asked, IntCounter>,
}

/// Seconds: from a round trip on one machine to the longest that is waited.
const BUCKETS: &[f64] = &[0.000_25, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5];

impl SharedMetrics {
    /// Registers everything at zero.
    pub(crate) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let make = Maker::new(registry);
        Ok(Self {
            took: make.histograms(
                "shared_ask_duration_seconds",
                "From a question about what instances share to its answer",
                BUCKETS,
                ["what"],
            )?,
            nonces: make.counters(
                "shared_nonces_total",
                "Nonces asked for among those of all instances",
                ["result"],
            )?,
            calls: make.counters(
                "shared_quota_calls_total",
                "Calls let through by a quota that instances share",
                ["from"],
            )?,
            failed: make.counters(
                "shared_asks_failed_total",
                "Questions about what instances share that had no answer",
                ["what"],
            )?,
        })
    }
}
