//! Looks whether the broker that holds our connections carries messages: by a probe into our own queue, by what it says of
//! itself (it takes no messages while it is short of memory or disk), and by the age of the oldest unconfirmed message.
//!
//! **Invariants:** a probe travels as commands do, by the same connection and channels, and comes as replies do. What is
//! seen is written down while the connections are held, so nothing of theirs outlives them.

use std::future::pending;
use std::pin::Pin;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use lapin::BasicProperties;
use lapin::types::ShortString;
use thingcall_core::PeerText;
use thingcall_transport::Verdict;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::{info, warn};

use crate::publisher::{Confirmed, NotConfirmed, Outgoing, Publisher};
use crate::transport::Shared;

/// How often it is looked at, at most and at least.
const LOOK_PAUSE_MIN: Duration = Duration::from_millis(20);
const LOOK_PAUSE_MAX: Duration = Duration::from_millis(500);

/// The content type by which a probe is known among replies.
const PROBE: &str = "application/vnd.thingcall.probe";

/// How the connections were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Found {
    #[default]
    Begun,
    Well,
    /// It carries messages, but not the probe.
    WellWithoutProbe,
    Blocked,
    Silent,
    Undelivered,
    Unconfirmed,
}

/// What is known of the present connections.
#[derive(Debug, Default)]
pub(crate) struct State {
    found: Found,
    /// Why the broker takes no messages, in its own words.
    blocked: Option<String>,
    /// It refused the probe, so none is sent any more.
    refused: bool,
}

/// The task that looks. It ends with this value.
pub(crate) struct Watch(JoinHandle<()>);

impl Watch {
    pub(crate) fn start(shared: Arc<Shared>, publisher: Arc<Publisher>, queue: ShortString) -> Self {
        Self(tokio::spawn(async move { watch(&shared, &publisher, &queue).await }))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The broker's word on a probe.
type Word = Pin<Box<dyn Future<Output = Result<Confirmed, NotConfirmed>> + Send>>;

async fn watch(shared: &Shared, publisher: &Arc<Publisher>, queue: &ShortString) {
    let config = &shared.config;
    let pause = (config.probe_interval.min(config.probe_timeout) / 4).clamp(LOOK_PAUSE_MIN, LOOK_PAUSE_MAX);
    let mut ticks = interval(pause);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut word: Word = Box::pin(pending());
    loop {
        tokio::select! {
            biased;
            said = &mut word => {
                word = Box::pin(pending());
                match said {
                    Ok(Confirmed::Routed | Confirmed::Unroutable) => shared.probe.accepted(),
                    Err(NotConfirmed::Refused(_)) => shared.watched().refused = true,
                    Err(NotConfirmed::Down | NotConfirmed::Blocked | NotConfirmed::Full(_) | NotConfirmed::Lost) => {}
                }
            }
            _ = ticks.tick() => {}
        }
        shared.look();
        let due = shared.probes().then(|| shared.probe.due(Instant::now().into_std())).flatten();
        if let Some(payload) = due {
            let (publisher, message) = (publisher.clone(), probe(payload, queue, config.probe_timeout));
            let patience = config.probe_timeout;
            word = Box::pin(async move { publisher.publish(message, patience).await });
        }
    }
}

/// To our queue, by the exchange that has every queue under its name.
fn probe(payload: Bytes, queue: &ShortString, timeout: Duration) -> Outgoing {
    let properties = BasicProperties::default().with_content_type(PROBE.into());
    let until = Some(Instant::now() + timeout);
    Outgoing { exchange: "".into(), routing_key: queue.clone(), properties, payload, until }
}

/// Whether what came out of our queue is a probe. Only who knows the queue's name can put one there.
pub(crate) fn is_probe(exchange: &str, properties: &BasicProperties) -> bool {
    exchange.is_empty() && properties.content_type().as_ref().is_some_and(|said| said.as_str() == PROBE)
}

impl Shared {
    /// New connections: nothing is known of them.
    pub(crate) fn watch_begins(&self) {
        self.probe.begin();
        *self.watched() = State::default();
    }

    /// The broker said that it takes no messages.
    pub(crate) fn blocked(&self, why: &str) {
        self.watched().blocked = Some(PeerText::new(why).to_string());
        self.look();
    }

    /// It takes them again. What became of a probe meanwhile says nothing.
    pub(crate) fn unblocked(&self) {
        self.watched().blocked = None;
        self.probe.begin();
        self.look();
    }

    /// A probe came.
    pub(crate) fn probe_came(&self, payload: &Bytes) {
        self.probe.came(payload);
        self.look();
    }

    /// Looks how the connections are, and says so where it changed.
    pub(crate) fn look(&self) {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        let Some(publisher) = open.as_ref().map(|open| &open.publisher) else { return };
        let now = Instant::now();
        let (unconfirmed, oldest) = publisher.owed(now);
        self.unacknowledged.length.set(i64::try_from(unconfirmed).unwrap_or(i64::MAX));
        self.unacknowledged.oldest_seconds.set(oldest.as_secs_f64());
        let found = self.found(publisher.blocked(), now, oldest);
        let failure = self.failure_of(found, oldest);
        self.metrics.up.set(i64::from(failure.is_none()));
        self.standing.set(failure.clone());
        let before = std::mem::replace(&mut self.watched().found, found);
        drop(open);
        if before != found {
            self.tell(found, failure.as_deref());
        }
    }

    /// Whether the broker is probed.
    pub(crate) fn probes(&self) -> bool {
        self.config.probe && !self.watched().refused
    }

    fn found(&self, blocked: bool, now: Instant, oldest: Duration) -> Found {
        let verdict = if self.probes() { self.probe.verdict(now.into_std()) } else { Verdict::Carries };
        match verdict {
            _ if blocked => Found::Blocked,
            Verdict::Silent => Found::Silent,
            Verdict::Forbids => Found::Undelivered,
            Verdict::Begun | Verdict::Carries if oldest > self.config.publish_ack_timeout => Found::Unconfirmed,
            Verdict::Begun => Found::Begun,
            // It lives: it confirms, and says of each message what it refuses.
            Verdict::Carries if self.config.probe && !self.probes() => Found::WellWithoutProbe,
            Verdict::Carries => Found::Well,
        }
    }

    fn failure_of(&self, found: Found, oldest: Duration) -> Option<String> {
        let url = &self.config.url;
        match found {
            Found::Well | Found::WellWithoutProbe => None,
            Found::Begun => Some(format!("{url} let us in; the first probe is on its way")),
            Found::Blocked => {
                let said = self.watched().blocked.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
                Some(format!(
                    "{url} takes no messages{said}: look at its memory and disk, `rabbitmq-diagnostics alarms` says which"
                ))
            }
            Found::Silent => {
                Some(format!("{url} holds our connection and answers no probe: look whether it hangs or is overloaded"))
            }
            Found::Undelivered => Some(format!(
                "{url} takes a message to our own queue and does not bring it within {:?}: look whether queue \
                 thingcall.replies.{}.* is long, and its consumer slow",
                self.config.probe_timeout, self.instance
            )),
            Found::Unconfirmed => Some(format!(
                "{url} has not confirmed a message for {} s: look whether it is overloaded, or its disk is slow or full",
                oldest.as_secs()
            )),
        }
    }

    fn tell(&self, found: Found, failure: Option<&str>) {
        match (found, failure) {
            (Found::Begun, _) => {}
            (Found::WellWithoutProbe, _) => warn!(
                transport = %self.name, user = self.config.username,
                "the broker refuses our probe: whether it hangs is not seen; let our user write to amq.default, or set \
                 `probe = false`"
            ),
            (_, Some(why)) => warn!(transport = %self.name, why, "the broker carries no messages"),
            (_, None) => info!(transport = %self.name, "the broker carries messages"),
        }
    }

    /// Nothing that is done under this lock can panic half way.
    fn watched(&self) -> MutexGuard<'_, State> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
