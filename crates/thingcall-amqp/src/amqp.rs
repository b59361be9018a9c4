//! What all connections to one RabbitMQ share: what is sent, what comes in, and how the broker is found.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use lapin::message::Delivery as Message;
use lapin::tcp::RustlsConnector;
use lapin::types::ShortString;
use lapin::{Acker, BasicProperties};
use thingcall_alink::{Uplink, broadcast_refusal, glance};
use thingcall_core::{
    Arrival, Broadcast, CallId, DeliverError, Delivery, NotBroadcast, PeerText, PostAnswer, Problems, Qos, ReplyIds,
    Sent, Takes,
};
use thingcall_transport::{
    BrokerAddress, BrokerSection, Contact, DeviceSession, Found, NotSent, Probed, Protocol, PublishResult, Verdict,
};
use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, timeout};
use tracing::warn;

use crate::bindings::{Bindings, Wanted};
use crate::config::Config;
use crate::events::{self, EVENT_EXCHANGE, Event};
use crate::inbound::{Incoming, Reader, is_probe};
use crate::outgoing::{Way, answered, command, to_all};
use crate::publisher::{Confirmed, NotConfirmed, Publisher};
use crate::queues::{InQueues, consumed};
use crate::tls;

/// One RabbitMQ.
pub struct Amqp {
    pub(crate) config: Config,
    pub(crate) contact: Contact<Arc<Links>>,
    pub(crate) instance: String,
    pub(crate) address: BrokerAddress,
    tls: Mutex<Option<RustlsConnector>>,
    pub(crate) wanted: Wanted,
    /// Told when other slots are held than before.
    pub(crate) slots_changed: Notify,
    told: Mutex<Told>,
    /// A turn is the right to a channel for the answer to a report.
    answering: Semaphore,
}

/// Reports of devices are in no slot's queue.
const NO_SLOT: u8 = u8::MAX;

/// Connections that take deliveries.
pub struct Links {
    pub(crate) publisher: Arc<Publisher>,
    /// `None` unless MQTT devices are served.
    pub(crate) bindings: Option<Bindings>,
    /// Our own queue, where probes come to.
    pub(crate) queue: ShortString,
    /// The slots whose queues are consumed.
    pub(crate) in_queues: InQueues,
}

/// What the broker said of itself on the present connections.
#[derive(Debug, Default)]
struct Told {
    /// Why it takes no messages, in its own words.
    blocked: Option<String>,
    /// It refused the probe, so none is sent any more.
    probe_refused: bool,
}

impl Amqp {
    pub(crate) fn with(config: Config, contact: Contact<Arc<Links>>) -> Result<Self, Problems> {
        let address = config.address().map_err(Problems::from)?;
        let tls = Mutex::new(address.tls.then(|| tls::load(&config.tls)).transpose().map_err(Problems)?);
        let instance = config.instance.clone().unwrap_or_else(|| format!("{:016x}", fastrand::u64(..)));
        let (wanted, slots_changed, told) = (Wanted::default(), Notify::new(), Mutex::default());
        let answering = Semaphore::new(usize::from(config.publish_channels_max.get().div_ceil(4)));
        Ok(Self { config, contact, instance, address, tls, wanted, slots_changed, told, answering })
    }

    /// What the files of certificates hold now, or held when they could be read last.
    pub(crate) fn tls(&self) -> Option<RustlsConnector> {
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

    /// New connections: nothing was said on them.
    pub(crate) fn begins(&self) {
        *self.told() = Told::default();
    }

    /// The broker said that it takes no messages.
    pub(crate) fn blocked(&self, why: &str) {
        self.told().blocked = Some(PeerText::new(why).to_string());
        self.look();
    }

    /// It takes them again. What became of a probe meanwhile says nothing.
    pub(crate) fn unblocked(&self) {
        self.told().blocked = None;
        self.contact.probe.begin();
        self.look();
    }

    /// The broker refused a probe: another would cost it a channel.
    pub(crate) fn probe_refused_for_good(&self) {
        self.told().probe_refused = true;
    }

    /// Whether the broker is probed.
    pub(crate) fn is_probed(&self) -> bool {
        self.config.probe && !self.told().probe_refused
    }

    /// Sends the command by the first way on which the device has a queue.
    pub(crate) async fn send(&self, delivery: &Delivery) -> Result<Sent, NotSent> {
        let links = self.contact.present().ok_or_else(NotSent::down)?;
        let began = Instant::now();
        let left = delivery.deadline.map(|deadline| deadline.left(began.into_std()));
        let deadline = left.map(|left| began + left);
        let patience = left.unwrap_or(self.config.publish_ack_timeout);
        // What a device answers before has no queue to come to.
        let consumed = timeout(patience, consumed(&links.in_queues, delivery.id.slot()));
        consumed.await.map_err(|_| NotSent::down())?;
        for way in Way::all(&self.config) {
            let message = command(delivery, way, &self.config, &self.instance, deadline);
            let message = message.map_err(|error| NotSent { error, result: PublishResult::Failed })?;
            let patience = patience.saturating_sub(began.elapsed());
            if let (Way::Mqtt, Some(bindings)) = (way, &links.bindings) {
                let sync_topic = delivery.sync_topic.unwrap_or(self.config.sync_topic);
                let expected = timeout(patience, bindings.expect(&self.wanted, delivery, sync_topic)).await;
                expected.map_err(|_| NotSent::down())?.map_err(|_| NotSent::down())?;
            }
            match links.publisher.publish(message, patience).await? {
                Confirmed::Routed => {
                    return Ok(match delivery.qos {
                        Qos::AtMostOnce => Sent::Sent,
                        Qos::AtLeastOnce => Sent::Acked,
                    });
                }
                // It is in no queue, so it may be sent by another way.
                Confirmed::Unroutable => {}
            }
        }
        Err(DeliverError::Offline.into())
    }

    /// Hands on what came to our own queue.
    pub(crate) fn take_own(&self, message: Message) {
        let Message { exchange, routing_key, properties, data, .. } = message;
        if is_probe(exchange.as_str(), &properties) {
            self.probe_came(&Bytes::from(data));
        } else if exchange.as_str() == EVENT_EXCHANGE {
            self.event(routing_key.as_str(), &properties);
        }
    }

    /// The broker tells of a connection.
    fn event(&self, key: &str, properties: &BasicProperties) {
        match events::read(key, properties, &self.config.vhost) {
            Some(Event::Created { device, connection, address, at }) => {
                self.contact.connected(&device, DeviceSession { name: connection, since: None }, address, at);
            }
            Some(Event::Closed { connection, at }) => {
                self.contact.disconnected(None, DeviceSession { name: connection, since: None }, false, at);
            }
            None => self.contact.told_nothing(),
        }
    }

    /// Hands on what came to the queue of a slot, and returns what acknowledges it. Nothing here waits.
    pub(crate) fn take(&self, slot: u8, message: Message, arrival: &dyn Arrival) -> Acker {
        let Message { exchange, routing_key, properties, data, acker, .. } = message;
        let payload = Bytes::from(data);
        let (exchange, routing_key) = (exchange.as_str(), routing_key.as_str());
        let reader = Reader { config: &self.config, slot };
        let message = Incoming { exchange, routing_key, properties: &properties, payload: &payload };
        let topic = match reader.topic(message) {
            Ok(topic) => topic,
            Err(reason) => {
                self.contact.take(Uplink::Dropped(None, reason), routing_key, &payload, arrival);
                return acker;
            }
        };
        // What is another slot's came to that one's queue too.
        let is_ours = |id: CallId| id.slot() == slot;
        if glance(&topic, &payload).is_some_and(|seen| seen.is_anothers(is_ours)) {
            self.contact.heard_foreign(&topic, payload.len());
            return acker;
        }
        let said = reader.read(message, &topic, |device, id| self.contact.replies.takes(device, id));
        let ids = ids_of(&said);
        if ids.is_some_and(|ids| ids.is_anothers(is_ours)) {
            self.contact.heard_foreign(&topic, payload.len());
        } else if ids.is_some_and(|ids| ids != ReplyIds::default()) || self.contact.slots.own() == Some(slot) {
            // What names no call came to every queue, and is heard from one.
            self.contact.take(said, &topic, &payload, arrival);
        }
        acker
    }

    /// Hands on what came to the queue of reports, and returns what acknowledges it. Nothing here waits.
    pub(crate) fn take_post(&self, message: Message, arrival: &dyn Arrival) -> Acker {
        let Message { exchange, routing_key, properties, data, acker, .. } = message;
        let payload = Bytes::from(data);
        let (exchange, routing_key) = (exchange.as_str(), routing_key.as_str());
        let reader = Reader { config: &self.config, slot: NO_SLOT };
        let message = Incoming { exchange, routing_key, properties: &properties, payload: &payload };
        match reader.topic(message) {
            Ok(topic) => match reader.read(message, &topic, |_, _| Takes::Alink) {
                Uplink::Raw(raw) => self.contact.take_raw_post(raw, &topic, arrival),
                said @ (Uplink::Post(_) | Uplink::Other(_) | Uplink::Dropped(..)) => {
                    self.contact.take(said, &topic, &payload, arrival);
                }
                // What may be an answer came to the queues of slots, too.
                Uplink::Reply(_) => {}
            },
            Err(reason) => self.contact.take(Uplink::Dropped(None, reason), routing_key, &payload, arrival),
        }
        acker
    }

    /// Answers a report by the first way on which the device has a queue.
    pub(crate) async fn answer(&self, answer: &PostAnswer) -> Result<(), DeliverError> {
        // Commands need channels, too.
        let Ok(_turn) = self.answering.acquire().await else { return Err(DeliverError::Down) };
        let links = self.contact.present().ok_or(DeliverError::Down)?;
        for way in Way::all(&self.config) {
            let message = answered(answer, way, &self.config, &self.instance)?;
            let confirmed = links.publisher.publish(message, self.config.publish_ack_timeout).await;
            match confirmed.map_err(|why| NotSent::from(why).error)? {
                Confirmed::Routed => {
                    self.contact.metrics.published(PublishResult::Sent);
                    return Ok(());
                }
                Confirmed::Unroutable => {}
            }
        }
        self.contact.metrics.published(PublishResult::Returned);
        Err(DeliverError::Offline)
    }

    /// Publishes a message once by each way, for whoever bound a queue to its topic. That nobody did is no failure.
    pub(crate) async fn publish_to_all(&self, told: &Broadcast) -> Result<Sent, NotBroadcast> {
        if let Some(why) = broadcast_refusal(&told.product, &told.topic) {
            return Err(NotBroadcast::Topic(why));
        }
        let links = self.contact.present().ok_or(DeliverError::Down)?;
        for way in Way::all(&self.config) {
            let message = to_all(told, way, &self.config, &self.instance)?;
            let confirmed = links.publisher.publish(message, self.config.publish_ack_timeout).await;
            let (Confirmed::Routed | Confirmed::Unroutable) = confirmed.map_err(|why| NotSent::from(why).error)?;
        }
        Ok(Sent::Acked)
    }

    /// How the broker is, and why it does not carry messages.
    pub(crate) fn look_at(&self, publisher: &Publisher) -> (Found, Option<String>) {
        let now = Instant::now();
        let (unconfirmed, oldest) = publisher.owed(now);
        self.contact.unacknowledged.length.set(i64::try_from(unconfirmed).unwrap_or(i64::MAX));
        self.contact.unacknowledged.oldest_seconds.set(oldest.as_secs_f64());
        let found = self.found_now(publisher.blocked(), now, oldest);
        (found, self.failure_of(found, oldest))
    }

    fn found_now(&self, blocked: bool, now: Instant, oldest: Duration) -> Found {
        let verdict = if self.is_probed() { self.contact.probe.verdict(now.into_std()) } else { Verdict::Carries };
        match verdict {
            _ if blocked => Found::Blocked,
            Verdict::Silent => Found::Silent,
            Verdict::Forbids => Found::ProbeLost,
            Verdict::Begun | Verdict::Carries if oldest > self.config.publish_ack_timeout => Found::Unacknowledged,
            Verdict::Begun => Found::Begun,
            // It lives: it confirms, and says of each message what it refuses.
            Verdict::Carries if self.config.probe && !self.is_probed() => Found::WellWithoutProbe,
            Verdict::Carries => Found::Well,
        }
    }

    fn failure_of(&self, found: Found, oldest: Duration) -> Option<String> {
        let url = &self.config.url;
        match found {
            Found::Well | Found::WellWithoutProbe => None,
            Found::Begun => Some(format!("{url} let us in; the first probe is on its way")),
            Found::Blocked => {
                let said = self.told().blocked.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
                Some(format!(
                    "{url} takes no messages{said}: look at its memory and disk, `rabbitmq-diagnostics alarms` says which"
                ))
            }
            Found::Silent => {
                Some(format!("{url} holds our connection and answers no probe: look whether it hangs or is overloaded"))
            }
            Found::ProbeLost => Some(format!(
                "{url} takes a message to our own queue and does not bring it within {:?}: look whether it is overloaded; \
                 the queue is thingcall.own.{}.*",
                self.config.probe_timeout, self.instance
            )),
            Found::Unacknowledged => Some(format!(
                "{url} has not confirmed a message for {} s: look whether it is overloaded, or its disk is slow or full",
                oldest.as_secs()
            )),
        }
    }

    /// Nothing that is done under this lock can panic half way.
    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The ids of what may be a reply; `None` if it is none.
const fn ids_of(said: &Uplink) -> Option<ReplyIds> {
    match said {
        Uplink::Reply(reply) => Some(reply.ids()),
        Uplink::Raw(raw) => Some(raw.ids()),
        Uplink::Post(_) | Uplink::Other(_) | Uplink::Dropped(..) => None,
    }
}

impl From<NotConfirmed> for NotSent {
    fn from(why: NotConfirmed) -> Self {
        match why {
            NotConfirmed::Down => Self::down(),
            NotConfirmed::Blocked => Self { error: DeliverError::Down, result: PublishResult::Blocked },
            NotConfirmed::Full(max) => DeliverError::QueueFull(max).into(),
            NotConfirmed::Refused(why) => {
                DeliverError::Refused(format!("the devices' broker refused it: {why}")).into()
            }
            NotConfirmed::Lost => DeliverError::Lost.into(),
        }
    }
}
