//! RabbitMQ's questions, byte for byte as it sent them, and what devices may do there.
