//! What comes to our queue, and whose it is.
//!
//! **Invariants:** our own commands are known by their header and by nothing else, so what a device says is heard even
//! where it repeats its command byte for byte. A reply counts only for the device that its voucher names, and a message
//! that comes out of a queue is none: its owner may have it dead-lettered under any key, another device's too.

use bytes::Bytes;
use lapin::BasicProperties;
use thingcall_alink::{Uplink, device_of, uplink};
use thingcall_core::{CallId, DeviceKey, DropReason, RawReply, Reply, Takes, TransportKind};

use crate::config::{Config, Voucher};
use crate::keys::{topic_of, topic_of_reply};
use crate::outgoing::{COMMAND, PROBE, RAW};

/// The header that RabbitMQ puts on what leaves a queue by its dead-letter exchange.
const DEAD_LETTER: &str = "x-death";

/// Who reads it, and how.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    pub(crate) config: &'a Config,
    /// The slot from whose queue it came.
    pub(crate) slot: u8,
}

/// A message, as the broker delivered it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Incoming<'a> {
    pub(crate) exchange: &'a str,
    pub(crate) routing_key: &'a str,
    pub(crate) properties: &'a BasicProperties,
    pub(crate) payload: &'a Bytes,
}

impl Reader<'_> {
    /// What it is, on the topic that [`Self::topic`] found.
    pub(crate) fn read(
        self,
        message: Incoming<'_>,
        topic: &str,
        takes: impl FnOnce(&DeviceKey, Option<CallId>) -> Takes,
    ) -> Uplink {
        let Incoming { exchange, properties, payload, .. } = message;
        let says_raw = properties.content_type().as_ref().is_some_and(|said| said.as_str() == RAW);
        let takes = |device: &DeviceKey, id| match takes(device, id) {
            Takes::Alink if says_raw => Takes::Own,
            takes @ (Takes::Alink | Takes::Own | Takes::Bytes) => takes,
        };
        let said = uplink(TransportKind::Amqp, topic, payload, self.config.message_bytes_max, takes);
        let of_amqp = exchange == self.config.replies_exchange;
        let vouched = !of_amqp || self.config.replies_vouched_by == Voucher::RoutingKey || {
            let user = properties.user_id().as_ref().and_then(|user| device_of(user.as_str()));
            match &said {
                Uplink::Reply(Reply { device, .. }) | Uplink::Raw(RawReply { device, .. }) => {
                    user.as_ref() == Some(device)
                }
                Uplink::Post(post) => user.as_ref() == Some(&post.device),
                Uplink::Other(_) | Uplink::Dropped(..) => true,
            }
        };
        if vouched { said } else { forged(said) }
    }

    /// The topic it is on: an answer to `reply_to` reads as an answer on the topic for such. Or why it is no device's.
    pub(crate) fn topic(self, message: Incoming<'_>) -> Result<String, DropReason> {
        let Incoming { exchange, routing_key, properties, .. } = message;
        if let Some(headers) = properties.headers() {
            if headers.contains_key(COMMAND) {
                return Err(DropReason::Echo);
            }
            if headers.contains_key(DEAD_LETTER) {
                return Err(DropReason::ForeignTopic);
            }
        }
        let topic = if self.config.amqp_devices && exchange == self.config.replies_exchange {
            let id = properties.correlation_id().as_ref().map_or("-", |id| id.as_str());
            // A `/` would make a topic of other levels.
            let id = if id.contains('/') { "-" } else { id };
            topic_of_reply(routing_key, self.slot, id).or_else(|| topic_of(routing_key))
        } else {
            (self.config.mqtt_devices && exchange == self.config.mqtt_exchange).then(|| topic_of(routing_key)).flatten()
        };
        topic.ok_or(DropReason::ForeignTopic)
    }
}

/// A reply that does not come from the device it is said to come from.
fn forged(said: Uplink) -> Uplink {
    match said {
        Uplink::Reply(Reply { device, .. }) | Uplink::Raw(RawReply { device, .. }) => {
            Uplink::Dropped(Some(device), DropReason::OtherDevicesTopic)
        }
        Uplink::Post(post) => Uplink::Dropped(Some(post.device), DropReason::OtherDevicesTopic),
        said @ (Uplink::Other(_) | Uplink::Dropped(..)) => said,
    }
}

/// Whether what came out of our queue is a probe. Only who knows the queue's name can put one there.
pub(crate) fn is_probe(exchange: &str, properties: &BasicProperties) -> bool {
    exchange.is_empty() && properties.content_type().as_ref().is_some_and(|said| said.as_str() == PROBE)
}

#[cfg(test)]
mod tests;
