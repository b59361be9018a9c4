//! A gate as brokers find it: what all questions have in common, and a real RabbitMQ.

mod amqp;
pub(crate) mod bench;
mod rabbit;

mod common;
mod real;
