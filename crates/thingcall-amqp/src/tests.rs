//! The transport against a real RabbitMQ.
