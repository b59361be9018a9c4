//! Where applications connect to read what goes to their consumer groups: AMQP 1.0 and STOMP, over TLS.
//!
//! What is spoken on a connection is a machine of `thingcall-subscription`, which is pure; this crate is all that is not:
//! sockets, certificates, who may come in, and which of a group's consumers gets which message of the log.
//!
//! Read in this order: `endpoint` (listeners, and the way back), `conversation` (one connection, driven), `login` (who may come
//! in), `groups` and `group` (who is connected), `dispatch` (what takes messages from the log and hands them out).
//!
//! **Invariants:** what was taken from the log is at each moment with one connection, or waits in its group for one; it ends
//! settled or given back, also where a connection, a group or the server ends. Nothing is taken that no connection has room for.
//! Messages that nobody was given go out before those that came back, which have a quarter of the room once a second, so that
//! they go out at all. A client that may come another time is never told "no": see `NotIn`.

mod endpoint;

mod conversation;
mod deliveries;
mod wire;

mod login;

mod groups;

mod dispatch;

mod group;

mod metrics;
mod minute;
mod rate;

mod config;

mod certificate;

#[cfg(test)]
mod tests;

pub use config::{Config, Tls};
pub use endpoint::{Addresses, Endpoint, EndpointParts, NotStarted, Sockets};
