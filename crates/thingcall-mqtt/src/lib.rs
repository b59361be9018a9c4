//! Transport over rumqttc to any external MQTT broker (3.1.1 and 5).
//!
//! One task owns the connection and builds a new client for each: nothing that was queued for a broken connection can
//! leave on the next one, long after its caller was told. While there is no connection, nothing is taken.
//!
//! **Invariants:** the receive loop awaits nothing but the socket. Deliveries are taken only while connected *and*
//! subscribed. When a connection ends, the engine is told after the last delivery was taken on it.

mod config;

mod transport;

mod connection;

mod echoes;

mod client;

mod tls;

mod watch;

mod unacked;

pub use config::{Config, Version};
pub use transport::MqttTransport;

#[cfg(test)]
mod tests;
