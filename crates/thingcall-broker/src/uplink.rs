//! What devices say.
//!
//! **Invariant:** a message counts as its session's device, whatever its topic says, and ends here: it is handed to
//! the reply sink or noted, and forwarded to nobody.

use rmqtt_codec::types::Publish;
use thingcall_alink::{self as alink, Uplink};
use thingcall_core::{CallId, DeviceKey, PublishResult, ReceivedKind, TransportKind, TransportName, UnixMillis};
use tokio::time::Instant;

use crate::broker::Inner;
use crate::connection::Connection;

impl Inner {
    /// Decides about a PUBLISH and takes it. A refused one is acknowledged as the protocol can say it (MQTT 5: not
    /// authorized; MQTT 3 has no word for it, so the PUBACK is a plain one) and dropped.
    pub(crate) fn published(&self, connection: &Connection, publish: &Publish) -> bool {
        let device = &connection.device;
        if connection.gone.is_cancelled() {
            // Taken over or disabled: its session is about to end.
            return false;
        }
        if !alink::may_publish(device, &publish.topic) {
            tracing::debug!(%device, "publish refused");
            return false;
        }
        let now = UnixMillis::now();
        if connection.seen(now) {
            self.parts.presence.seen(device, TransportName::EMBEDDED, now);
        }
        let bytes_max = self.config.message_bytes_max as usize;
        let replies = &self.parts.replies;
        let speaks_raw = |_: &_| replies.speaks_raw(device);
        match alink::uplink(TransportKind::Embedded, &publish.topic, &publish.payload, bytes_max, speaks_raw) {
            Uplink::Reply(mut reply) => {
                reply.device.clone_from(device);
                self.metrics.received(ReceivedKind::Reply);
                replies.accept(reply);
            }
            Uplink::Raw(mut raw) => {
                raw.device.clone_from(device);
                self.metrics.received(ReceivedKind::Reply);
                replies.accept_raw(raw);
            }
            Uplink::Other(_) | Uplink::Echo | Uplink::Foreign => self.metrics.received(ReceivedKind::Other),
        }
        true
    }

    /// Decides about one filter of a SUBSCRIBE: granted where the device's own topics are among what it matches, 0x80
    /// otherwise. Nothing depends on it: a device gets its messages, and no other's, whether it subscribed or not.
    pub(crate) fn granted(device: &DeviceKey, filter: &str) -> bool {
        alink::may_ask_for(device, filter)
    }

    /// The device acknowledged a command of the outbox.
    pub(crate) fn acked(&self, connection: &Connection, id: CallId) {
        let Some(took) = connection.flush().acked(id, Instant::now()) else { return };
        self.parts.outbox.acknowledged(&connection.device, id);
        self.metrics.published(PublishResult::Acked);
        self.metrics.publish_ack_seconds.observe(took.as_secs_f64());
        connection.room.notify_one();
    }
}
