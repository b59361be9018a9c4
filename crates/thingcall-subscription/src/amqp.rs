//! AMQP 1.0, as far as a consumer of a subscription needs it: SASL PLAIN, sessions, one link to receive on.
//!
//! Read in this order: `protocol` (the phases), `endpoint` (what an open connection holds), `session` and
//! `link` (their arithmetic), `transfer` (a delivery in frames). `heard` and `said` are what peer and server say; below
//! them are `frames`, `fields`, `walk` to read and `write` to write.

mod protocol;

mod endpoint;

mod link;
mod session;
mod transfer;

mod heard;
mod said;

mod fields;
mod frames;
mod walk;
mod write;

pub(crate) use protocol::AmqpProtocol;

#[cfg(test)]
mod tests;
