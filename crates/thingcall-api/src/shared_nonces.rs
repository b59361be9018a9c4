//! The nonces that all instances used, behind those that this one remembers itself.
//!
//! **Invariant:** where it cannot be said that a nonce is new, its request is refused. A nonce is remembered there as long
//! as any instance would take its request, also one whose clock is behind ours.

use std::sync::Arc;
use std::time::Duration;

use enum_map::EnumMap;
use prometheus::IntCounter;
use thingcall_core::{Condition, NonceUse, NonceVerdict, SharedError, SharedNonces, UnixMillis};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::clock::{self, Clock};
use crate::gateway::GatewayError;
use crate::shared::{Asked, NonceResult, Reach, SharedMetrics};

/// How often it is asked whether it can be asked, without requests too; and how often where it cannot.
const PROBE_PAUSE: Duration = Duration::from_secs(1);
const RETRY_PAUSE: Duration = Duration::from_millis(250);

/// No access key is called so.
const PROBE_KEY: &str = "";

/// The set of all instances.
pub(crate) struct SharedSet {
    set: Arc<dyn SharedNonces>,
    skew: Duration,
    reach: Reach,
    counted: EnumMap<NonceResult, IntCounter>,
    failed: IntCounter,
}

impl SharedSet {
    /// A set that can be asked when its condition says so.
    pub(crate) fn new(
        (set, condition): (Arc<dyn SharedNonces>, Arc<Condition>),
        (skew, ask_timeout): (Duration, Duration),
        metrics: &SharedMetrics,
    ) -> Self {
        let consequence = "requests are refused while it cannot be told whether they were sent before";
        let reach = Reach::new(condition, consequence, ask_timeout, metrics.took[Asked::Nonces].clone());
        let failed = metrics.failed[Asked::Nonces].clone();
        Self { set, skew, reach, counted: metrics.nonces.clone(), failed }
    }

    /// Notes that a request of the time `at` used this nonce, and refuses it unless that was the first time.
    pub(crate) async fn note(
        &self,
        (key, nonce): (&str, &str),
        (at, now): (UnixMillis, UnixMillis),
    ) -> Result<(), GatewayError> {
        let (result, told) = match self.ask((key, nonce), (at, now)).await {
            Ok(NonceVerdict::New) => (NonceResult::New, Ok(())),
            Ok(NonceVerdict::Used) => (NonceResult::Used, Err(GatewayError::NonceUsed)),
            Ok(NonceVerdict::TooOld { began }) => {
                let seconds = began.0.saturating_sub(at.0) / 1000;
                (NonceResult::TooOld, Err(GatewayError::BeforeMemory { seconds }))
            }
            Err(_told) => (NonceResult::Failed, Err(GatewayError::NoncesUnknown)),
        };
        self.counted[result].inc();
        told
    }

    /// Says from time to time whether it can be asked; never ends.
    pub(crate) async fn watch(self: Arc<Self>, clock: Clock) {
        loop {
            self.probe(clock()).await;
            sleep(if self.reach.is_lost() { RETRY_PAUSE } else { PROBE_PAUSE }).await;
        }
    }

    /// Waits until what is signed now can be told from what was sent before; at most so long.
    pub(crate) async fn begun(&self, clock: &Clock, within: Duration) {
        let since = Instant::now();
        while since.elapsed() < within {
            self.probe(clock()).await;
            if !self.reach.is_lost() {
                return;
            }
            sleep(RETRY_PAUSE).await;
        }
    }

    /// Notes a nonce of our own, as requests have theirs noted.
    async fn probe(&self, now: UnixMillis) {
        let nonce = Uuid::new_v4().to_string();
        if let Ok(NonceVerdict::TooOld { began }) = self.ask((PROBE_KEY, &nonce), (now, now)).await {
            self.reach.fails(&format!("used nonces are remembered from {} on", clock::stamp(began)));
        }
    }

    async fn ask(
        &self,
        (key, nonce): (&str, &str),
        (at, now): (UnixMillis, UnixMillis),
    ) -> Result<NonceVerdict, SharedError> {
        // Ours take it until then, and other instances longer by as much as their clocks are behind: as much as callers'
        // may be off.
        let left = u64::try_from(at.0.saturating_sub(now.0)).unwrap_or(0);
        let keep = Duration::from_millis(left) + self.skew + self.skew;
        let asked = self.set.note(NonceUse { key, nonce, signed_at: at, keep });
        let verdict = self.reach.ask(asked).await.inspect_err(|_| self.failed.inc())?;
        match verdict {
            NonceVerdict::New | NonceVerdict::Used => self.reach.holds(),
            // Of this request, and it may be the only one that is.
            NonceVerdict::TooOld { .. } => {}
        }
        Ok(verdict)
    }
}

#[cfg(test)]
mod tests;
