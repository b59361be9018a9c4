//! STOMP 1.1 and 1.2, as far as a consumer of a subscription needs it: one login, one subscription.
//!
//! `protocol` is what a connection does; `frames` are read and written.

mod frames;
mod protocol;

pub(crate) use protocol::StompProtocol;

#[cfg(test)]
mod tests;
