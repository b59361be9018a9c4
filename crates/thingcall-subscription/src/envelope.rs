//! A message as one JSON object, for applications that do not speak the platform's protocols.
//!
//! **Invariant:** a message that is told again has the same bytes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;
use thingcall_core::{Message, MessageKind, TraceContext};

use crate::words::time;

/// A message with what is around it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope<'a> {
    /// The message's id: who sees it twice was told something twice.
    id: String,
    r#type: &'static str,
    timestamp: String,
    topic: &'a str,
    product_key: &'a str,
    device_name: &'a str,
    /// The body in the platform's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
    /// The bytes of a custom topic, whatever they hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    data_base64: Option<String>,
    /// The place in a trace that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<String>,
    /// What tracing systems say to themselves beside it.
    #[serde(skip_serializing_if = "Option::is_none")]
    tracestate: Option<&'a str>,
}

impl<'a> Envelope<'a> {
    /// Of this message.
    pub fn of(message: &'a Message) -> Self {
        let body = &message.words.body;
        let is_json = message.kind != MessageKind::Custom;
        let data = is_json.then(|| serde_json::from_slice(body).ok()).flatten();
        Self {
            id: message.id.to_string(),
            r#type: message.kind.as_str(),
            timestamp: time::utc(message.at),
            topic: &message.words.topic,
            product_key: message.device.product.as_str(),
            device_name: message.device.name.as_str(),
            data,
            data_base64: data.is_none().then(|| STANDARD.encode(body)),
            traceparent: message.words.trace.as_ref().map(TraceContext::parent),
            tracestate: message.words.trace.as_ref().and_then(|trace| trace.state.as_deref()),
        }
    }

    /// Its JSON, on one line.
    pub fn to_json(&self) -> Bytes {
        // Texts, and JSON that was read as such, can always be written.
        Bytes::from(serde_json::to_vec(self).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    //! The two forms.

    use thingcall_core::{DeviceKey, MessageId, UnixMillis, Words};

    use super::*;

    fn told(kind: MessageKind, body: &'static [u8]) -> String {
        let device = DeviceKey { product: "pk".try_into().unwrap(), name: "d".try_into().unwrap() };
        let words = Words { topic: "/pk/d/t".to_owned(), body: Bytes::from_static(body), trace: None };
        let message = Message { place: 1, id: MessageId(7), kind, device, at: UnixMillis(5), words };
        String::from_utf8(Envelope::of(&message).to_json().to_vec()).unwrap()
    }

    #[test]
    fn words_of_the_platform_stand_as_they_are() {
        let expected = r#"{"id":"7","type":"life_cycle","timestamp":"1970-01-01T00:00:00.005Z","topic":"/pk/d/t","productKey":"pk","deviceName":"d","data":{"a": 1.50}}"#;
        assert_eq!(told(MessageKind::LifeCycle, br#"{"a": 1.50}"#), expected);
    }

    #[test]
    fn a_devices_own_bytes_are_base64_also_where_they_are_json() {
        assert!(told(MessageKind::Custom, b"{}").ends_with(r#""dataBase64":"e30="}"#));
        assert!(told(MessageKind::Custom, b"\xff\n").ends_with(r#""dataBase64":"/wo="}"#));
    }
}
