//! Transport over lapin to RabbitMQ: devices that speak AMQP 0.9.1, MQTT devices behind RabbitMQ's MQTT plugin, and the
//! results of asynchronous calls. `README.md` beside this crate is the contract with devices and consumers.
//!
//! One task owns the connections and makes new ones when they end; lapin's own recovery is off. So nothing that was
//! queued for a broken connection can leave on the next one, and each end is told to the engine once.
//!
//! Requests and replies have a connection each: RabbitMQ stops reading from one that publishes while it is short of
//! memory or disk, and the replies of what was sent before must still be acknowledged and come in.
//!
//! **Invariants:** deliveries are taken only while both connections are up and the consumer of the replies runs. On a
//! channel at most one message is unconfirmed: lapin cannot say to which of several a returned one belongs. When a
//! connection ends, the engine is told after the last delivery was taken on it. The receive loop awaits nothing but
//! the sockets.

mod config;

mod transport;
mod watch;

mod bindings;
mod keys;
mod outgoing;
mod owed;
mod publisher;

mod inbound;
mod link;

mod results;

mod socket;
mod tls;

pub use config::{Config, Voucher};
pub use results::{Delivered, NotDelivered, ResultMessage, Results};
pub use transport::AmqpTransport;

#[cfg(test)]
mod tests;
