//! What RabbitMQ tells of connections, where `rabbitmq_event_exchange` is enabled: whose begin and end, of either protocol.
//!
//! The end of one names it and, by version, not its user.

use lapin::BasicProperties;
use lapin::types::AMQPValue;
use thingcall_alink::device_of;
use thingcall_core::{DeviceKey, UnixMillis};

/// Where it is told, in the default virtual host.
pub(crate) const EVENT_EXCHANGE: &str = "amq.rabbitmq.event";
const CREATED: &str = "connection.created";
const CLOSED: &str = "connection.closed";
/// What concerns devices.
pub(crate) const EVENT_KEYS: [&str; 2] = [CREATED, CLOSED];

/// An event of a connection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event<'a> {
    Created { device: DeviceKey, connection: &'a str, address: Option<&'a str>, at: UnixMillis },
    Closed { connection: &'a str, at: UnixMillis },
}

/// Reads an event; `None` if it is of no device's connection, or of one to another virtual host.
pub(crate) fn read<'a>(key: &str, properties: &'a BasicProperties, vhost: &str) -> Option<Event<'a>> {
    let headers = properties.headers().as_ref()?.inner();
    let text = |name: &str| {
        let text = headers.get(name)?.as_long_string()?;
        std::str::from_utf8(text.as_bytes()).ok()
    };
    let at = match headers.get("timestamp_in_ms") {
        Some(AMQPValue::LongLongInt(at)) => UnixMillis(*at),
        _ => UnixMillis::now(),
    };
    let connection = text("pid")?;
    match key {
        CLOSED => Some(Event::Closed { connection, at }),
        CREATED if text("vhost").is_none_or(|of| of == vhost) => {
            Some(Event::Created { device: device_of(text("user")?)?, connection, address: text("peer_host"), at })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
