//! What devices are told.
//!
//! **Invariants:** `deliver` answers from memory and never waits. A message goes into the session of the device's
//! current connection or nowhere. A QoS 1 command of an asynchronous call is in the outbox before it comes here, so
//! whatever cannot be sent now is kept.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rmqtt_codec::types::{Publish, QoS};
use rmqtt_codec::v5::PublishProperties;
use thingcall_alink as alink;
use thingcall_core::{
    Broadcast, CallMode, DeliverError, Delivery, DeviceKey, Extras, Letter, NotBroadcast, NotCarried, PostAnswer, Qos,
    Sent, SyncTopic, TRACE_PARENT, TraceContext, TransportName, UnixMillis,
};
use thingcall_transport::PublishResult;
use tokio::time::Instant;

use crate::connection::{Connection, Outgoing, Waits};
use crate::flush::{Offer, Take};
use crate::hub::Hub;
use crate::kept::Waiting;
use crate::packet::{Keeps, Version};

/// Entries read from the outbox at once.
const PAGE_MESSAGES: usize = 64;
/// How long the flush waits after the outbox could not be read.
const READ_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// The most that a PUBLISH adds to topic and payload: fixed header, topic length, packet id, properties.
const HEADER_BYTES: usize = 32;
/// The most that a user property adds to its name and its value.
const PAIR_BYTES: usize = 5;

/// Sends a call on its way.
pub(crate) fn deliver(hub: &Arc<Hub>, delivery: &Delivery) -> Result<Sent, DeliverError> {
    // A letter is in no outbox.
    let kept = delivery.mode == CallMode::Async && delivery.qos == Qos::AtLeastOnce && delivery.letter.is_none();
    let Some(connection) = hub.sessions.of_device(&delivery.device.key) else {
        if kept {
            return Ok(Sent::Kept);
        }
        if delivery.letter.is_some() && delivery.qos == Qos::AtLeastOnce {
            return keep(hub, delivery);
        }
        hub.metrics.published(PublishResult::Returned);
        return Err(DeliverError::Offline);
    };
    if !kept {
        let message = composed(hub, &connection, delivery)?;
        return push(hub, &connection, message).map(|()| Sent::Sent);
    }
    let offer = connection.flush().offer(delivery.id, Instant::now());
    match offer {
        Offer::Send => push_kept(hub, &connection, delivery),
        Offer::Sent => Ok(Sent::Sent),
        Offer::Later => Ok(Sent::Kept),
        Offer::LaterAndFlush => {
            start_flush(hub, connection);
            Ok(Sent::Kept)
        }
    }
}

/// Sends a message to those who subscribed to its topic; says to how many.
pub(crate) fn broadcast(hub: &Hub, told: &Broadcast) -> Result<u64, NotBroadcast> {
    if let Some(why) = alink::broadcast_refusal(&told.product, &told.topic) {
        return Err(NotBroadcast::Topic(why));
    }
    let bytes = told.topic.len() + told.payload.len() + HEADER_BYTES;
    let mut handed_on = 0;
    for connection in hub.sessions.of_product(&told.product) {
        if !connection.hears(&told.topic) {
            continue;
        }
        if bytes > connection.packet_bytes_max {
            hub.metrics.published(PublishResult::Failed);
            continue;
        }
        let publish = publish(told.topic.to_string(), told.payload.clone(), quality(told.qos));
        let message = Outgoing { publish, command: None, correlation: None, deadline: None };
        // One that takes no more, or has just left, is counted; the others are told all the same.
        handed_on += u64::from(push(hub, &connection, message).is_ok());
    }
    Ok(handed_on)
}

/// Keeps a letter for a device that is away, where its session is kept. One that connects this very moment is offline yet.
fn keep(hub: &Hub, delivery: &Delivery) -> Result<Sent, DeliverError> {
    let max = hub.config.message_bytes_max as usize;
    let message = outgoing(delivery, SyncTopic::default(), max)?;
    let kept = hub.kept.put(&delivery.device.key, message);
    kept.inspect_err(|why| {
        let full = matches!(why, DeliverError::QueueFull(_));
        hub.metrics.published(if full { PublishResult::Blocked } else { PublishResult::Returned });
    })?;
    Ok(Sent::Kept)
}

/// A device connects: it gets what was kept for it, unless it begins anew.
pub(crate) fn give_kept(hub: &Hub, connection: &Connection, begins_anew: bool) {
    let waiting = hub.kept.end(&connection.device);
    if begins_anew {
        return;
    }
    for Waiting { mut message, since } in waiting {
        if is_outdated(&mut message, since.elapsed()) {
            hub.metrics.published(PublishResult::Failed);
            continue;
        }
        if let Err(why) = push(hub, connection, message) {
            tracing::warn!(device = %connection.device, %why, "a message that was kept for the device is lost");
        }
    }
}

/// Whether a message is of no use any more after so long; if not, for how long it still is.
fn is_outdated(message: &mut Outgoing, waited: Duration) -> bool {
    let Some(properties) = &mut message.publish.properties else { return false };
    let Some(seconds) = properties.message_expiry_interval else { return false };
    let waited = u32::try_from(waited.as_secs()).unwrap_or(u32::MAX);
    properties.message_expiry_interval = NonZeroU32::new(seconds.get().saturating_sub(waited));
    properties.message_expiry_interval.is_none()
}

/// Answers what a device said by itself, at QoS 0.
pub(crate) fn tell(hub: &Hub, answer: &PostAnswer) -> Result<(), DeliverError> {
    let Some(connection) = hub.sessions.of_device(&answer.device) else { return Err(DeliverError::Offline) };
    let (topic, payload) = (alink::answer_topic(answer), alink::answer_payload(answer, UnixMillis::now()));
    let bytes = topic.len() + payload.len() + HEADER_BYTES;
    if bytes > connection.packet_bytes_max {
        hub.metrics.published(PublishResult::Failed);
        return Err(DeliverError::TooLarge { bytes, max: connection.packet_bytes_max });
    }
    let publish = publish(topic, payload, QoS::AtMostOnce);
    push(hub, &connection, Outgoing { publish, command: None, correlation: None, deadline: None })
}

/// Hands a command of the outbox to the session. Whatever hinders that, it is counted when the device has it.
fn push_kept(hub: &Hub, connection: &Connection, delivery: &Delivery) -> Result<Sent, DeliverError> {
    let message = composed(hub, connection, delivery).inspect_err(|_| connection.flush().gave_up(delivery.id))?;
    Ok(if hand_over(hub, connection, message, Waits::Kept) == Handed::Over { Sent::Sent } else { Sent::Kept })
}

/// Hands any other message to the session, unless too many wait there already.
fn push(hub: &Hub, connection: &Connection, message: Outgoing) -> Result<(), DeliverError> {
    let max = usize::from(hub.config.session_queue_messages_max.get());
    match hand_over(hub, connection, message, Waits::OneOf(max)) {
        Handed::Over => Ok(()),
        Handed::NoPlace => {
            hub.metrics.published(PublishResult::Blocked);
            Err(DeliverError::QueueFull(max))
        }
        Handed::Ended { counted } => {
            if !counted {
                hub.metrics.published(PublishResult::Returned);
            }
            Err(DeliverError::Offline)
        }
        // Whoever forgot or wrote it has counted it.
        Handed::OverTooLate => Err(DeliverError::Lost),
    }
}

fn hand_over(hub: &Hub, connection: &Connection, message: Outgoing, waits: Waits) -> Handed {
    if !connection.reserve(waits) {
        return Handed::NoPlace;
    }
    // Counted before it is handed over: the session may write it at once.
    hub.metrics.send_queue_length.inc();
    if !connection.send(message) {
        let ours = connection.release(waits == Waits::Kept);
        if ours {
            hub.metrics.send_queue_length.dec();
        }
        return Handed::Ended { counted: !ours };
    }
    if connection.gone.is_cancelled() {
        // It ended while this was handed over, maybe before its calls were ended; nobody else tells this one.
        forget_waiting(hub, connection);
        return Handed::OverTooLate;
    }
    Handed::Over
}

fn composed(hub: &Hub, connection: &Connection, delivery: &Delivery) -> Result<Outgoing, DeliverError> {
    compose(connection, delivery).inspect_err(|_| hub.metrics.published(PublishResult::Failed))
}

/// Starts the task that sends what the outbox holds for the device. It ends when the device has it all, or with
/// the connection.
pub(crate) fn start_flush(hub: &Arc<Hub>, connection: Arc<Connection>) {
    let own = hub.clone();
    hub.tasks.spawn(async move {
        let gone = connection.gone.clone();
        gone.run_until_cancelled(flush(&own, &connection)).await;
    });
}

async fn flush(hub: &Hub, connection: &Connection) {
    let mut after = None;
    loop {
        let Ok(turn) = hub.outbox_reads.acquire().await else { return };
        let page = match hub.parts.outbox.unacknowledged(&connection.device, after, PAGE_MESSAGES).await {
            Ok(page) => page,
            Err(error) => {
                tracing::warn!(device = %connection.device, %error, "outbox cannot be read");
                drop(turn);
                tokio::time::sleep(READ_AGAIN_AFTER).await;
                continue;
            }
        };
        drop(turn);
        for delivery in &page {
            flush_one(hub, connection, delivery).await;
        }
        if page.len() >= PAGE_MESSAGES {
            after = page.last().map(|delivery| delivery.id);
        } else if connection.flush().settle() {
            return;
        } else {
            after = None;
        }
    }
}

/// Sends one command of the outbox as soon as the window lets it.
async fn flush_one(hub: &Hub, connection: &Connection, delivery: &Delivery) {
    loop {
        let take = connection.flush().take(delivery.id, Instant::now());
        match take {
            Take::Skip => return,
            Take::Full => connection.room.notified().await,
            Take::Send => {
                if let Err(error) = push_kept(hub, connection, delivery) {
                    tracing::warn!(device = %connection.device, id = %delivery.id, %error, "command not sent");
                }
                return;
            }
        }
    }
}

/// The session puts a message on the wire. One that the outbox keeps counts when the device acknowledges it.
pub(crate) fn written(hub: &Hub, connection: &Connection, kept: bool) {
    if !kept {
        hub.metrics.published(PublishResult::Sent);
    }
    if connection.release(kept) {
        hub.metrics.send_queue_length.dec();
    }
}

/// The session drops a message: nobody waits for it any more.
pub(crate) fn dropped(hub: &Hub, connection: &Connection, message: &Outgoing) {
    if connection.release(message.kept()) {
        hub.metrics.send_queue_length.dec();
        hub.metrics.published(PublishResult::Failed);
    }
    if let Some(id) = message.command {
        connection.flush().gave_up(id);
        connection.room.notify_one();
    }
}

/// A connection is over. If the device is offline by that, its calls end.
pub(crate) fn ended(hub: &Hub, connection: &Arc<Connection>) {
    let offline = hub.sessions.leave(connection, || match connection.keeps {
        Keeps::Nothing => {}
        Keeps::For(time) => hub.kept.begin(&connection.device, Some(time)),
        Keeps::ForEver => hub.kept.begin(&connection.device, None),
    });
    forget_waiting(hub, connection);
    if offline {
        hub.own_metrics.sessions.dec();
        hub.parts.replies.device_gone(&connection.device, TransportName::EMBEDDED);
    }
}

/// Its waiting messages will not be written. What the outbox keeps is not lost by that.
pub(crate) fn forget_waiting(hub: &Hub, connection: &Connection) {
    let (lost, kept) = connection.release_all();
    for _ in 0..lost {
        hub.metrics.published(PublishResult::Failed);
    }
    for _ in 0..lost + kept {
        hub.metrics.send_queue_length.dec();
    }
}

/// What became of a message on its way to the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Handed {
    Over,
    NoPlace,
    /// The session had ended; whether somebody counted the message among those that it left.
    Ended {
        counted: bool,
    },
    /// It ended meanwhile.
    OverTooLate,
}

/// The device's PUBLISH, or why there cannot be one.
fn compose(connection: &Connection, delivery: &Delivery) -> Result<Outgoing, DeliverError> {
    let sync_topic = match connection.ext_rrpc {
        true => SyncTopic::Ext,
        false => delivery.sync_topic.unwrap_or_default(),
    };
    outgoing(delivery, sync_topic, connection.packet_bytes_max)
}

/// The PUBLISH of a delivery, in a packet of so many bytes at most.
fn outgoing(delivery: &Delivery, sync_topic: SyncTopic, packet_bytes_max: usize) -> Result<Outgoing, DeliverError> {
    if delivery.deadline.is_some_and(|deadline| deadline.left(Instant::now().into_std()).is_zero()) {
        return Err(DeliverError::Refused("its time was over before it was sent".to_owned()));
    }
    let topic = alink::request_topic(delivery, sync_topic);
    let payload = alink::payload(delivery);
    let traced = delivery.trace.as_ref().map_or(0, |hop| hop.context.pairs_bytes(PAIR_BYTES));
    let bytes = topic.len() + payload.len() + HEADER_BYTES + traced;
    if bytes > packet_bytes_max {
        return Err(DeliverError::TooLarge { bytes, max: packet_bytes_max });
    }
    if let Some(hop) = &delivery.trace {
        hop.published_on(&topic);
    }
    let mut publish = publish(topic, payload, quality(delivery.qos));
    publish.properties = delivery.letter.as_ref().and_then(|letter| letter.extras.as_deref()).map(properties);
    if let Some(hop) = &delivery.trace {
        trace(publish.properties.get_or_insert_default(), &hop.context);
    }
    Ok(Outgoing {
        publish,
        command: (delivery.mode == CallMode::Async && delivery.letter.is_none()).then_some(delivery.id),
        correlation: delivery.raw.as_ref().map(|_| delivery.id),
        deadline: delivery.deadline,
    })
}

/// Tells the place in a trace, unless the application tells one of its own. Only MQTT 5 carries it.
fn trace(properties: &mut PublishProperties, context: &TraceContext) {
    if properties.user_properties.iter().all(|(name, _)| &**name != TRACE_PARENT) {
        properties.user_properties.extend(context.pairs().map(|(name, value)| (name.into(), value.into())));
    }
}

/// What MQTT 5 carries beside a letter.
fn properties(extras: &Extras) -> PublishProperties {
    PublishProperties {
        correlation_data: extras.correlation_data.clone(),
        message_expiry_interval: extras.expires_after_s.and_then(NonZeroU32::new),
        content_type: extras.content_type.as_deref().map(Into::into),
        user_properties: extras
            .user
            .iter()
            .map(|(name, value)| (name.as_str().into(), value.as_str().into()))
            .collect(),
        is_utf8_payload: extras.is_utf8,
        response_topic: extras.response_topic.as_deref().map(Into::into),
        ..PublishProperties::default()
    }
}

/// Whether a letter can be carried to the device. What goes with it needs a device of MQTT 5.
pub(crate) fn carries(hub: &Hub, device: &DeviceKey, letter: &Letter) -> Result<(), NotCarried> {
    if let Some(why) = alink::letter_refusal(device, &letter.to) {
        return Err(NotCarried::Topic(why));
    }
    let speaks_v5 = || hub.sessions.of_device(device).is_none_or(|connection| connection.version == Version::V5);
    if letter.extras.is_none() || speaks_v5() {
        return Ok(());
    }
    let why =
        format!("device {device} is connected by MQTT 3, which carries a topic and bytes and nothing beside them");
    Err(NotCarried::Extras(why))
}

fn quality(qos: Qos) -> QoS {
    match qos {
        Qos::AtMostOnce => QoS::AtMostOnce,
        Qos::AtLeastOnce => QoS::AtLeastOnce,
    }
}

fn publish(topic: String, payload: Bytes, qos: QoS) -> Box<Publish> {
    let topic = topic.into();
    Box::new(Publish { dup: false, retain: false, qos, topic, packet_id: None, payload, properties: None })
}
