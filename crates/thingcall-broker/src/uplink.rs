//! What devices say.
//!
//! **Invariant:** a message counts as its session's device, whatever its topic says, and ends here: it is handed to
//! the reply sink or noted, and forwarded to nobody.

use rmqtt_codec::types::Publish;
use thingcall_alink::{self as alink, Uplink};
use thingcall_core::{
    Arrival, CallId, DropReason, Dropped, HeardOnce, PeerText, TransportKind, TransportName, UnixMillis,
};
use thingcall_transport::{PublishResult, ReceivedKind};
use tokio::time::Instant;

use crate::connection::Connection;
use crate::hub::Hub;

/// Decides about a PUBLISH and takes it. A refused one is acknowledged as the protocol can say it (MQTT 5: not
/// authorized; MQTT 3 has no word for it, so the PUBACK is a plain one) and dropped.
pub(crate) fn published(hub: &Hub, connection: &Connection, publish: &Publish, arrival: &dyn Arrival) -> bool {
    if connection.gone.is_cancelled() {
        // Taken over or disabled: its session is about to end.
        return false;
    }
    let (device, replies) = (&connection.device, &hub.parts.replies);
    let dropped = |reason| {
        let (topic, bytes) = (&*publish.topic, publish.payload.len());
        let transport = TransportKind::Embedded;
        replies.dropped(Dropped { device: Some(device), transport, reason, topic, bytes, problem: None });
    };
    if !alink::may_publish(device, &publish.topic) {
        dropped(match alink::device_of_topic(&publish.topic) {
            Some(named) if named != *device => DropReason::OtherDevicesTopic,
            Some(_) | None => DropReason::ForeignTopic,
        });
        return false;
    }
    let now = UnixMillis::now();
    if connection.seen(now) {
        hub.parts.presence.seen(device, TransportName::EMBEDDED, now);
    }
    let bytes_max = hub.config.message_bytes_max as usize;
    let takes = |_: &_, id| replies.takes(device, id);
    match alink::uplink(TransportKind::Embedded, &publish.topic, &publish.payload, bytes_max, takes) {
        Uplink::Reply(mut reply) => {
            reply.device.clone_from(device);
            hub.metrics.received(ReceivedKind::Reply);
            replies.accept(reply, &publish.topic, arrival);
        }
        Uplink::Raw(mut raw) => {
            raw.device.clone_from(device);
            hub.metrics.received(ReceivedKind::Reply);
            // Its answers and its reports come on one topic, and nobody else hears them.
            let heard = HeardOnce { by: TransportName::EMBEDDED, answers: true };
            replies.accept_raw_post(raw, heard, &publish.topic, arrival);
        }
        Uplink::Post(mut post) => {
            post.device.clone_from(device);
            hub.metrics.received(ReceivedKind::Post);
            replies.accept_post(*post, TransportName::EMBEDDED, &publish.topic, arrival);
        }
        // What else a device may publish is none of ours.
        Uplink::Other(_) | Uplink::Dropped(None, _) => {
            hub.metrics.received(ReceivedKind::Other);
            replies.passed_by(device, TransportKind::Embedded, &publish.topic, publish.payload.len());
        }
        Uplink::Dropped(Some(_), reason) => {
            hub.metrics.received(ReceivedKind::Other);
            dropped(reason);
        }
    }
    true
}

/// Decides about one filter of a SUBSCRIBE: granted where the device's own topics are among what it matches, 0x80
/// otherwise. A device gets its messages, and no other's, whether it subscribed or not; what is told many devices of its product
/// it gets where it subscribed.
pub(crate) fn granted(hub: &Hub, connection: &Connection, filter: &str) -> bool {
    let device = &connection.device;
    let refused = if !alink::may_ask_for(device, filter) {
        "no topic of the device's own"
    } else if alink::may_hear_broadcasts(device, filter) && !connection.asks_for(filter) {
        "the device has as many filters of broadcasts as may be"
    } else {
        return true;
    };
    hub.own_metrics.subscriptions_refused.inc();
    tracing::info!(%device, filter = %PeerText::new(filter), "subscription refused: {refused}");
    false
}

/// The device acknowledged a command of the outbox.
pub(crate) fn acked(hub: &Hub, connection: &Connection, id: CallId) {
    let Some(took) = connection.flush().acked(id, Instant::now()) else { return };
    hub.parts.outbox.acknowledged(&connection.device, id);
    hub.parts.replies.acknowledged(&connection.device, id);
    hub.metrics.published(PublishResult::Acked);
    hub.metrics.publish_ack_seconds.observe(took.as_secs_f64());
    connection.room.notify_one();
}
