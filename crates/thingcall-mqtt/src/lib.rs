//! Transport over rumqttc to any external MQTT broker (3.1.1 and 5).
//!
//! The kit's supervisor makes a new client for each connection: nothing that was queued for a broken one can leave on the
//! next, long after its caller was told. While there is no connection, nothing is taken.
//!
//! **Invariants:** the receive loop awaits nothing but the socket. Deliveries are taken only while connected *and*
//! subscribed.

mod config;
mod tls;

mod client;
mod echoes;
mod events;
mod letters;
mod unacked;

mod connection;
mod messages;
mod mqtt;
mod posts;

mod transport;

pub use config::{Config, Posts, Presence, Version};
pub use messages::{Delivered, Messages, NotDelivered};
pub use transport::MqttTransport;

#[cfg(test)]
mod tests;
