//! One client for both versions of MQTT. What differs between rumqttc's two crates is in `v4` and `v5` and nowhere else.

mod socket;
mod v4;
mod v5;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rumqttc_v4::{ManualAck, NetworkOptions, TlsConfiguration};
use thingcall_alink::REPLY_FILTERS;
use thingcall_core::{DeliverError, Letter, MessageId, Qos, TraceContext};
use thingcall_transport::{BrokerAddress, ConnectResult, Ended};

use crate::config::{Config, Version};
use crate::events::EVENT_FILTERS;
use crate::letters;

/// How many queued messages leave in one write. The library's own default is one, which costs a system call each.
const WRITE_BATCH_MESSAGES: usize = 64;

/// What is taken from the broker in one packet, at least. A packet over the limit ends the connection, and so the calls
/// of every device: so much is read, and refused for the one device that sent it.
const INCOMING_BYTES_MIN: usize = 16 * 1024 * 1024;

/// The most that surrounds topic and payload of a publish: fixed header, length of the topic, packet id, expiry.
const PUBLISH_HEADER_BYTES: usize = 16;
/// And what a message's name takes, with the word for what it is and that for its form.
const MESSAGE_ID_BYTES: usize = 64;
/// And what a user property of MQTT 5 adds to its name and its value.
const PAIR_BYTES: usize = 5;

/// Where and how to connect.
#[derive(Clone)]
pub(crate) struct Target<'a> {
    pub(crate) config: &'a Config,
    pub(crate) address: &'a BrokerAddress,
    pub(crate) client_id: &'a str,
    pub(crate) tls: Option<TlsConfiguration>,
    /// Whether the broker is to keep a session, and in it what was not acknowledged.
    pub(crate) keeps_session: bool,
    /// The largest packet that is sent.
    pub(crate) outgoing_bytes_max: usize,
}

impl Target<'_> {
    fn host_and_port(&self) -> (String, u16) {
        (self.address.host.clone(), self.address.port)
    }

    fn network(&self) -> NetworkOptions {
        let mut network = NetworkOptions::new();
        // Off, it costs 70 microseconds of a 170 microsecond round trip.
        network.set_tcp_nodelay(true);
        network.set_connection_timeout(self.config.connect_timeout.as_secs().max(1));
        network
    }

    fn keep_alive(&self) -> u16 {
        u16::try_from(self.config.keep_alive.as_secs()).unwrap_or(u16::MAX)
    }

    /// The user name and password, where there are any.
    fn credentials(&self) -> Option<(String, Bytes)> {
        let username = self.config.username.clone()?;
        let password = self.config.password.as_ref().map(|secret| Bytes::copy_from_slice(secret.expose().as_bytes()));
        Some((username, password.unwrap_or_default()))
    }

    fn incoming_bytes_max(&self) -> usize {
        self.config.message_bytes_max.saturating_add(1024).max(INCOMING_BYTES_MIN)
    }
}

/// The sending half of one connection.
#[derive(Debug, Clone)]
pub(crate) enum Client {
    V4(rumqttc_v4::AsyncClient),
    V5(rumqttc_v5::AsyncClient),
}

/// The receiving half; it also drives the socket.
pub(crate) enum Loop {
    V4(Box<rumqttc_v4::EventLoop>),
    V5(Box<rumqttc_v5::EventLoop>),
}

/// What became of driving the socket for a while.
pub(crate) enum Event {
    /// The broker let us in. The largest packet it takes, where it says, and whether it goes on with a session of before.
    Connected { packet_bytes_max: Option<u32>, resumed: bool },
    /// The broker answered a subscription of ours to so many filters: these places in it were refused.
    Subscribed { filters: usize, refused: Vec<usize> },
    /// Something was published; what acknowledges it, where the library does not, and whether it has our mark.
    Message { topic: Bytes, payload: Bytes, puback: Option<ManualAck>, is_own: bool },
    /// A queued message was written; its packet id, which is 0 at QoS 0.
    Sent(u16),
    /// The broker acknowledged the message of this packet id.
    Acked(u16),
    /// Nothing that concerns us.
    Nothing,
}

/// Why there is no connection, and where the right login belongs.
fn not_connected(result: ConnectResult, error: &dyn std::fmt::Display) -> Ended {
    let login = if result == ConnectResult::Auth { ": look at `username` and `password` in its section" } else { "" };
    Ended::new(result, format_args!("{error}{login}"))
}

/// A message to send.
pub(crate) struct Outgoing {
    pub(crate) topic: String,
    pub(crate) payload: Bytes,
    pub(crate) qos: Qos,
    /// When nobody waits for it any more.
    pub(crate) expires_after: Option<Duration>,
    /// Where it is a message of the log: its name. MQTT 3.1.1 has no place for it.
    pub(crate) message_id: Option<MessageId>,
    /// Where it is a message of an application's own: what goes with it.
    pub(crate) letter: Option<Arc<Letter>>,
    /// The place in a trace that its reader is told; MQTT 3.1.1 has no place for it either.
    pub(crate) trace: Option<TraceContext>,
}

impl Outgoing {
    /// One with nothing beside it.
    pub(crate) const fn new(topic: String, payload: Bytes, qos: Qos) -> Self {
        Self { topic, payload, qos, expires_after: None, message_id: None, letter: None, trace: None }
    }

    /// The size of its packet, rounded up.
    pub(crate) fn packet_bytes(&self) -> usize {
        let named = if self.message_id.is_some() { MESSAGE_ID_BYTES } else { 0 };
        let extras = self.letter.as_ref().map_or(0, |letter| letters::extra_bytes(letter));
        let traced = self.trace.as_ref().map_or(0, |trace| trace.pairs_bytes(PAIR_BYTES));
        self.topic.len() + self.payload.len() + PUBLISH_HEADER_BYTES + named + extras + traced
    }
}

/// A message that did not get into the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotQueued {
    Full,
    Ended,
}

/// The broker's word on a QoS 1 message, to come.
pub(crate) enum Acknowledgement {
    V4(rumqttc_v4::PublishNotice),
    V5(rumqttc_v5::PublishNotice),
}

/// Makes a client that has not connected yet.
pub(crate) fn build(target: Target<'_>) -> (Client, Loop) {
    match target.config.version {
        Version::V4 => v4::build(target),
        Version::V5 => v5::build(target),
    }
}

impl Client {
    /// Asks for the replies of every device.
    pub(crate) fn subscribe(&self) -> Result<(), Ended> {
        let asked = match self {
            Self::V4(client) => v4::subscribe(client, REPLY_FILTERS),
            Self::V5(client) => v5::subscribe(client, REPLY_FILTERS, true),
        };
        asked.map_err(Ended::refused)
    }

    /// Asks for these.
    pub(crate) fn subscribe_to(&self, filters: &[String]) -> Result<(), Ended> {
        let filters: Vec<&str> = filters.iter().map(String::as_str).collect();
        let asked = match self {
            Self::V4(client) => v4::subscribe(client, &filters),
            // What is shared cannot be without our own; nothing of ours matches.
            Self::V5(client) => v5::subscribe(client, &filters, false),
        };
        asked.map_err(Ended::refused)
    }

    /// Wants no more of these.
    pub(crate) fn unsubscribe_from(&self, filters: &[String]) -> bool {
        match self {
            Self::V4(client) => client.try_unsubscribe_many(filters.to_vec()).is_ok(),
            Self::V5(client) => client.try_unsubscribe_many(filters.to_vec()).is_ok(),
        }
    }

    /// Asks for what the broker tells of devices.
    pub(crate) fn subscribe_to_events(&self) -> Result<(), Ended> {
        let asked = match self {
            Self::V4(client) => v4::subscribe(client, EVENT_FILTERS),
            Self::V5(client) => v5::subscribe(client, EVENT_FILTERS, true),
        };
        asked.map_err(Ended::refused)
    }

    /// Asks for our own messages on this topic. `false` if there is no room to ask.
    pub(crate) fn subscribe_to_own(&self, topic: &str) -> bool {
        match self {
            Self::V4(client) => v4::subscribe(client, &[topic]).is_ok(),
            Self::V5(client) => v5::subscribe(client, &[topic], false).is_ok(),
        }
    }

    /// Queues a message. At QoS 1 the broker's acknowledgement can be waited for.
    pub(crate) fn publish(&self, message: Outgoing) -> Result<Option<Acknowledgement>, NotQueued> {
        match self {
            Self::V4(client) => v4::publish(client, message),
            Self::V5(client) => v5::publish(client, message),
        }
    }

    /// Acknowledges a message, or gives that back for want of room.
    pub(crate) fn acknowledge(&self, puback: ManualAck) -> Result<(), ManualAck> {
        match self {
            Self::V4(client) => client.try_manual_ack(puback.clone()).map_err(|_| puback),
            // The library does.
            Self::V5(_) => Ok(()),
        }
    }

    /// Says goodbye; the event loop sends what is queued and this, and ends. Does not wait for the broker.
    pub(crate) fn disconnect(&self) {
        let said = match self {
            Self::V4(client) => client.try_disconnect().is_ok(),
            Self::V5(client) => client.try_disconnect().is_ok(),
        };
        if !said {
            tracing::debug!("no room to say goodbye to the broker");
        }
    }
}

impl Acknowledgement {
    /// Waits for it. An error says whether the message may have arrived.
    pub(crate) async fn wait(self) -> Result<(), DeliverError> {
        match self {
            Self::V4(notice) => notice.wait_async().await.map(drop).map_err(|_| DeliverError::Lost),
            Self::V5(notice) => v5::acknowledged(notice.wait_async().await),
        }
    }
}

impl Loop {
    /// Sends what is queued and takes the next thing the socket brings. The first call connects.
    pub(crate) async fn poll(&mut self) -> Result<Event, Ended> {
        match self {
            Self::V4(event_loop) => event_loop.poll().await.map(v4::event).map_err(|e| v4::ended(&e)),
            Self::V5(event_loop) => event_loop.poll().await.map(v5::event).map_err(|e| v5::ended(&e)),
        }
    }
}
