//! How a transport stands with its broker: the present connection, what is known of it, and whom it tells.
//!
//! **Invariants:** what is seen of a connection is written down while the connection is held, so nothing of it outlives it.
//! Nothing here waits.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use prometheus::Registry;
use thingcall_alink::Uplink;
use thingcall_core::{
    DropReason, Dropped, PeerText, PresenceSink, ReplySink, TransportKind, TransportName, UnixMillis,
};
use tracing::debug;

use crate::metrics::{ConnectResult, ReceivedKind, TransportMetrics, Unacknowledged};
use crate::probe::Probe;
use crate::section::Keys;
use crate::standing::Standing;

/// What deliveries, the connection's task and whoever looks at it share. `O` is what a delivery needs of a connection.
pub struct Contact<O> {
    /// What the transport is called.
    pub name: TransportName,
    /// What it counts.
    pub metrics: TransportMetrics,
    /// What the broker has not acknowledged.
    pub unacknowledged: Unacknowledged,
    /// The messages to ourselves.
    pub probe: Probe,
    /// Who takes what devices answer.
    pub replies: Arc<dyn ReplySink>,
    presence: Arc<dyn PresenceSink>,
    kind: TransportKind,
    url: String,
    /// Why deliveries do not arrive, where they do not.
    standing: Standing,
    /// How the connection was found last.
    found: Mutex<Found>,
    /// Deliveries were taken, and the engine is not told yet of their connection's end.
    owes_end: AtomicBool,
    /// The present connection; `None` while there is none.
    open: RwLock<Option<O>>,
}

/// How a connection was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Found {
    /// It is new, and nothing is known of it.
    #[default]
    Begun,
    /// It carries messages.
    Well,
    /// It carries messages, but not the probe.
    WellWithoutProbe,
    /// The broker says that it takes no messages.
    Blocked,
    /// The broker says nothing at all.
    Silent,
    /// The broker lives, and the probe does not come back.
    ProbeLost,
    /// A message waits too long for its acknowledgement.
    Unacknowledged,
}

/// Which transport it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Which {
    pub(crate) kind: TransportKind,
    pub(crate) name: TransportName,
    pub(crate) unacknowledged_max: usize,
}

impl<O: Clone> Contact<O> {
    pub(crate) fn register(
        which: Which,
        keys: Keys<'_>,
        replies: Arc<dyn ReplySink>,
        presence: Arc<dyn PresenceSink>,
        registry: &Registry,
    ) -> Result<Self, prometheus::Error> {
        let Which { kind, name, unacknowledged_max } = which;
        let metrics = TransportMetrics::register(registry, name)?;
        metrics.send_queue_limit.set(i64::try_from(keys.send_queue_messages_max.get()).unwrap_or(i64::MAX));
        Ok(Self {
            name,
            metrics,
            unacknowledged: Unacknowledged::register(registry, name, unacknowledged_max)?,
            probe: Probe::new(keys.probe_interval, keys.probe_timeout, fastrand::u64(..)),
            replies,
            presence,
            kind,
            url: keys.url.to_owned(),
            standing: Standing::new(format!("there is no connection to {} yet", keys.url)),
            found: Mutex::default(),
            owes_end: AtomicBool::new(false),
            open: RwLock::new(None),
        })
    }

    /// What the present connection gives to deliveries; `None` while there is none.
    pub fn present(&self) -> Option<O> {
        self.open.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Deliveries are taken from now on.
    pub(crate) fn open(&self, open: O) {
        self.metrics.connected(ConnectResult::Ok);
        self.metrics.last_connect.set(UnixMillis::now().0 / 1000);
        self.owes_end.store(true, Ordering::Relaxed);
        self.probe.begin();
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = Found::Begun;
        *self.open.write().unwrap_or_else(PoisonError::into_inner) = Some(open);
    }

    /// Deliveries are refused from now on.
    pub(crate) fn close(&self, why: &str) {
        *self.open.write().unwrap_or_else(PoisonError::into_inner) = None;
        self.standing.set(Some(format!("no connection to {}: {}", self.url, PeerText::new(why))));
        self.metrics.up.set(0);
        self.unacknowledged.length.set(0);
        self.unacknowledged.oldest_seconds.set(0.0);
    }

    /// Whether the engine is still to be told of an end: once for each [`Self::open`].
    pub(crate) fn owes_end(&self) -> bool {
        self.owes_end.swap(false, Ordering::Relaxed)
    }

    /// Ends the calls whose messages were sent, or were queued for a connection that is gone.
    pub(crate) fn lost(&self) {
        debug!("connection to the broker ended");
        self.replies.transport_lost(self.name);
    }

    /// Whether deliveries arrive, and why they do not.
    pub(crate) fn standing(&self) -> &Standing {
        &self.standing
    }

    /// Writes down how the connection is found, and why it does not carry messages. Returns both where that has changed.
    pub(crate) fn look(&self, find: impl FnOnce(&O, Found) -> (Found, Option<String>)) -> Option<Look> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let before = *found;
        let (now, failure) = find(open.as_ref()?, before);
        self.metrics.up.set(i64::from(failure.is_none()));
        self.standing.set(failure.clone());
        *found = now;
        (before != now).then_some(Look { found: now, failure })
    }

    /// Hands on what a device said. `topic` is where it stood, `bytes` how large it was.
    pub fn take(&self, said: Uplink, topic: &str, bytes: usize) {
        match said {
            Uplink::Reply(reply) => {
                self.metrics.received(ReceivedKind::Reply);
                self.presence.seen(&reply.device, self.name, UnixMillis::now());
                self.replies.accept(reply, topic);
            }
            Uplink::Raw(raw) => {
                self.metrics.received(ReceivedKind::Reply);
                self.presence.seen(&raw.device, self.name, UnixMillis::now());
                self.replies.accept_raw(raw, topic);
            }
            Uplink::Other(_) => self.metrics.received(ReceivedKind::Other),
            Uplink::Dropped(device, reason) => {
                if reason != DropReason::Echo {
                    self.metrics.received(ReceivedKind::Other);
                }
                let (device, transport) = (device.as_ref(), self.kind);
                self.replies.dropped(Dropped { device, transport, reason, topic, bytes, problem: None });
            }
        }
    }
}

/// How a connection is now, and why it does not carry messages.
pub(crate) struct Look {
    pub(crate) found: Found,
    pub(crate) failure: Option<String>,
}
