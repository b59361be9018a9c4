//! Commands as AMQP messages, for devices of either kind.
//!
//! **Invariant:** every command carries the header [`COMMAND`], by which we know our own where they come back to us.

use std::time::Duration;

use bytes::Bytes;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};
use thingcall_alink::{answer_payload, answer_topic, payload, request_topic};
use thingcall_core::{Broadcast, DeliverError, Delivery, PostAnswer, Qos, SyncTopic, UnixMillis};
use tokio::time::Instant;

use crate::config::Config;
use crate::keys::{can_name, key_of, reply_to};
use crate::publisher::Outgoing;

/// The header of every command; it names the instance that sent it.
pub(crate) const COMMAND: &str = "thingcall-command";
/// The content type of messages in a device's own bytes.
pub(crate) const RAW: &str = "application/octet-stream";
const JSON: &str = "application/json";
/// The content type by which a probe is known among replies.
pub(crate) const PROBE: &str = "application/vnd.thingcall.probe";

/// By what means a device is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// It speaks AMQP 0.9.1 itself.
    Amqp,
    /// It speaks MQTT, through RabbitMQ's plugin.
    Mqtt,
}

impl Way {
    /// The ways that are configured. A device of either kind is tried by AMQP first.
    pub(crate) fn all(config: &Config) -> impl Iterator<Item = Self> {
        let ways = [(config.amqp_devices, Self::Amqp), (config.mqtt_devices, Self::Mqtt)];
        ways.into_iter().filter_map(|(on, way)| on.then_some(way))
    }
}

/// The message for a device. `deadline` is when its call ends, as the runtime's clock has it.
pub(crate) fn command(
    delivery: &Delivery,
    way: Way,
    config: &Config,
    instance: &str,
    deadline: Option<Instant>,
) -> Result<Outgoing, DeliverError> {
    let device = &delivery.device.key;
    if !can_name(device) {
        let why =
            format!("the device name {:?} has a dot in it, which RabbitMQ takes for a level", device.name.as_str());
        return Err(DeliverError::Refused(why));
    }
    let payload = payload(delivery);
    let (bytes, max) = (payload.len(), config.message_bytes_max);
    if bytes > max {
        return Err(DeliverError::TooLarge { bytes, max });
    }
    let (exchange, topic) = match way {
        // All on one topic: mode and id are said beside it.
        Way::Amqp => (&config.commands_exchange, request_topic(delivery, SyncTopic::Service)),
        Way::Mqtt => {
            let sync_topic = delivery.sync_topic.unwrap_or(config.sync_topic);
            (&config.mqtt_exchange, request_topic(delivery, sync_topic))
        }
    };
    if let Some(hop) = &delivery.trace {
        hop.published_on(&key_of(&topic));
    }
    let properties = match way {
        Way::Amqp => properties(delivery, headers(delivery, way, instance))
            .with_correlation_id(delivery.id.to_string().into())
            .with_reply_to(short(reply_to(device, delivery.id.slot()))?),
        Way::Mqtt => properties(delivery, headers(delivery, way, instance)),
    };
    Ok(Outgoing {
        exchange: short(exchange.clone())?,
        routing_key: short(key_of(&topic))?,
        properties,
        payload,
        until: deadline,
    })
}

/// The answer to a report, for a device of this kind.
pub(crate) fn answered(
    answer: &PostAnswer,
    way: Way,
    config: &Config,
    instance: &str,
) -> Result<Outgoing, DeliverError> {
    let exchange = match way {
        Way::Amqp => &config.commands_exchange,
        Way::Mqtt => &config.mqtt_exchange,
    };
    let mut headers = FieldTable::default();
    headers.insert(COMMAND.into(), text(instance));
    if way == Way::Mqtt {
        // Without it the plugin takes a message of AMQP's for QoS 1.
        headers.insert("x-mqtt-publish-qos".into(), AMQPValue::ShortShortInt(0));
    }
    let properties =
        BasicProperties::default().with_content_type(JSON.into()).with_delivery_mode(1).with_headers(headers);
    Ok(Outgoing {
        exchange: short(exchange.clone())?,
        routing_key: short(key_of(&answer_topic(answer)))?,
        properties,
        payload: answer_payload(answer, UnixMillis::now()),
        until: None,
    })
}

/// A message for whoever bound a queue to its topic.
pub(crate) fn to_all(told: &Broadcast, way: Way, config: &Config, instance: &str) -> Result<Outgoing, DeliverError> {
    if told.topic.contains('.') {
        let why = format!("the topic {:?} has a dot in it, which RabbitMQ takes for a level", told.topic);
        return Err(DeliverError::Refused(why));
    }
    let (bytes, max) = (told.payload.len(), config.message_bytes_max);
    if bytes > max {
        return Err(DeliverError::TooLarge { bytes, max });
    }
    let exchange = match way {
        Way::Amqp => &config.commands_exchange,
        Way::Mqtt => &config.mqtt_exchange,
    };
    let (mode, quality) = match told.qos {
        Qos::AtMostOnce => (1, 0),
        Qos::AtLeastOnce => (2, 1),
    };
    let mut headers = FieldTable::default();
    headers.insert(COMMAND.into(), text(instance));
    if way == Way::Mqtt {
        headers.insert("x-mqtt-publish-qos".into(), AMQPValue::ShortShortInt(quality));
    }
    let properties =
        BasicProperties::default().with_content_type(RAW.into()).with_delivery_mode(mode).with_headers(headers);
    Ok(Outgoing {
        exchange: short(exchange.clone())?,
        routing_key: short(key_of(&told.topic))?,
        properties,
        payload: told.payload.clone(),
        until: None,
    })
}

/// To our queue, by the exchange that has every queue under its name.
pub(crate) fn probe(payload: Bytes, queue: &ShortString, timeout: Duration) -> Outgoing {
    let properties = BasicProperties::default().with_content_type(PROBE.into());
    let until = Some(Instant::now() + timeout);
    Outgoing { exchange: "".into(), routing_key: queue.clone(), properties, payload, until }
}

/// AMQP's short texts have 255 bytes at most. None of ours comes near.
pub(crate) fn short(text: String) -> Result<ShortString, DeliverError> {
    ShortString::try_new(text).map_err(|e| DeliverError::Refused(e.to_string()))
}

/// A header's text.
pub(crate) fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(LongString::from(text))
}

fn properties(delivery: &Delivery, headers: FieldTable) -> BasicProperties {
    let is_raw = delivery.raw.is_some() || delivery.letter.is_some();
    let content_type = if is_raw { RAW } else { JSON };
    BasicProperties::default()
        .with_content_type(content_type.into())
        .with_delivery_mode(match delivery.qos {
            Qos::AtMostOnce => 1,
            Qos::AtLeastOnce => 2,
        })
        .with_headers(headers)
}

fn headers(delivery: &Delivery, way: Way, instance: &str) -> FieldTable {
    let mut headers = FieldTable::default();
    headers.insert(COMMAND.into(), text(instance));
    // To devices of MQTT 5 the plugin hands them on as user properties.
    for (name, value) in delivery.trace.iter().flat_map(|hop| hop.context.pairs()) {
        headers.insert(name.into(), text(&value));
    }
    match way {
        Way::Amqp => {
            let device = &delivery.device.key;
            headers.insert("product_key".into(), text(device.product.as_str()));
            headers.insert("device_name".into(), text(device.name.as_str()));
            headers.insert("service".into(), text(&delivery.service.to_string()));
            headers.insert("mode".into(), text(delivery.mode.as_str()));
        }
        // Without it the plugin takes a message of AMQP's for QoS 1.
        Way::Mqtt => {
            headers.insert(
                "x-mqtt-publish-qos".into(),
                AMQPValue::ShortShortInt(match delivery.qos {
                    Qos::AtMostOnce => 0,
                    Qos::AtLeastOnce => 1,
                }),
            );
        }
    }
    headers
}
