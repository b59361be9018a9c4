//! Transport over lapin to RabbitMQ: devices that speak AMQP 0.9.1, MQTT devices behind RabbitMQ's MQTT plugin, and the
//! messages for applications. `README.md` beside this crate is the contract with devices and consumers.
//!
//! The kit's supervisor makes new connections when they end; lapin's own recovery is off. So nothing that was queued for a
//! broken connection can leave on the next one, and each end is told to the engine once.
//!
//! Requests and replies have a connection each: RabbitMQ stops reading from one that publishes while it is short of
//! memory or disk, and the replies of what was sent before must still be acknowledged and come in.
//!
//! **Invariants:** deliveries are taken only while both connections are up and the queue of their slot is consumed. On a
//! channel at most one message is unconfirmed: lapin cannot say to which of several a returned one belongs. The receive
//! loop awaits nothing but the sockets.

mod config;
mod tls;

mod keys;
mod owed;
mod publisher;
mod socket;

mod bindings;
mod events;
mod inbound;
mod outgoing;
mod queues;

mod amqp;
mod connections;

mod delivered;
mod messages;
mod results;
mod transport;

pub use config::{Config, Presence, Voucher};
pub use delivered::{Delivered, NotDelivered};
pub use messages::Messages;
pub use results::{ResultMessage, Results};
pub use transport::AmqpTransport;

#[cfg(test)]
mod tests;
