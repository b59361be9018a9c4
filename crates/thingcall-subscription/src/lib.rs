//! How results, status and posts reach the application: AMQP 1.0 and STOMP 1.1 and 1.2, as codecs and state machines
//! without I/O, clock or runtime.
//!
//! A connection is a [`Machine`], whatever it speaks. One task drives it, and nothing else knows it:
//!
//! ```text
//! machine = amqp(limits)                                   // or stomp(limits); `now` is the time since here
//! loop {
//!     while let Some(event) = machine.next_event() {       // after every call
//!         Authenticate { user, password } => User::read(user)?.proves(password, secret), then machine.authenticated(...)
//!         Attached => join the group          Detached => leave it
//!         Settled { delivery, outcome } => outcome.is_done() or back to the group
//!         Late { delivery, outcome } => perhaps it need not be sent again
//!         Closed(why) => log it
//!     }
//!     while machine.room() > 0 {
//!         match next_of_group() { Some(notice) => machine.send(notice), None => { machine.nothing_to_send(); break } }
//!     }
//!     if machine.is_over() { break }
//!     select! {
//!         read from the socket, if machine.wants_input()   => machine.receive(bytes) or, at its end, machine.disconnected()
//!         write machine.output(), if there is any          => machine.written(how_much)
//!         sleep until machine.next_tick()                  => machine.tick()
//!         something to send, if machine.room() > 0         => machine.send(notice)
//!         an order to end (stop, key disabled, ...)        => machine.close(condition, text)
//!     }
//! }
//! write machine.output(); shut the socket for writing; read and forget what comes, up to a time limit
//! ```
//!
//! `examples/tell.rs` is that, over plain sockets. A login may take its time: nothing is taken from the peer until it is
//! answered. The last line lets the peer read why it was closed before the socket is reset.
//!
//! Read in this order: [`Machine`] and [`Event`], `connection` (what is taken when, and due when), `ledger` (what is out and
//! what becomes of it), then `amqp` or `stomp` from their top down. `core` is what those share, and [`User`] is who a
//! consumer says it is.
//!
//! **Invariants:** each delivery is settled exactly once, also where its link, its connection or the socket ends; [`Event::Closed`]
//! is the last event. Nothing is sent beyond credit, window or [`Limits::unsettled_max`]. What a peer makes a machine hold is
//! bounded, before it has logged in and after. Nothing recurses over what a peer sent.
//!
//! A way to applications that has a form of its own, a webhook or a stream, sends an [`Envelope`], and asks [`concerns`] where it
//! is about some modules alone.
//!
//! Where the platform says nothing, this was chosen. A link that asks for settled deliveries gets them, at most once: they
//! count as accepted when the socket took their last byte, as with STOMP's `ack:auto`. A delivery that times out stays in the
//! ledger until its place is needed, so that a slow consumer's answer is still heard ([`Event::Late`]). `rejected` and
//! settling without an outcome are no acceptance. A connection without a link is closed after [`Limits::link_timeout`],
//! also after a detach.

mod amqp;
mod stomp;

mod connection;
mod core;
mod ledger;
mod output;

mod envelope;
mod live;
mod modules;
mod user;

mod limits;
mod machine;

use connection::Connection;
use core::Core;

pub mod words;

/// What a login as a consumer counts as where an access key has rules: the platform has no action for it.
pub const CONSUME: &str = "ConsumeMessages";

pub use envelope::Envelope;
pub use limits::Limits;
pub use live::LiveReader;
pub use machine::{
    BodyEncoding, Condition, Decision, DeliveryId, Event, Fault, Machine, NotSent, Notice, Outcome, Password, Why,
};
pub use modules::concerns;
pub use user::{CLIENT_ID_CHARS_MAX, USER_BYTES_MAX, User, UserFault};

/// A connection that begins now and is to speak AMQP 1.0.
pub fn amqp(limits: Limits) -> Box<dyn Machine> {
    Box::new(Connection::new(Core::new(limits), amqp::AmqpProtocol::new(0)))
}

/// A connection that begins now and is to speak STOMP 1.1 or 1.2.
pub fn stomp(limits: Limits) -> Box<dyn Machine> {
    Box::new(Connection::new(Core::new(limits), stomp::StompProtocol::new()))
}
