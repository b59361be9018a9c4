//! What all connections to one broker share: what is sent, what comes in, and how the broker is found.
//!
//! **Invariant:** nothing here waits but for the broker's acknowledgement of one message.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use prometheus::IntGauge;
use rumqttc_v4::TlsConfiguration;
use thingcall_alink::{
    Uplink, answer_payload, answer_topic, broadcast_refusal, comes_back, payload, request_topic, uplink,
};
use thingcall_core::{
    Arrival, Broadcast, CallMode, Deadline, DeliverError, Delivery, LetterTo, NotBroadcast, PostAnswer, Problems, Qos,
    Sent, SyncTopic, TransportKind, Unawaited, UnixMillis,
};
use thingcall_transport::{BrokerAddress, BrokerSection, Contact, Found, Probed, PublishResult, Told, Verdict};
use tokio::time::{Instant, timeout};
use tracing::warn;

use crate::client::{Acknowledgement, Client, NotQueued, Outgoing, Target};
use crate::config::{Config, Posts, Presence, Version};
use crate::echoes::Echoes;
use crate::events::{self, EVENT_FILTERS, is_event};
use crate::letters;
use crate::tls;
use crate::unacked::{Oldest, Unacked};

/// One external MQTT broker.
pub struct Mqtt {
    pub(crate) config: Config,
    pub(crate) contact: Contact<Open>,
    pub(crate) client_id: String,
    address: BrokerAddress,
    tls: Mutex<Option<TlsConfiguration>>,
    /// Our own raw messages that this broker brings back.
    echoes: Echoes,
    /// Our own messages on topics of devices' own.
    pub(crate) sent: letters::Sent,
    /// When the oldest message was sent that the broker has not acknowledged.
    oldest: Arc<Oldest>,
    /// A device's message came on this connection.
    heard: AtomicBool,
    /// What the broker kept while there was no connection is still coming, so what it tells of devices is old.
    behind: AtomicBool,
    /// 1 while what devices report is heard.
    pub(crate) posts_up: IntGauge,
}

/// A connection that takes deliveries.
#[derive(Clone)]
pub struct Open {
    pub(crate) client: Client,
    /// The largest packet the broker takes.
    pub(crate) packet_bytes_max: usize,
}

impl Mqtt {
    pub(crate) fn with(config: Config, contact: Contact<Open>) -> Result<Self, Problems> {
        let address = config.address().map_err(Problems::from)?;
        let tls = Mutex::new(address.tls.then(|| tls::load(&config.tls)).transpose().map_err(Problems)?);
        let client_id = config.client_id.clone().unwrap_or_else(|| format!("thingcall-{:016x}", fastrand::u64(..)));
        let (echoes, sent, oldest) = (Echoes::default(), letters::Sent::default(), Arc::new(Oldest::new()));
        let (heard, behind) = (AtomicBool::new(false), AtomicBool::new(false));
        let posts_up = contact.metrics.posts_up.clone();
        Ok(Self { config, contact, client_id, address, tls, echoes, sent, oldest, heard, behind, posts_up })
    }

    pub(crate) fn target(&self) -> Target<'_> {
        Target {
            config: &self.config,
            address: &self.address,
            client_id: &self.client_id,
            tls: self.tls(),
            keeps_session: self.config.keeps_session(),
            // Room for a message of the configured size and the topic and header around it.
            outgoing_bytes_max: self.config.message_bytes_max.saturating_add(1024),
        }
    }

    /// What the files of certificates hold now, or held when they could be read last.
    fn tls(&self) -> Option<TlsConfiguration> {
        let mut held = self.tls.lock().unwrap_or_else(PoisonError::into_inner);
        if held.is_some() && !self.config.tls.is_empty() {
            match tls::load(&self.config.tls) {
                Ok(found) => *held = Some(found),
                Err(problems) => warn!(
                    broker = self.address.host, problems = %Problems(problems), "connects with the certificates of before"
                ),
            }
        }
        held.clone()
    }

    /// Whom the broker's access rules must let do what we need.
    pub(crate) fn user(&self) -> String {
        self.config.username.as_ref().map_or_else(|| "clients without a user name".to_owned(), |n| format!("user {n}"))
    }

    /// What a new connection has not acknowledged.
    pub(crate) fn unacked(&self) -> Unacked {
        let (length, took) =
            (self.contact.unacknowledged.length.clone(), self.contact.metrics.publish_ack_seconds.clone());
        Unacked::new(self.oldest.clone(), length, took)
    }

    /// A connection is there, and nothing was said on it.
    pub(crate) fn begins(&self) {
        self.contact.metrics.send_queue_length.set(0);
        self.heard.store(false, Ordering::Relaxed);
    }

    /// The broker let us in. A session of before begins with what was kept in it.
    pub(crate) fn catches_up(&self, resumed: bool) {
        // The last connection's probes are kept in it too.
        self.contact.probe.begin();
        self.behind.store(resumed && self.config.presence == Presence::Emqx, Ordering::Relaxed);
    }

    /// A connection and what was queued on it are gone.
    pub(crate) fn ends(&self) {
        self.contact.metrics.send_queue_length.set(0);
        self.echoes.forget_all();
    }

    /// Sends a command.
    pub(crate) async fn send(&self, delivery: &Delivery) -> Result<Sent, DeliverError> {
        match self.publish(delivery)? {
            None => Ok(Sent::Sent),
            Some(acknowledgement) => self.acknowledged(delivery.deadline, acknowledgement).await,
        }
    }

    /// Sends a command that the broker acknowledges to nobody.
    pub(crate) fn send_unacknowledged(&self, delivery: &Delivery) -> Option<Result<Sent, DeliverError>> {
        (delivery.qos == Qos::AtMostOnce).then(|| self.publish(delivery).map(|_| Sent::Sent))
    }

    /// Queues the message.
    fn publish(&self, delivery: &Delivery) -> Result<Option<Acknowledgement>, DeliverError> {
        let payload = payload(delivery);
        let (bytes, max) = (payload.len(), self.config.message_bytes_max);
        if bytes > max {
            return Err(DeliverError::TooLarge { bytes, max });
        }
        let sync_topic = delivery.sync_topic.unwrap_or(self.config.sync_topic);
        let topic = request_topic(delivery, sync_topic);
        let expires_after = delivery.deadline.map(|deadline| deadline.left(Instant::now().into_std()));
        let letter = delivery.letter.clone();
        let hop = delivery.trace.as_ref();
        hop.inspect(|hop| hop.published_on(&topic));
        let trace = hop.filter(|_| self.config.version == Version::V5).map(|hop| hop.context.clone());
        let message = Outgoing { expires_after, letter, trace, ..Outgoing::new(topic, payload, delivery.qos) };
        let client = self.client_for(&message)?;
        if self.comes_back_as_report(delivery) {
            self.sent.expect(&message.topic, &message.payload);
        }
        // Before it leaves: the broker may bring it back at once.
        let expected = self.comes_back(delivery, sync_topic).then(|| self.echoes.expect(delivery.id, &message.payload));
        self.contact.metrics.send_queue_length.inc();
        client.publish(message).map_err(|error| {
            self.contact.metrics.send_queue_length.dec();
            if expected.is_some() {
                self.echoes.forget(delivery.id);
            }
            self.not_queued(error)
        })
    }

    /// Who sends a message, if the broker takes it: a packet over its limit would end the connection.
    fn client_for(&self, message: &Outgoing) -> Result<Client, DeliverError> {
        let Open { client, packet_bytes_max } = self.contact.present().ok_or(DeliverError::Down)?;
        let excess = message.packet_bytes().saturating_sub(packet_bytes_max);
        if excess > 0 {
            let bytes = message.payload.len();
            return Err(DeliverError::TooLarge { bytes, max: bytes.saturating_sub(excess) });
        }
        Ok(client)
    }

    /// Queues the answer to a report, at QoS 0, where the queue has room for commands beside it.
    pub(crate) fn answer(&self, answer: &PostAnswer) -> Result<(), DeliverError> {
        let (topic, payload) = (answer_topic(answer), answer_payload(answer, UnixMillis::now()));
        let message = Outgoing::new(topic, payload, Qos::AtMostOnce);
        let client = self.client_for(&message)?;
        let (queued, max) = (&self.contact.metrics.send_queue_length, self.config.send_queue_messages_max.get());
        if usize::try_from(queued.get()).is_ok_and(|queued| queued >= max / 2) {
            return Err(DeliverError::QueueFull(max / 2));
        }
        queued.inc();
        match client.publish(message) {
            Ok(_) => {
                self.contact.metrics.published(PublishResult::Sent);
                Ok(())
            }
            Err(error) => {
                queued.dec();
                self.contact.metrics.published(PublishResult::Blocked);
                Err(self.not_queued(error))
            }
        }
    }

    fn not_queued(&self, error: NotQueued) -> DeliverError {
        match error {
            NotQueued::Full => DeliverError::QueueFull(self.config.send_queue_messages_max.get()),
            NotQueued::Ended => DeliverError::Down,
        }
    }

    /// Whether the broker brings us this message back, as one that does not say whose it is. In MQTT 5 we ask it not to.
    fn comes_back(&self, delivery: &Delivery, sync_topic: SyncTopic) -> bool {
        let shared_topic = match &delivery.letter {
            None => delivery.raw.is_some() && delivery.mode == CallMode::Sync && sync_topic == SyncTopic::Ext,
            Some(letter) => matches!(letter.to, LetterTo::RrpcOn(_)),
        };
        shared_topic && self.config.version == Version::V4
    }

    /// Whether the broker brings us this message back on the other connection, as if its device had said it.
    fn comes_back_as_report(&self, delivery: &Delivery) -> bool {
        let heard = self.config.posts() == Posts::Plain && self.config.version == Version::V4;
        heard && delivery.letter.as_ref().is_some_and(|letter| comes_back(&letter.to))
    }

    /// Publishes a message once, for whoever subscribed to its topic.
    pub(crate) async fn publish_to_all(&self, told: &Broadcast) -> Result<Sent, NotBroadcast> {
        if let Some(why) = broadcast_refusal(&told.product, &told.topic) {
            return Err(NotBroadcast::Topic(why));
        }
        let (bytes, max) = (told.payload.len(), self.config.message_bytes_max);
        if bytes > max {
            return Err(DeliverError::TooLarge { bytes, max }.into());
        }
        let (topic, payload) = (told.topic.to_string(), told.payload.clone());
        let message = Outgoing::new(topic, payload, told.qos);
        let client = self.client_for(&message)?;
        self.contact.metrics.send_queue_length.inc();
        let queued = client.publish(message).map_err(|error| {
            self.contact.metrics.send_queue_length.dec();
            self.not_queued(error)
        })?;
        match queued {
            None => Ok(Sent::Sent),
            Some(acknowledgement) => Ok(self.acknowledged(None, acknowledgement).await?),
        }
    }

    /// Waits for the broker to take a QoS 1 message.
    async fn acknowledged(
        &self,
        deadline: Option<Deadline>,
        acknowledgement: Acknowledgement,
    ) -> Result<Sent, DeliverError> {
        let patience = deadline.map(|deadline| deadline.left(Instant::now().into_std()));
        let waited = timeout(patience.unwrap_or(self.config.publish_ack_timeout), acknowledgement.wait()).await;
        waited.unwrap_or(Err(DeliverError::Lost))?;
        Ok(Sent::Acked)
    }

    /// Queues a probe.
    pub(crate) fn publish_probe(&self, client: &Client, payload: Bytes) -> Option<Acknowledgement> {
        let expires_after = Some(self.config.probe_timeout);
        let topic = self.config.probe_topic.clone();
        self.contact.metrics.send_queue_length.inc();
        let probe = Outgoing { expires_after, ..Outgoing::new(topic, payload, Qos::AtLeastOnce) };
        let sent = client.publish(probe);
        if sent.is_err() {
            // It counts as sent all the same: a full queue carries no messages.
            self.contact.metrics.send_queue_length.dec();
        }
        sent.ok().flatten()
    }

    /// Hands a message on. Nothing here waits.
    pub(crate) fn take(&self, topic: &Bytes, payload: &Bytes, arrival: &dyn Arrival) {
        let Ok(topic) = std::str::from_utf8(topic) else { return };
        if topic == self.config.probe_topic {
            return self.its_probe_came(payload);
        }
        if is_event(topic) {
            return self.told(topic, payload);
        }
        if self.contact.is_anothers(topic, payload) {
            // The broker carries it all the same.
            return self.heard.store(true, Ordering::Relaxed);
        }
        self.hear(topic, payload, arrival);
    }

    /// A probe, it may be another instance's, or one of an earlier connection. Behind our own nothing is old.
    fn its_probe_came(&self, payload: &Bytes) {
        self.probe_came(payload);
        if self.contact.probe.came_back() {
            self.behind.store(false, Ordering::Relaxed);
        }
    }

    /// The broker tells of a device.
    fn told(&self, topic: &str, payload: &Bytes) {
        if self.behind.load(Ordering::Relaxed) {
            return self.contact.told_nothing();
        }
        match events::read(topic, payload) {
            Some(event) if event.told == Told::Connected => {
                self.contact.connected(&event.device, event.session(), event.address.as_deref(), event.at);
            }
            Some(event) => self.contact.disconnected(Some(&event.device), event.session(), event.last, event.at),
            None => self.contact.told_nothing(),
        }
    }

    /// Says that the broker lets us hear nothing of devices.
    pub(crate) fn tell_of_no_events(&self) {
        let (transport, user) = (self.contact.name, self.user());
        warn!(
            %transport, %user, topics = %EVENT_FILTERS.join(", "),
            "the broker's access rules keep from us who is connected: no device is known to be away; let the user \
             subscribe to the first topic, or set `presence = \"none\"`"
        );
    }

    /// Hears what came for slots that were taken over.
    pub(crate) fn hear_taken_over(&self) {
        for (topic, payload) in self.contact.taken_over() {
            self.hear(&topic, &payload, &Unawaited);
        }
    }

    fn hear(&self, topic: &str, payload: &Bytes, arrival: &dyn Arrival) {
        let takes = |device: &_, id| self.contact.replies.takes(device, id);
        let said = uplink(TransportKind::Mqtt, topic, payload, self.config.message_bytes_max, takes);
        match &said {
            Uplink::Raw(raw) if self.echoes.take(raw) => return,
            // The broker carries those.
            Uplink::Reply(_) | Uplink::Raw(_) => self.heard.store(true, Ordering::Relaxed),
            Uplink::Post(_) | Uplink::Other(_) | Uplink::Dropped(..) => {}
        }
        self.contact.take(said, topic, payload, arrival);
    }

    /// How the broker is, and why it does not carry messages.
    pub(crate) fn look_at(&self, before: Found) -> (Found, Option<String>) {
        let now = Instant::now();
        let oldest = self.oldest.age(now);
        self.contact.unacknowledged.oldest_seconds.set(oldest.as_secs_f64());
        let found = self.found_now(before, now, oldest);
        (found, self.failure_of(found, oldest))
    }

    fn found_now(&self, before: Found, now: Instant, oldest: Duration) -> Found {
        let verdict = if self.config.probe { self.contact.probe.verdict(now.into_std()) } else { Verdict::Carries };
        let was_forbidden = matches!(before, Found::ProbeLost | Found::WellWithoutProbe);
        match verdict {
            Verdict::Silent => Found::Silent,
            // What a device said before the rules were changed says nothing of them.
            Verdict::Forbids if !was_forbidden => {
                self.heard.store(false, Ordering::Relaxed);
                Found::ProbeLost
            }
            Verdict::Forbids if self.heard.load(Ordering::Relaxed) => Found::WellWithoutProbe,
            Verdict::Forbids => Found::ProbeLost,
            Verdict::Begun | Verdict::Carries if oldest > self.config.publish_ack_timeout => Found::Unacknowledged,
            Verdict::Begun => Found::Begun,
            Verdict::Carries => Found::Well,
        }
    }

    fn failure_of(&self, found: Found, oldest: Duration) -> Option<String> {
        let (url, topic, user) = (&self.config.url, &self.config.probe_topic, self.user());
        match found {
            // MQTT has no word for a broker that takes no messages.
            Found::Well | Found::WellWithoutProbe | Found::Blocked => None,
            Found::Begun => Some(format!("{url} let us in; the first probe is on its way")),
            Found::Silent => {
                Some(format!("{url} holds our connection and answers no probe: look whether it hangs or is overloaded"))
            }
            Found::ProbeLost => Some(format!(
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
}
