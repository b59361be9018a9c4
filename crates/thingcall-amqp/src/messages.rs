//! Messages of the log for whoever wants them, on a topic exchange: what devices report, status, life cycle, results.
//!
//! The body is the platform's words, or a device's own bytes. The routing key is `{kind}.{productKey}.{deviceName}`; the
//! device's name comes last since it may hold dots: no kind or product key does.
//!
//! **Invariant:** a message that is published again has the same words under the same `message_id`.

use std::sync::Arc;

use lapin::BasicProperties;
use lapin::types::{FieldTable, ShortString};
use thingcall_core::{DeviceKey, Message, MessageFilter, MessageKind, TraceContext};

use crate::amqp::Amqp;
use crate::delivered::{Delivered, NotDelivered, publish, short};
use crate::outgoing::text;
use crate::publisher::Outgoing;
use crate::transport::AmqpTransport;

/// Publishes messages. Clones share one connection.
#[derive(Clone)]
pub struct Messages {
    amqp: Arc<Amqp>,
    exchange: ShortString,
}

impl Messages {
    /// What publishes through this broker; `None` unless `messages_exchange` is set.
    pub fn of(transport: &AmqpTransport) -> Option<Self> {
        let amqp = transport.protocol().clone();
        let exchange = amqp.config.messages_exchange.as_deref()?.into();
        Some(Self { amqp, exchange })
    }

    /// How many may wait to be published.
    pub fn due_max(&self) -> usize {
        self.amqp.config.messages_due_max.get()
    }

    /// Which are to be published.
    pub fn filter(&self) -> &MessageFilter {
        &self.amqp.config.messages_filter
    }

    /// Publishes one, and waits until the broker has it on disk where a durable queue takes it.
    ///
    /// # Errors
    /// Why it is not published, or may not be.
    pub async fn publish(&self, message: &Message) -> Result<Delivered, NotDelivered> {
        publish(&self.amqp, outgoing(self.exchange.clone(), message)?).await
    }
}

fn outgoing(exchange: ShortString, message: &Message) -> Result<Outgoing, NotDelivered> {
    let DeviceKey { product, name } = &message.device;
    let kind = message.kind.as_str();
    let mut headers = FieldTable::default();
    for (header, value) in [
        ("topic", message.words.topic.as_str()),
        ("kind", kind),
        ("productKey", product.as_str()),
        ("deviceName", name.as_str()),
    ] {
        headers.insert(header.into(), text(value));
    }
    for (header, value) in message.words.trace.iter().flat_map(TraceContext::pairs) {
        headers.insert(header.into(), text(&value));
    }
    let content_type =
        if message.kind == MessageKind::Custom { "application/octet-stream" } else { "application/json" };
    let properties = BasicProperties::default()
        .with_content_type(content_type.into())
        .with_delivery_mode(2)
        .with_message_id(short(message.id.to_string())?)
        .with_timestamp(u64::try_from(message.at.0 / 1000).unwrap_or_default())
        .with_headers(headers);
    let routing_key = short(format!("{kind}.{product}.{name}"))?;
    Ok(Outgoing { exchange, routing_key, properties, payload: message.words.body.clone(), until: None })
}

#[cfg(test)]
mod tests {
    //! What a message looks like on its way.

    use thingcall_core::{MessageId, UnixMillis, Words};

    use super::*;

    #[test]
    fn the_device_s_name_comes_last_and_its_own_bytes_are_no_json() {
        let device = DeviceKey { product: "pk".try_into().unwrap(), name: "a.b".try_into().unwrap() };
        let words = Words { topic: "/pk/a.b/user/t".to_owned(), body: "\u{1}".into(), trace: None };
        let (kind, at) = (MessageKind::LifeCycle, UnixMillis(5999));
        let message = Message { place: 1, id: MessageId(7), kind, device, at, words };
        let told = outgoing("e".into(), &message).unwrap();
        assert_eq!(told.routing_key.as_str(), "life_cycle.pk.a.b");
        let properties = &told.properties;
        assert_eq!(properties.message_id().as_ref().map(ShortString::as_str), Some("7"));
        assert_eq!((properties.timestamp(), properties.delivery_mode()), (&Some(5), &Some(2)));
        let told = outgoing("e".into(), &Message { kind: MessageKind::Custom, ..message }).unwrap();
        let content_type = told.properties.content_type().as_ref().map(ShortString::as_str);
        assert_eq!(content_type, Some("application/octet-stream"));
    }
}
