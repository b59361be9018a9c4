//! Results of asynchronous calls for whoever wants them, on a topic exchange.
//!
//! The body is that of the platform's messages on `/{productKey}/{deviceName}/thing/downlink/reply/message`. The routing
//! key is `{productKey}.{module}.{service}.{deviceName}`, with `-` for the default module. The device's name comes last
//! since it may hold dots: no product key, module or service does, so no key reads as another's.
//!
//! **Invariant:** a result that is published again has the same words under the same `message_id`.

use std::sync::Arc;

use bytes::Bytes;
use lapin::BasicProperties;
use lapin::types::{FieldTable, ShortString};
use serde::Serialize;
use serde_json::value::RawValue;
use thingcall_alink::reply_topic;
use thingcall_core::{CallId, Device, DeviceKey, ServiceId, TraceContext, UnixMillis};

use crate::amqp::Amqp;
use crate::delivered::{Delivered, NotDelivered, publish, short};
use crate::outgoing::text;
use crate::publisher::Outgoing;
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
    /// The place in a trace that it belongs to.
    pub trace: Option<TraceContext>,
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
        publish(&self.amqp, self.outgoing(message)?).await
    }

    fn outgoing(&self, message: &ResultMessage) -> Result<Outgoing, NotDelivered> {
        let payload = body(message)?;
        let routing_key = short(routing_key(message))?;
        let DeviceKey { product, name } = &message.device.key;
        let mut headers = FieldTable::default();
        headers.insert("topic".into(), text(&format!("/{product}/{name}/thing/downlink/reply/message")));
        for (header, value) in message.trace.iter().flat_map(TraceContext::pairs) {
            headers.insert(header.into(), text(&value));
        }
        let properties = BasicProperties::default()
            .with_content_type("application/json".into())
            .with_delivery_mode(2)
            .with_message_id(short(format!("{}.{}.{}", message.id, message.device.iot_id, message.at.0))?)
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

/// The topic that the platform names: for properties that were set, that of the request.
fn topic(message: &ResultMessage) -> String {
    let DeviceKey { product, name } = &message.device.key;
    if message.service.sets_properties() {
        return format!("/sys/{product}/{name}/thing/service/property/set");
    }
    reply_topic(&message.device.key, &message.service)
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
        topic: topic(message),
        data,
    };
    serde_json::to_vec(&body).map(Bytes::from).map_err(unwritable)
}
