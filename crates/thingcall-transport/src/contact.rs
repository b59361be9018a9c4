//! How a transport stands with its broker: the present connection, what is known of it, and whom it tells.
//!
//! **Invariants:** what is seen of a connection is written down while the connection is held, so nothing of it outlives it.
//! Nothing here waits.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use bytes::Bytes;
use prometheus::Registry;
use thingcall_alink::{Uplink, glance, names_of_topic};
use thingcall_core::{
    Arrival, CallMode, Delivery, DeviceKey, DropReason, Dropped, HeardOnce, PeerText, Post, Presence, PresenceSink,
    Qos, RawReply, ReplyIds, ReplySink, Slots, TransportKind, TransportName, UnixMillis,
};
use tracing::debug;

use crate::foreign::{Foreign, KeptMax};
use crate::metrics::{ConnectResult, ReceivedKind, TransportMetrics, Unacknowledged};
use crate::presence::{Devices, Session, Told};
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
    /// Whose calls are ours.
    pub slots: Slots,
    presence: Arc<dyn PresenceSink>,
    foreign: Foreign,
    /// `None` where the broker does not tell of devices.
    devices: Option<Devices>,
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

/// What a transport works with.
#[derive(Clone)]
pub struct Around {
    /// Who takes what devices answer.
    pub replies: Arc<dyn ReplySink>,
    /// Who takes note of devices.
    pub presence: Arc<dyn PresenceSink>,
    /// Whose calls are ours.
    pub slots: Slots,
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
    pub(crate) foreign_max: KeptMax,
    pub(crate) presence_max: Option<NonZeroUsize>,
}

impl<O: Clone> Contact<O> {
    pub(crate) fn register(
        which: Which,
        keys: Keys<'_>,
        around: Around,
        registry: &Registry,
    ) -> Result<Self, prometheus::Error> {
        let Which { kind, name, unacknowledged_max, foreign_max, presence_max } = which;
        let Around { replies, presence, slots } = around;
        let metrics = TransportMetrics::register(registry, name)?;
        metrics.send_queue_limit.set(i64::try_from(keys.send_queue_messages_max.get()).unwrap_or(i64::MAX));
        Ok(Self {
            name,
            metrics,
            unacknowledged: Unacknowledged::register(registry, name, unacknowledged_max)?,
            probe: Probe::new(keys.probe_interval, keys.probe_timeout, fastrand::u64(..)),
            replies,
            slots,
            presence,
            foreign: Foreign::register(registry, name, foreign_max)?,
            devices: presence_max.map(|max| Devices::register(registry, name, max.get())).transpose()?,
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
        if let Some(devices) = &self.devices {
            devices.forget_all();
        }
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
        self.foreign.tidy();
        let before = *found;
        let (now, failure) = find(open.as_ref()?, before);
        self.metrics.up.set(i64::from(failure.is_none()));
        self.standing.set(failure.clone());
        *found = now;
        (before != now).then_some(Look { found: now, failure })
    }

    /// Whether a message answers a call of another instance, as far as can be seen without reading it. Then it is counted,
    /// and kept for a while; nothing else is to be done with it.
    pub fn is_anothers(&self, topic: &str, payload: &Bytes) -> bool {
        let Some(seen) = glance(topic, payload) else { return false };
        if !seen.is_anothers(|id| self.slots.holds(id)) {
            return false;
        }
        if seen.is_request {
            // Whose it is does not matter: the broker brought back what an instance published.
            self.drop_unread(names_of_topic(topic), DropReason::Echo, topic, payload.len());
            return true;
        }
        // What may be another's command is no answer that could be heard later.
        let is_kept = seen.may_be_request || self.foreign.keep(&self.slots, seen.ids, topic, payload);
        if is_kept {
            self.heard_foreign(topic, payload.len());
        }
        is_kept
    }

    /// Counts a reply to another instance's call that nothing more is done with. Where a call to its device waits here, its
    /// id may be wrong.
    pub fn heard_foreign(&self, topic: &str, bytes: usize) {
        self.metrics.received(ReceivedKind::Reply);
        self.foreign.heard();
        let names = names_of_topic(topic);
        if names.is_some_and(|(product, name)| self.replies.waits_for(product, name)) {
            self.drop_unread(names, DropReason::OtherInstance, topic, bytes);
        }
    }

    #[cold]
    fn drop_unread(&self, names: Option<(&str, &str)>, reason: DropReason, topic: &str, bytes: usize) {
        let device = names.and_then(|(product, name)| {
            Some(DeviceKey { product: product.try_into().ok()?, name: name.try_into().ok()? })
        });
        let (device, transport) = (device.as_ref(), self.kind);
        self.replies.dropped(Dropped { device, transport, reason, topic, bytes, problem: None });
    }

    /// What the broker told of a device since we connected.
    pub(crate) fn presence_of(&self, device: &DeviceKey) -> Presence {
        self.devices.as_ref().map_or(Presence::Unknown, |devices| devices.presence(device))
    }

    /// Whether a command would reach nobody: its device is away, and nobody keeps it. A broker may keep an asynchronous
    /// one of QoS 1 in the device's session.
    pub(crate) fn is_lost_on(&self, delivery: &Delivery) -> bool {
        let Some(devices) = &self.devices else { return false };
        let is_kept = delivery.mode == CallMode::Async && delivery.qos == Qos::AtLeastOnce;
        !is_kept && devices.presence(&delivery.device.key) == Presence::Offline
    }

    /// The broker says that a connection of this device began.
    pub fn connected(&self, device: &DeviceKey, session: Session<'_>, address: Option<&str>, at: UnixMillis) {
        let Some(devices) = &self.devices else { return };
        devices.count(Told::Connected);
        self.metrics.received(ReceivedKind::Status);
        devices.connected(device, session);
        self.presence.online(device, self.name, address, at);
    }

    /// The broker says that a connection ended, and where it says so, whose. Of a device of which nothing was heard, that
    /// tells that it is away only if this was surely its `last` one.
    pub fn disconnected(&self, device: Option<&DeviceKey>, session: Session<'_>, last: bool, at: UnixMillis) {
        let Some(devices) = &self.devices else { return };
        devices.count(Told::Disconnected);
        self.metrics.received(ReceivedKind::Status);
        if let Some(device) = devices.disconnected(device, session, last) {
            self.presence.offline(&device, at);
        }
    }

    /// The broker told something of connections that is of no device, or cannot be read.
    pub fn told_nothing(&self) {
        if let Some(devices) = &self.devices {
            devices.count(Told::Other);
        }
    }

    /// What was kept of replies to calls in slots that are held now, with their topics, oldest first.
    pub fn taken_over(&self) -> Vec<(String, Bytes)> {
        self.foreign.taken_over(&self.slots)
    }

    /// Hands on what a device said, who was vouched for; `topic` and `payload` are what it was read from.
    pub fn take(&self, said: Uplink, topic: &str, payload: &Bytes, arrival: &dyn Arrival) {
        match said {
            Uplink::Reply(reply) if self.is_kept(reply.ids(), topic, payload) => {}
            Uplink::Reply(reply) => {
                self.metrics.received(ReceivedKind::Reply);
                self.presence.seen(&reply.device, self.name, UnixMillis::now());
                self.replies.accept(reply, topic, arrival);
            }
            Uplink::Raw(raw) if self.is_kept(raw.ids(), topic, payload) => {}
            Uplink::Raw(raw) => {
                self.metrics.received(ReceivedKind::Reply);
                self.presence.seen(&raw.device, self.name, UnixMillis::now());
                self.replies.accept_raw(raw, topic, arrival);
            }
            Uplink::Post(post) => self.take_post(*post, topic, arrival),
            Uplink::Other(_) => self.metrics.received(ReceivedKind::Other),
            Uplink::Dropped(device, reason) => {
                if reason != DropReason::Echo {
                    self.metrics.received(ReceivedKind::Other);
                }
                let (device, transport, bytes) = (device.as_ref(), self.kind, payload.len());
                self.replies.dropped(Dropped { device, transport, reason, topic, bytes, problem: None });
            }
        }
    }

    /// Hands on what a device said by itself, who was vouched for.
    pub fn take_post(&self, post: Post, topic: &str, arrival: &dyn Arrival) {
        self.metrics.received(ReceivedKind::Post);
        self.presence.seen(&post.device, self.name, UnixMillis::now());
        self.replies.accept_post(post, self.name, topic, arrival);
    }

    /// Hands on what a device said in its own bytes, where it is heard once among all instances: a report in it counts, an
    /// answer does not.
    pub fn take_raw_post(&self, raw: RawReply, topic: &str, arrival: &dyn Arrival) {
        self.replies.accept_raw_post(raw, HeardOnce { by: self.name, answers: false }, topic, arrival);
    }

    /// Keeps and counts a reply whose ids were seen when it was read, if it is another's.
    fn is_kept(&self, ids: ReplyIds, topic: &str, payload: &Bytes) -> bool {
        let is_anothers = ids.is_anothers(|id| self.slots.holds(id));
        let is_kept = is_anothers && self.foreign.keep(&self.slots, ids, topic, payload);
        if is_kept {
            self.heard_foreign(topic, payload.len());
        }
        is_kept
    }
}

/// How a connection is now, and why it does not carry messages.
pub(crate) struct Look {
    pub(crate) found: Found,
    pub(crate) failure: Option<String>,
}
