//! A consumer's side of AMQP against the machine: each thing that clients do, or suffer from, is a test of its own.

mod codec;
mod consumer;
mod credit;
mod links;
mod logins;
mod settlement;
mod times;
mod transfers;

mod garbage;
mod model;
