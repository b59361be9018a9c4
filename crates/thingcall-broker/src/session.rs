//! A device's session, from its CONNACK to its end.
//!
//! **Invariants:** one task owns a session, its socket and all it remembers. Nothing of it outlives the connection.
//! Whatever a device makes it remember is bounded: QoS 2 packets by `receive_max`, messages by the connection's places.
//! The connection counts as over when the task ends, however it ends.

use std::collections::{HashMap, HashSet, VecDeque};
use std::num::{NonZeroU16, NonZeroU32};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rmqtt_codec::MqttPacket;
use rmqtt_codec::error::DecodeError;
use rmqtt_codec::types::{Publish, QoS};
use rmqtt_codec::v5::{DisconnectReasonCode, PublishProperties, ToReasonCode};
use thingcall_core::{CallId, DropReason, Dropped, PeerText, TransportKind, Unawaited};
use thingcall_transport::Arrivals;
use tokio::time::Instant;

use crate::connection::{Connection, Ended, Order, Outgoing, Taken};
use crate::hub::Hub;
use crate::lobby::Place;
use crate::pace::Pace;
use crate::packet::{Said, Version};
use crate::wire::{Broken, Socket, Wire};
use crate::{deliver, uplink};

/// Why a session is over.
#[derive(Debug, thiserror::Error)]
enum Over {
    #[error(transparent)]
    Ended(#[from] Ended),
    #[error(transparent)]
    Broken(#[from] Broken),
    #[error("it said that it leaves")]
    Left,
}

impl Over {
    /// Whether the connection itself broke.
    fn is_io(&self) -> bool {
        matches!(self, Self::Broken(Broken::Malformed(DecodeError::Io(_))))
    }

    /// What an MQTT 5 device is told, where it still listens.
    fn told(&self) -> Option<DisconnectReasonCode> {
        match self {
            Self::Ended(ended) => Some(ended.to_reason_code()),
            Self::Broken(Broken::Malformed(DecodeError::Io(_))) => None,
            Self::Broken(Broken::Malformed(error)) => Some(error.to_reason_code()),
            Self::Broken(Broken::Unwritable(_) | Broken::Io(_) | Broken::Stuck | Broken::Closed) | Self::Left => None,
        }
    }
}

/// A device that sent what cannot be read is told of; others come and go.
fn tell_end(hub: &Hub, connection: &Connection, over: &Over) {
    let device = &connection.device;
    let (Over::Broken(Broken::Malformed(error)), false) = (over, over.is_io()) else {
        return tracing::debug!(%device, reason = %over, "disconnected");
    };
    let words = over.to_string();
    tracing::info!(%device, reason = %PeerText::new(&words), "connection closed: what the device sent cannot be read");
    if let DecodeError::MaxSizeExceeded { size, .. } = error {
        let (transport, reason, bytes) = (TransportKind::Embedded, DropReason::TooLarge, *size as usize);
        let device = Some(device);
        hub.parts.replies.dropped(Dropped { device, transport, reason, topic: "", bytes, problem: None });
    }
}

/// What a session begins with.
pub(crate) struct Begun<S> {
    pub(crate) hub: Arc<Hub>,
    pub(crate) connection: Arc<Connection>,
    pub(crate) wire: Wire<S>,
    /// That of its socket, until this is over.
    pub(crate) place: Place,
    pub(crate) version: Version,
    /// How many QoS 1 messages may be unacknowledged.
    pub(crate) window: usize,
    /// How long the device may be silent.
    pub(crate) silent_max: Duration,
}

/// A session that runs.
pub(crate) struct Session<S> {
    begun: Begun<S>,
    /// QoS 1 messages for which the window had no room.
    held: VecDeque<Outgoing>,
    /// QoS 1 messages that were written, and the commands they are.
    unacked: HashMap<NonZeroU16, Option<CallId>>,
    last_packet_id: u16,
    /// The device's messages that are not acknowledged yet.
    arrivals: Arrivals<Taken>,
    pace: Pace,
    /// QoS 2 messages that were taken; each counts once, however often it is sent.
    unreleased: HashSet<NonZeroU16>,
    /// Messages that were written, less what the device has published since: it is about to say something.
    answers_due: usize,
    heard_at: Instant,
}

/// What a session waits for.
enum Next {
    Packet(Result<MqttPacket, Broken>),
    Order(Order),
    Silence,
    /// A report is written, so more may be read.
    Room,
}

/// So many orders may wait while more is read of what is there.
const ORDERS_WAITING_MAX: usize = 32;

/// Ends the connection with the task, also where that was cut short.
struct Current(Arc<Hub>, Arc<Connection>);

impl Drop for Current {
    fn drop(&mut self) {
        self.1.orders.end();
        deliver::ended(&self.0, &self.1);
    }
}

impl<S: Socket> Session<S> {
    /// On the heap, so that whoever hands it on copies and keeps nothing of its size.
    pub(crate) fn new(begun: Begun<S>) -> Box<Self> {
        let (hub, connection) = (&begun.hub, begun.connection.clone());
        let (max, early) = (hub.receive_max().get().into(), hub.metrics.early_acks.clone());
        let ended = connection.clone();
        let acknowledge = move |taken| connection.acknowledge(taken);
        let arrivals = Arrivals::with_reports((max, early), acknowledge, move || ended.close(Ended::Unwritten));
        let pace = Pace::new(hub.config.session_posts_max.get().into());
        Box::new(Self {
            arrivals,
            pace,
            begun,
            held: VecDeque::new(),
            unacked: HashMap::new(),
            last_packet_id: 0,
            unreleased: HashSet::new(),
            answers_due: 0,
            heard_at: Instant::now(),
        })
    }

    /// Runs until either side ends it. What was put on the wire before leaves first.
    pub(crate) async fn run(mut self: Box<Self>) {
        let _current = Current(self.begun.hub.clone(), self.begun.connection.clone());
        let over = match self.talk().await {
            Ok(never) => match never {},
            Err(over) => over,
        };
        let Begun { hub, connection, wire, version, .. } = &mut self.begun;
        tell_end(hub, connection, &over);
        deliver::ended(hub, connection);
        if let Some(bye) = over.told().and_then(|reason| version.bye(reason))
            && let Err(error) = wire.put(bye)
        {
            tracing::trace!(%error, "no last word");
        }
        wire.close().await;
        // In this order: a place that is free is that of a socket that is no more.
        drop(self.begun.wire);
        drop(self.begun.place);
    }

    async fn talk(&mut self) -> Result<std::convert::Infallible, Over> {
        let mut silence = pin!(tokio::time::sleep(self.begun.silent_max));
        self.begun.wire.flush().await?;
        loop {
            let Begun { wire, connection, .. } = &mut self.begun;
            let may_read = self.pace.has_room();
            let next = tokio::select! {
                biased;
                packet = wire.next(), if may_read => Next::Packet(packet),
                order = connection.orders.next() => Next::Order(order),
                () = self.pace.room(), if !may_read => Next::Room,
                () = &mut silence => Next::Silence,
            };
            let mut heard = false;
            match next {
                Next::Packet(packet) => {
                    heard = true;
                    self.heard_at = Instant::now();
                    self.hear(packet?)?;
                    while self.may_read_on()
                        && let Some(packet) = self.begun.wire.buffered()?
                    {
                        self.hear(packet)?;
                    }
                }
                Next::Order(order) => self.obey(order)?,
                Next::Room => self.heard_at = Instant::now(),
                Next::Silence => {
                    if !may_read {
                        // It may have said something since.
                        self.heard_at = Instant::now();
                    }
                    let until = self.heard_at + self.begun.silent_max;
                    if until <= Instant::now() {
                        return Err(Ended::Silent.into());
                    }
                    silence.as_mut().reset(until);
                }
            }
            while let Some(order) = self.begun.connection.orders.take() {
                self.obey(order)?;
            }
            let wrote = self.begun.wire.flush().await?;
            if heard && !wrote && self.answers_due > 0 {
                self.begun.wire.acknowledge_now();
            }
        }
    }

    /// Whether more is taken of what is here already, before what is to be written is.
    fn may_read_on(&self) -> bool {
        if !self.pace.has_room() {
            self.begun.hub.own_metrics.pauses.inc();
            return false;
        }
        self.begun.connection.orders.len() < ORDERS_WAITING_MAX
    }

    fn hear(&mut self, packet: MqttPacket) -> Result<(), Over> {
        let version = self.begun.version;
        let answer = match Said::of(packet) {
            Said::Publish(publish) => {
                self.answers_due = self.answers_due.saturating_sub(1);
                return self.published(&publish);
            }
            Said::Acked(packet_id) => {
                if let Some(command) = self.unacked.remove(&packet_id) {
                    self.acked(command)?;
                }
                return Ok(());
            }
            Said::Released(packet_id) => version.completed(packet_id, self.unreleased.remove(&packet_id)),
            Said::Subscribe(packet_id, filters) => {
                let Begun { hub, connection, .. } = &self.begun;
                let asked = filters.into_iter();
                let granted = asked.map(|(filter, qos)| uplink::granted(hub, connection, &filter).then_some(qos));
                version.subscribed(packet_id, granted)
            }
            Said::Unsubscribe(packet_id, filters) => {
                filters.iter().for_each(|filter| self.begun.connection.asks_no_more_for(filter));
                version.unsubscribed(packet_id, filters.len())
            }
            Said::Ping => {
                self.arrivals.look();
                version.pong()
            }
            Said::Disconnect => return Err(Over::Left),
            Said::Nonsense => return Err(Ended::Protocol.into()),
        };
        Ok(self.begun.wire.put(answer)?)
    }

    fn published(&mut self, publish: &Publish) -> Result<(), Over> {
        let Begun { hub, connection, version, .. } = &self.begun;
        let qos = publish.qos;
        let Some(packet_id) = publish.packet_id.filter(|_| qos != QoS::AtMostOnce) else {
            uplink::published(hub, connection, publish, &self.pace.arrival(&Unawaited));
            return Ok(());
        };
        let again = qos == QoS::ExactlyOnce && self.unreleased.contains(&packet_id);
        if !again && qos == QoS::ExactlyOnce && self.unreleased.len() >= hub.receive_max().get().into() {
            return Err(Ended::TooMany.into());
        }
        let arriving = self.arrivals.came();
        let allowed = again || uplink::published(hub, connection, publish, &self.pace.arrival(&arriving));
        // MQTT 5 ends the matter with a refusal; MQTT 3 cannot be told of one.
        if qos == QoS::ExactlyOnce && (allowed || *version == Version::V3) {
            self.unreleased.insert(packet_id);
        }
        arriving.taken(Taken { packet_id, qos, allowed });
        Ok(())
    }

    fn acknowledge(&mut self, Taken { packet_id, qos, allowed }: Taken) -> Result<(), Over> {
        let Begun { wire, version, .. } = &mut self.begun;
        let answer = match qos {
            QoS::ExactlyOnce => version.received(packet_id, allowed),
            QoS::AtLeastOnce | QoS::AtMostOnce => version.acknowledged(packet_id, allowed),
        };
        Ok(wire.put(answer)?)
    }

    fn acked(&mut self, command: Option<CallId>) -> Result<(), Over> {
        if let Some(id) = command {
            uplink::acked(&self.begun.hub, &self.begun.connection, id);
        }
        while self.unacked.len() < self.begun.window
            && let Some(message) = self.held.pop_front()
        {
            self.write(message)?;
        }
        Ok(())
    }

    fn obey(&mut self, order: Order) -> Result<(), Over> {
        let message = match order {
            Order::Close(ended) => return Err(ended.into()),
            Order::Send(message) => message,
            Order::Acknowledge(taken) => return self.acknowledge(taken),
        };
        let waits = message.publish.qos != QoS::AtMostOnce
            && (self.unacked.len() >= self.begun.window || !self.held.is_empty());
        if waits {
            self.held.push_back(message);
            return Ok(());
        }
        self.write(message)
    }

    /// Puts a message on the wire, unless nobody waits for it any more.
    fn write(&mut self, message: Outgoing) -> Result<(), Over> {
        let left = message.deadline.map(|deadline| deadline.left(Instant::now().into_std()));
        if left.is_some_and(|left| left.is_zero()) {
            deliver::dropped(&self.begun.hub, &self.begun.connection, &message);
            return Ok(());
        }
        let kept = message.kept();
        let Outgoing { mut publish, command, correlation, .. } = message;
        if publish.qos != QoS::AtMostOnce {
            let packet_id = self.free_packet_id();
            publish.packet_id = packet_id;
            if let Some(packet_id) = packet_id {
                self.unacked.insert(packet_id, command);
            }
        }
        let Begun { hub, connection, wire, version, .. } = &mut self.begun;
        if *version == Version::V5 && (left.is_some() || correlation.is_some()) {
            let said = publish.properties.take().unwrap_or_default();
            publish.properties = Some(PublishProperties {
                message_expiry_interval: left.and_then(whole_seconds).or(said.message_expiry_interval),
                correlation_data: correlation.map(|id| Bytes::from(id.to_string())).or(said.correlation_data),
                ..said
            });
        }
        deliver::written(hub, connection, kept);
        self.answers_due = self.answers_due.saturating_add(1);
        Ok(wire.put(version.publish(publish))?)
    }

    /// One that no unacknowledged message has. There is always one: the window is smaller than their number.
    fn free_packet_id(&mut self) -> Option<NonZeroU16> {
        for _ in 0..=u16::MAX {
            self.last_packet_id = self.last_packet_id.wrapping_add(1);
            if let Some(id) = NonZeroU16::new(self.last_packet_id).filter(|id| !self.unacked.contains_key(id)) {
                return Some(id);
            }
        }
        None
    }
}

/// Rounded up. An MQTT 5 device is told how long anybody waits.
fn whole_seconds(left: Duration) -> Option<NonZeroU32> {
    NonZeroU32::new(u32::try_from(left.as_millis().div_ceil(1000)).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests;
