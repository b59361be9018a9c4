//! The embedded MQTT broker, and the transport straight into it.
//!
//! Read in this order: [`Config`], [`Broker`] (start and stop), `accept` (connections before their CONNECT), `lobby` (how
//! many there may be), `login` (who may connect), `sessions` (who is connected), `session` (one of them) and `orders` (what it is to do), `uplink` (what
//! devices say), `deliver` (what devices are told), `flush` (QoS 1 commands that waited for a device). All of these share
//! the `hub`. `wire` and `packet` are MQTT's bytes and words, read and written by the codec of `rmqtt`; `websocket` is
//! another way to them.
//!
//! **Invariants:** one connection per device, whatever client id it sends. A device speaks and hears under its own topics
//! alone; nothing a device publishes reaches another client. What it is told goes straight into its session, whether it
//! subscribed or not, once. Commands that must survive are in the [`thingcall_core::Outbox`]: nothing is kept here for
//! an absent device, and nothing is sent twice on a connection. Sockets are bounded in number, and in time until they
//! have logged in.

mod broker;
mod config;
mod metrics;

mod accept;
mod enrol;
mod login;
mod tls;

mod session;
mod uplink;

mod deliver;

mod hub;
mod kept;
mod lobby;
mod orders;
mod sessions;

mod connection;
mod flush;
mod pace;

mod packet;
mod websocket;
mod wire;

#[cfg(test)]
mod tests;

pub use broker::{Broker, Looked, Sockets, StartError};
pub use config::{Config, Tls, WebSocket};
pub use hub::BrokerParts;
