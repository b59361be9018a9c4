//! How results, status and posts reach the application.

#![forbid(unsafe_code)]

mod amqp;
mod stomp;

mod connection;
mod core;
mod ledger;
mod output;

mod user;

mod limits;
mod machine;

use connection::Connection;
use core::Core;

pub mod words;

pub use limits::Limits;
pub use machine::{
    BodyEncoding, Condition, Decision, DeliveryId, Event, Fault, Machine, NotSent, Notice, Outcome, Password, Why,
};
pub use user::{CLIENT_ID_CHARS_MAX, USER_BYTES_MAX, User, UserFault};

/// A connection that begins now and is to speak AMQP 1.0.
pub fn amqp(limits: Limits) -> Box<dyn Machine> {
    Box::new(Connection::new(Core::new(limits), amqp::AmqpProtocol::new(0)))
}

/// A connection that begins now and is to speak STOMP 1.1 or 1.2.
pub fn stomp(limits: Limits) -> Box<dyn Machine> {
    Box::new(Connection::new(Core::new(limits), stomp::StompProtocol::new()))
}
