//! Messages of the log for whoever wants them, each on the topic of its kind and device:
//! `{messages_topic}/{kind}/{productKey}/{deviceName}`.
//!
//! They leave on a connection of their own: however many there are, no call waits behind them, and a broker that ends it for
//! what it does not allow there ends no calls.
//!
//! **Invariants:** what is called published, the broker acknowledged. A connection that broke takes along what was queued on it:
//! what is published again is so by its caller, under the same id.

use std::convert::Infallible;
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use thingcall_core::{DeliverError, DeviceKey, Message, MessageFilter, PeerText, Qos};
use thingcall_transport::{Backoff, Ended};
use tokio::time::{sleep, timeout};
use tokio_util::task::AbortOnDropHandle;
use tracing::{debug, info};

use crate::client::{self, Event, NotQueued, Outgoing, Target};
use crate::config::Version;
use crate::mqtt::{Mqtt, Open};
use crate::transport::MqttTransport;

/// What became of a published message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivered {
    /// The broker has it.
    Taken,
    /// The broker says that nobody is subscribed to it: it is kept nowhere. In MQTT 3.1.1 no broker says so.
    Nobody,
}

/// Why a message is not published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotDelivered {
    /// There is no connection; nothing was sent.
    #[error("no connection for messages: {0}")]
    Down(String),
    /// So many wait already; nothing was sent.
    #[error("send queue is full ({0} messages)")]
    QueueFull(usize),
    /// The broker refused it.
    #[error("{0}")]
    Refused(String),
    /// No word came of it; consumers may have it.
    #[error("the broker did not acknowledge it")]
    Lost,
    /// A packet that large is not sent.
    #[error("its packet has {bytes} bytes; {max} are allowed")]
    TooLarge {
        /// Its size, about.
        bytes: usize,
        /// The limit.
        max: usize,
    },
}

/// The present connection, or why there is none.
type Contact = Arc<RwLock<Result<Open, String>>>;

/// Publishes messages, on a connection that lives as long as this.
pub struct Messages {
    mqtt: Arc<Mqtt>,
    topic: String,
    contact: Contact,
    _connecting: AbortOnDropHandle<Infallible>,
}

impl Messages {
    /// Connects to this broker, and keeps connecting; `None` unless `messages_topic` is set. Needs a running tokio.
    pub fn start(transport: &MqttTransport) -> Option<Self> {
        let mqtt = transport.protocol().clone();
        let topic = mqtt.config.messages_topic.clone()?;
        let contact: Contact = Arc::new(RwLock::new(Err("it is not there yet".to_owned())));
        let connecting = AbortOnDropHandle::new(tokio::spawn(keep_connected(mqtt.clone(), contact.clone())));
        Some(Self { mqtt, topic, contact, _connecting: connecting })
    }

    /// How many may wait to be published.
    pub fn due_max(&self) -> usize {
        self.mqtt.config.messages_due_max.get()
    }

    /// Which are to be published.
    pub fn filter(&self) -> &MessageFilter {
        &self.mqtt.config.messages_filter
    }

    /// Publishes one in these words, and waits until the broker has it.
    ///
    /// # Errors
    /// Why it is not published, or may not be.
    pub async fn publish(&self, message: &Message, payload: Bytes) -> Result<Delivered, NotDelivered> {
        let (DeviceKey { product, name }, kind) = (&message.device, message.kind.as_str());
        let topic = format!("{}/{kind}/{product}/{name}", self.topic);
        let message_id = Some(message.id);
        let trace = message.words.trace.clone().filter(|_| self.mqtt.config.version == Version::V5);
        let outgoing = Outgoing { message_id, trace, ..Outgoing::new(topic, payload, Qos::AtLeastOnce) };
        let present = self.contact.read().unwrap_or_else(PoisonError::into_inner).clone();
        let Open { client, packet_bytes_max } = present.map_err(NotDelivered::Down)?;
        let (bytes, max) = (outgoing.packet_bytes(), packet_bytes_max);
        if bytes > max {
            return Err(NotDelivered::TooLarge { bytes, max });
        }
        let acknowledgement = client.publish(outgoing).map_err(|error| match error {
            NotQueued::Full => NotDelivered::QueueFull(self.mqtt.config.send_queue_messages_max.get()),
            NotQueued::Ended => NotDelivered::Down("it just ended".to_owned()),
        })?;
        let Some(acknowledgement) = acknowledgement else { return Err(NotDelivered::Lost) };
        let word = timeout(self.mqtt.config.publish_ack_timeout, acknowledgement.wait()).await;
        self.said(word.unwrap_or(Err(DeliverError::Lost)))
    }

    fn said(&self, word: Result<(), DeliverError>) -> Result<Delivered, NotDelivered> {
        match word {
            Ok(()) => Ok(Delivered::Taken),
            Err(DeliverError::Offline) => Ok(Delivered::Nobody),
            Err(DeliverError::Refused(why)) => {
                let (user, topic) = (self.mqtt.user(), &self.topic);
                Err(NotDelivered::Refused(format!("{why}; let {user} publish to {topic}/#")))
            }
            Err(
                DeliverError::Down | DeliverError::Lost | DeliverError::QueueFull(_) | DeliverError::TooLarge { .. },
            ) => Err(NotDelivered::Lost),
        }
    }
}

/// Connects, again and again, until it is dropped.
async fn keep_connected(mqtt: Arc<Mqtt>, contact: Contact) -> Infallible {
    let config = &mqtt.config;
    let mut backoff = Backoff::new(config.reconnect_pause_min, config.reconnect_pause_max);
    let set = |present| *contact.write().unwrap_or_else(PoisonError::into_inner) = present;
    loop {
        let connected = |open| {
            backoff.begin_anew();
            set(Ok(open));
        };
        let Ended { why, .. } = carry(&mqtt, connected).await;
        // Whoever has messages says so, with this.
        debug!(transport = %mqtt.contact.name, why = %PeerText::new(&why), "no connection for messages");
        set(Err(why));
        sleep(backoff.next_wait()).await;
    }
}

/// One connection, until it ends.
async fn carry(mqtt: &Arc<Mqtt>, mut connected: impl FnMut(Open)) -> Ended {
    let client_id = format!("{}-messages", mqtt.client_id);
    let bytes_max = mqtt.config.messages_packet_bytes_max.get();
    let target = Target { client_id: &client_id, keeps_session: false, outgoing_bytes_max: bytes_max, ..mqtt.target() };
    let (client, mut event_loop) = client::build(target);
    loop {
        match event_loop.poll().await {
            Ok(Event::Connected { packet_bytes_max, .. }) => {
                let broker_s = packet_bytes_max.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(usize::MAX);
                connected(Open { client: client.clone(), packet_bytes_max: bytes_max.min(broker_s) });
                info!(transport = %mqtt.contact.name, %client_id, "connected for messages");
            }
            Ok(
                Event::Subscribed { .. } | Event::Message { .. } | Event::Sent(_) | Event::Acked(_) | Event::Nothing,
            ) => {}
            Err(ended) => return ended,
        }
    }
}
