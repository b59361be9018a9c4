//! Credentials and topics of devices, for brokers that ask over HTTP: RabbitMQ, EMQX, Mosquitto with go-auth.
//!
//! Read it in the order of a question: `server` accepts connections, `request` reads a question (`endpoint` says which,
//! `fields` what it holds) and answers it, `rabbitmq`, `emqx` and `mosquitto` decide in their broker's words, which
//! `broker` says are needed, `who` says whose a user name and a client id are.
//!
//! **Invariant:** a broker is never told more than the embedded broker would grant: a device enters only if it is
//! registered, enabled and proved its secret; its client id is no other device's; it publishes and subscribes where
//! `thingcall_alink` says it may, and nothing makes it an administrator. What cannot be read is not allowed.

mod config;
mod metrics;

mod server;

mod request;

mod endpoint;

mod emqx;
mod mosquitto;
mod rabbitmq;

mod broker;
mod fields;

mod client_ids;
mod denial;
mod who;

#[cfg(test)]
mod tests;

pub use config::{Config, Emqx, Mosquitto, Rabbitmq, User};
pub use server::{Gate, GateParts};
pub use who::amqp_client_id;
