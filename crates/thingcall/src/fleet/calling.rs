//! The call of one device, with its further tries.

use std::sync::Arc;
use std::time::Duration;

use thingcall_core::DeviceRef;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::pace::Pace;
use super::pool::Pool;
use super::results::{Results, token_of};
use super::verdict::{Executed, Verdict};
use crate::client::Lost;

/// Before a further try; doubled each time.
const PAUSE_MIN: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(8);

/// How often a call that the server takes no more of now is made again, whatever `--retry` says: it never came to a device.
const THROTTLED_MAX: u32 = 100;

/// What all calls share.
pub(super) struct Calling {
    pub(super) pool: Pool,
    pub(super) pace: Pace,
    pub(super) under_way: Semaphore,
    pub(super) params: Vec<(&'static str, String)>,
    pub(super) retry: u32,
    pub(super) repeat_unknown: bool,
    pub(super) results: Arc<Results>,
    /// Cancelled when no further call is to begin.
    pub(super) stop: CancellationToken,
}

/// How it ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// So; that is in the file.
    With { device: String, verdict: Verdict },
    /// The command ends before its turn came.
    LeftForLater,
}

impl Calling {
    /// Calls a device until the call has an end, or the command. `tries` were made before; `token` is of one that was under
    /// way then.
    ///
    /// # Errors
    /// If its result cannot be written.
    pub(super) async fn call(
        &self,
        device: DeviceRef,
        name: String,
        mut tries: u32,
        mut token: Option<String>,
    ) -> anyhow::Result<Ended> {
        let (before, mut throttled) = (tries, 0);
        let mut pause = PAUSE_MIN;
        loop {
            let turn = async {
                let permit = self.under_way.acquire().await;
                self.pace.turn().await;
                permit
            };
            let Some(permit) = self.stop.run_until_cancelled(turn).await else { return Ok(Ended::LeftForLater) };
            tries += 1;
            let token = token.take().or_else(|| self.results.run().map(|run| token_of(run, &name, tries)));
            self.results.begin(&name, tries, token.as_deref())?;
            let began = Instant::now();
            let verdict = self.try_once(&device, token.as_deref()).await;
            drop(permit);
            let is_free = verdict.is_throttled && throttled < THROTTLED_MAX;
            throttled += u32::from(is_free);
            if !is_free && !self.tries_again(&verdict, tries - before - throttled) {
                self.results.end(&name, &verdict, tries, Some(began.elapsed()))?;
                return Ok(Ended::With { device: name, verdict });
            }
            self.results.again(&name, &verdict, tries)?;
            if self.stop.run_until_cancelled(sleep(pause)).await.is_none() {
                return Ok(Ended::LeftForLater);
            }
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    fn tries_again(&self, verdict: &Verdict, tries: u32) -> bool {
        let may_be = match verdict.executed {
            Executed::No => true,
            Executed::Maybe => self.repeat_unknown,
            Executed::Yes => false,
        };
        tries <= self.retry && verdict.is_transient && may_be
    }

    async fn try_once(&self, device: &DeviceRef, token: Option<&str>) -> Verdict {
        let mut params: Vec<_> = self.params.iter().map(|(name, value)| (*name, value.as_str())).collect();
        match device {
            DeviceRef::Key(key) => {
                params.push(("ProductKey", key.product.as_str()));
                params.push(("DeviceName", key.name.as_str()));
            }
            DeviceRef::IotId(id) => params.push(("IotId", id.as_str())),
        }
        params.extend(token.map(|token| ("ClientToken", token)));
        match self.pool.ask("InvokeThingService", &params).await {
            Ok(answered) => Verdict::of(&answered),
            Err(Lost::NotSent(error)) => Verdict::no_answer(&error, Executed::No),
            Err(Lost::Sent(error)) => Verdict::no_answer(&error, Executed::Maybe),
        }
    }
}
