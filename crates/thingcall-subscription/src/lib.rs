//! How results, status and posts reach the application.

#![forbid(unsafe_code)]

mod amqp;

mod ledger;
mod output;

mod user;

mod limits;
mod machine;

pub use amqp::Amqp;
pub mod words;

pub use limits::Limits;
pub use machine::{
    BodyEncoding, Condition, Decision, DeliveryId, Event, Fault, Machine, NotSent, Notice, Outcome, Password, Why,
};
pub use user::{CLIENT_ID_CHARS_MAX, USER_BYTES_MAX, User, UserFault};
