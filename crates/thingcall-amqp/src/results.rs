//! Results of asynchronous calls for whoever wants them, on a topic exchange.
//!
//! The body is that of the platform's messages on `/{productKey}/{deviceName}/thing/downlink/reply/message`. The routing
//! key is `{productKey}.{module}.{service}.{deviceName}`, with `-` for the default module. The device's name comes last
//! since it may hold dots: no product key, module or service does, so no key reads as another's.
//!
//! **Invariant:** what is called published is confirmed by the broker. Nothing is published twice by us: where no word
//! comes, the caller decides, and consumers know a message by its id.

use std::sync::Arc;

use bytes::Bytes;
use lapin::BasicProperties;
use lapin::types::{FieldTable, ShortString};
use serde::Serialize;
use serde_json::value::RawValue;
use thingcall_core::{CallId, Device, DeviceKey, ServiceId, UnixMillis};

use crate::amqp::Amqp;
use crate::outgoing::text;
use crate::publisher::{Confirmed, NotConfirmed, Outgoing};
use crate::transport::AmqpTransport;

/// How an asynchronous call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultMessage {
    /// When it ended.
    pub at: UnixMillis,
    /// The call.
    pub id: CallId,
    /// The device.
    pub device: Device,
    /// The service.
    pub service: ServiceId,
    /// The device's code; 9201 where the device was offline.
    pub code: i64,
    /// The device's words, or the server's.
    pub message: String,
    /// The device's data, a JSON object as it wrote it.
    pub data: String,
}

/// What became of a published result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivered {
    /// It is in a consumer's queue at least.
    Queued,
    /// No consumer's queue is bound for it: it is kept nowhere.
    Nobody,
}

/// Why a result is not published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotDelivered {
    /// There is no connection, or the broker takes no messages for now; nothing was sent.
    #[error("no connection to the broker of results")]
    Down,
    /// So many wait already; nothing was sent.
    #[error("send queue is full ({0} messages)")]
    QueueFull(usize),
    /// The broker refused it.
    #[error("the broker of results refused it: {0}")]
    Refused(&'static str),
    /// No word came of it; consumers may have it.
    #[error("connection to the broker of results lost while sending")]
    Lost,
    /// It is no message.
    #[error("the result cannot be written: {0}")]
    Unwritable(String),
}

/// Publishes results. Clones share one connection.
#[derive(Clone)]
pub struct Results {
    amqp: Arc<Amqp>,
    exchange: ShortString,
}

/// The members, in the platform's order.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    gmt_create: i64,
    iot_id: &'a str,
    product_key: &'a str,
    device_name: &'a str,
    request_id: u32,
    code: i64,
    message: &'a str,
    topic: String,
    data: &'a RawValue,
}

impl Results {
    /// What publishes through this broker; `None` unless `results_exchange` is set.
    pub fn of(transport: &AmqpTransport) -> Option<Self> {
        let amqp = transport.protocol().clone();
        let exchange = amqp.config.results_exchange.as_deref()?.into();
        Some(Self { amqp, exchange })
    }

    /// Publishes one, and waits until the broker has it on disk where a durable queue takes it.
    ///
    /// # Errors
    /// Why it is not published, or may not be.
    pub async fn publish(&self, message: &ResultMessage) -> Result<Delivered, NotDelivered> {
        let message = self.outgoing(message)?;
        let links = self.amqp.contact.present().ok_or(NotDelivered::Down)?;
        match links.publisher.publish(message, self.amqp.config.publish_ack_timeout).await {
            Ok(Confirmed::Routed) => Ok(Delivered::Queued),
            Ok(Confirmed::Unroutable) => Ok(Delivered::Nobody),
            Err(NotConfirmed::Down | NotConfirmed::Blocked) => Err(NotDelivered::Down),
            Err(NotConfirmed::Full(max)) => Err(NotDelivered::QueueFull(max)),
            Err(NotConfirmed::Refused(why)) => Err(NotDelivered::Refused(why)),
            Err(NotConfirmed::Lost) => Err(NotDelivered::Lost),
        }
    }

    fn outgoing(&self, message: &ResultMessage) -> Result<Outgoing, NotDelivered> {
        let payload = body(message)?;
        let unwritable = |e: &dyn std::fmt::Display| NotDelivered::Unwritable(e.to_string());
        let routing_key = ShortString::try_new(routing_key(message)).map_err(|e| unwritable(&e))?;
        let DeviceKey { product, name } = &message.device.key;
        let mut headers = FieldTable::default();
        headers.insert("topic".into(), text(&format!("/{product}/{name}/thing/downlink/reply/message")));
        let properties = BasicProperties::default()
            .with_content_type("application/json".into())
            .with_delivery_mode(2)
            .with_message_id(
                ShortString::try_new(format!("{}.{}.{}", message.id, message.device.iot_id, message.at.0))
                    .map_err(|e| unwritable(&e))?,
            )
            .with_timestamp(u64::try_from(message.at.0 / 1000).unwrap_or_default())
            .with_headers(headers);
        Ok(Outgoing { exchange: self.exchange.clone(), routing_key, properties, payload, until: None })
    }
}

fn routing_key(message: &ResultMessage) -> String {
    let ServiceId { module, service } = &message.service;
    let DeviceKey { product, name } = &message.device.key;
    match module {
        Some(module) => format!("{product}.{module}.{service}.{name}"),
        None => format!("{product}.-.{service}.{name}"),
    }
}

fn body(message: &ResultMessage) -> Result<Bytes, NotDelivered> {
    let unwritable = |e: serde_json::Error| NotDelivered::Unwritable(e.to_string());
    let DeviceKey { product, name } = &message.device.key;
    let data: &RawValue = serde_json::from_str(&message.data).map_err(unwritable)?;
    let body = Body {
        gmt_create: message.at.0,
        iot_id: message.device.iot_id.as_str(),
        product_key: product.as_str(),
        device_name: name.as_str(),
        request_id: message.id.as_u32(),
        code: message.code,
        message: &message.message,
        topic: format!("/sys/{product}/{name}/thing/service/{}_reply", message.service),
        data,
    };
    serde_json::to_vec(&body).map(Bytes::from).map_err(unwritable)
}
