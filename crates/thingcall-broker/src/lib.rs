//! The embedded MQTT broker, and the transport straight into it.
//!
//! Read in this order: [`Config`], [`Broker`] (start and stop), `hooks` (where rmqtt asks us), `login` (who may
//! connect), `sessions` (who is connected), `uplink` (what devices say), `deliver` (what devices are told), `flush`
//! (QoS 1 commands that waited for a device).
//!
//! **Invariants:** one connection per device. A device speaks and hears under its own topics alone; nothing a device
//! publishes reaches another client. What it is told goes straight into its session, whether it subscribed or not,
//! once. Commands that must survive are in the [`thingcall_core::Outbox`]: rmqtt keeps nothing for an absent device
//! and sends nothing twice.
//!
//! Two limits that rmqtt 0.24 does not offer: a socket that sends nothing before its CONNECT is not closed, and the
//! number of sockets is not capped (sessions are). So the default address is loopback; a listener that faces a network
//! wants a firewall or proxy with both limits, or an external broker.

mod broker;
mod config;

mod hooks;
mod login;
mod uplink;

mod connection;
mod sessions;

mod deliver;
mod flush;

mod limits;
mod nobody;

#[cfg(test)]
mod tests;

pub use broker::{Broker, Parts, StartError};
pub use config::{Config, Tls, WebSocket};
