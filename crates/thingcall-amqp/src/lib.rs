//! Transport over lapin to RabbitMQ: devices that speak AMQP 0.9.1, and MQTT devices behind RabbitMQ's MQTT plugin.
