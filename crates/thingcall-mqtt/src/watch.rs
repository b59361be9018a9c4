//! Looks whether the broker that holds our connection carries messages: by a probe to ourselves, and by the age of the
//! oldest message that it has not acknowledged.
//!
//! **Invariant:** a probe travels as commands do, by the same queue and connection, so what holds those up holds it up.

use std::future::pending;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use thingcall_core::{DeliverError, Qos};
use thingcall_transport::Verdict;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::{info, warn};

use crate::client::{Acknowledgement, Client, Outgoing};
use crate::transport::Shared;

/// How often it is looked at, at most and at least.
const LOOK_PAUSE_MIN: Duration = Duration::from_millis(20);
const LOOK_PAUSE_MAX: Duration = Duration::from_millis(500);

/// How a connection was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Found {
    #[default]
    Begun,
    Well,
    /// It carries messages, but not the probe.
    WellWithoutProbe,
    Silent,
    Forbids,
    Unacknowledged,
}

/// The task that looks. It ends with this value.
pub(crate) struct Watch(JoinHandle<()>);

impl Watch {
    pub(crate) fn start(shared: Arc<Shared>, client: Client) -> Self {
        Self(tokio::spawn(async move { watch(&shared, &client).await }))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn watch(shared: &Shared, client: &Client) {
    let config = &shared.config;
    if config.probe && !client.subscribe_to_own(&config.probe_topic) {
        shared.probe.refused();
    }
    let pause = (config.probe_interval.min(config.probe_timeout) / 4).clamp(LOOK_PAUSE_MIN, LOOK_PAUSE_MAX);
    let mut ticks = interval(pause);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = nothing();
    loop {
        tokio::select! {
            biased;
            word = &mut told => {
                told = nothing();
                match word {
                    Err(DeliverError::Refused(_)) => shared.probe.refused(),
                    Ok(()) | Err(DeliverError::Offline) => shared.probe.accepted(),
                    Err(_) => {}
                }
            }
            _ = ticks.tick() => {}
        }
        shared.look();
        let due = config.probe.then(|| shared.probe.due(Instant::now().into_std())).flatten();
        if let Some(payload) = due {
            told = shared.send_probe(client, payload).map_or_else(nothing, |word| Box::pin(word.wait()));
        }
    }
}

/// The broker's word on a probe.
type Word = Pin<Box<dyn Future<Output = Result<(), DeliverError>> + Send>>;

fn nothing() -> Word {
    Box::pin(pending())
}

impl Shared {
    fn send_probe(&self, client: &Client, payload: Bytes) -> Option<Acknowledgement> {
        let expires_after = Some(self.config.probe_timeout);
        let topic = self.config.probe_topic.clone();
        self.metrics.send_queue_length.inc();
        let sent = client.publish(Outgoing { topic, payload, qos: Qos::AtLeastOnce, expires_after });
        if sent.is_err() {
            // It counts as sent all the same: a full queue carries no messages.
            self.metrics.send_queue_length.dec();
        }
        sent.ok().flatten()
    }

    /// A message came on the probe's topic.
    pub(crate) fn probe_came(&self, payload: &Bytes) {
        self.probe.came(payload);
        self.look();
    }

    /// The broker does not let us subscribe to the probe's topic.
    pub(crate) fn probe_refused(&self) {
        self.probe.refused();
        self.look();
    }

    /// Looks how the connection is, and says so where it changed.
    pub(crate) fn look(&self) {
        let now = Instant::now();
        let oldest = self.unacknowledged.oldest(now);
        // Held, so that what is written down here comes before what the connection's end is.
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        if open.is_none() {
            return;
        }
        let found = self.found(now, oldest);
        let failure = self.failure_of(found, oldest);
        self.metrics.up.set(i64::from(failure.is_none()));
        self.standing.set(failure.clone());
        let before = self.found.swap(found as u8, Ordering::Relaxed);
        drop(open);
        if before != found as u8 {
            self.tell(found, failure.as_deref());
        }
    }

    fn found(&self, now: Instant, oldest: Duration) -> Found {
        let verdict = if self.config.probe { self.probe.verdict(now.into_std()) } else { Verdict::Carries };
        match verdict {
            Verdict::Silent => Found::Silent,
            // What a device said before the rules were changed says nothing of them.
            Verdict::Forbids if !self.was_forbidden() => {
                self.heard.store(false, Ordering::Relaxed);
                Found::Forbids
            }
            Verdict::Forbids if self.heard.load(Ordering::Relaxed) => Found::WellWithoutProbe,
            Verdict::Forbids => Found::Forbids,
            Verdict::Begun | Verdict::Carries if oldest > self.config.publish_ack_timeout => Found::Unacknowledged,
            Verdict::Begun => Found::Begun,
            Verdict::Carries => Found::Well,
        }
    }

    fn was_forbidden(&self) -> bool {
        let before = self.found.load(Ordering::Relaxed);
        before == Found::Forbids as u8 || before == Found::WellWithoutProbe as u8
    }

    fn failure_of(&self, found: Found, oldest: Duration) -> Option<String> {
        let (url, topic, user) = (&self.config.url, &self.config.probe_topic, self.user());
        match found {
            Found::Well | Found::WellWithoutProbe => None,
            Found::Begun => Some(format!("{url} let us in; the first probe is on its way")),
            Found::Silent => {
                Some(format!("{url} holds our connection and answers no probe: look whether it hangs or is overloaded"))
            }
            Found::Forbids => Some(format!(
                "{url} is alive and does not bring back what we publish: its access rules must let {user} publish and \
                 read {topic}, as /sys/+/+/thing/service/+ for calls; if they forbid this topic alone, set another by \
                 `probe_topic`, or `probe = false`"
            )),
            Found::Unacknowledged => Some(format!(
                "{url} has not acknowledged a message for {} s: look whether it is overloaded, or its disk is full",
                oldest.as_secs()
            )),
        }
    }

    fn tell(&self, found: Found, failure: Option<&str>) {
        match (found, failure) {
            (Found::Begun, _) => {}
            (Found::WellWithoutProbe, _) => warn!(
                transport = %self.name, topic = self.config.probe_topic,
                "devices answer, but the broker's access rules forbid the probe: whether it hangs is not seen; allow the \
                 topic, or set `probe = false`"
            ),
            (_, Some(why)) => warn!(transport = %self.name, why, "the broker carries no messages"),
            (_, None) => info!(transport = %self.name, "the broker carries messages"),
        }
    }
}
