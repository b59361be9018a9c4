//! Whom the gate answers, and its limits.
//!
//! **Invariant:** whatever a broker or a device can make grow has its limit here, or a constant beside its use.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;
use thingcall_core::{Secret, TransportName};

use crate::endpoint::Broker;

/// The `[gate]` section.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where brokers ask. Off without it. Plain HTTP that carries passwords: keep it on this machine, or on a network
    /// of the brokers' own.
    pub listen: Option<SocketAddr>,
    /// What every question must show: in the header `authorization: Bearer {secret}`, or, for brokers that cannot send
    /// a header, as the first part of the path, `/{secret}/rabbitmq/user`. Needed beyond the loopback addresses.
    pub secret: Option<Secret>,
    /// The brokers' own users: thingcall's connection, administrators. One that is not here, and is no device, is left
    /// to the broker's other backends.
    pub users: Vec<User>,
    /// Whether a client id may be free text. If not, it must be `{productKey}&{deviceName}` or
    /// `{productKey}.{deviceName}` before its bars, as SDKs choose it; then no restart can make it another device's.
    pub free_client_ids: bool,
    /// How many client ids of free text are remembered with their devices, over all brokers; further ones are refused.
    pub client_ids_max: usize,
    /// How long such an id is its device's after it was last seen. Not shorter than a broker keeps sessions.
    #[serde(with = "humantime_serde")]
    pub client_id_hold: Duration,
    /// The largest body or query of a question.
    pub body_bytes_max: usize,
    /// How long a body may take.
    #[serde(with = "humantime_serde")]
    pub body_read_timeout: Duration,
    /// How long a connection may take to send a request's head, and may idle between two. RabbitMQ's client closes
    /// idle connections after two minutes; if the gate did so first, a question could get lost.
    #[serde(with = "humantime_serde")]
    pub idle_timeout: Duration,
    /// How long a broker may take to read its answer.
    #[serde(with = "humantime_serde")]
    pub write_timeout: Duration,
    /// How many connections are open at once. One more takes the place of the one that has waited for a question
    /// longest; where none waits, it waits in the system's queue.
    pub connections_max: usize,
    /// What all questions together may hold before they are answered, beside 8 KiB of each connection.
    pub unauthenticated_bytes_max: usize,
    /// What devices find in RabbitMQ.
    pub rabbitmq: Rabbitmq,
    /// How EMQX is answered.
    pub emqx: Emqx,
    /// How Mosquitto is answered.
    pub mosquitto: Mosquitto,
}

/// A user of a broker that is no device. It may do everything there.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// Its name.
    pub name: String,
    /// Its password.
    pub secret: Secret,
    /// Its tags in RabbitMQ, such as `administrator` or `monitoring`.
    #[serde(default)]
    pub tags: Vec<String>,
}

/// RabbitMQ's part.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rabbitmq {
    /// The transport that reaches the devices of this broker.
    pub transport: TransportName,
    /// The virtual hosts that devices and `users` may enter.
    pub vhosts: Vec<String>,
    /// The exchange of RabbitMQ's MQTT plugin (`mqtt.exchange`).
    pub mqtt_exchange: String,
    /// The topic exchange from which devices that speak AMQP get commands. They may only read it.
    pub commands_exchange: String,
    /// The topic exchange on which they answer. They may only write it.
    pub replies_exchange: String,
    /// What stands before `{productKey}.{deviceName}` in the name of such a device's own queue.
    pub queue_prefix: String,
}

/// EMQX's part.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Emqx {
    /// The transport that reaches the devices of this broker.
    pub transport: TransportName,
    /// Makes EMQX (6.0 and later) call every session `{productKey}.{deviceName}`, whatever client id the device sent:
    /// its session survives client ids that change, and a second connection takes over from the first. An older EMQX
    /// ignores it: leave it off there.
    pub client_id_override: bool,
}

/// The part of Mosquitto with go-auth.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mosquitto {
    /// The transport that reaches the devices of this broker.
    pub transport: TransportName,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: None,
            secret: None,
            users: Vec::new(),
            free_client_ids: true,
            client_ids_max: 100_000,
            client_id_hold: Duration::from_secs(24 * 60 * 60),
            body_bytes_max: 16 * 1024,
            body_read_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(150),
            write_timeout: Duration::from_secs(10),
            connections_max: 1000,
            unauthenticated_bytes_max: 8 * 1024 * 1024,
            rabbitmq: Rabbitmq::default(),
            emqx: Emqx::default(),
            mosquitto: Mosquitto::default(),
        }
    }
}

impl Default for Emqx {
    fn default() -> Self {
        Self { transport: TransportName::MQTT, client_id_override: false }
    }
}

impl Default for Mosquitto {
    fn default() -> Self {
        Self { transport: TransportName::MQTT }
    }
}

impl Default for Rabbitmq {
    fn default() -> Self {
        Self {
            transport: TransportName::AMQP,
            vhosts: vec!["/".to_owned()],
            mqtt_exchange: "amq.topic".to_owned(),
            commands_exchange: "thingcall.commands".to_owned(),
            replies_exchange: "thingcall.replies".to_owned(),
            queue_prefix: "thingcall.device.".to_owned(),
        }
    }
}

impl Config {
    /// The transport that reaches the devices of a broker.
    pub(crate) fn transport(&self, broker: Broker) -> TransportName {
        match broker {
            Broker::Rabbitmq => self.rabbitmq.transport,
            Broker::Emqx => self.emqx.transport,
            Broker::Mosquitto => self.mosquitto.transport,
        }
    }

    /// What is wrong with the values, one sentence each with the key and what would be right.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for (key, value) in [
            ("client_ids_max", self.client_ids_max),
            ("body_bytes_max", self.body_bytes_max),
            ("connections_max", self.connections_max),
            ("unauthenticated_bytes_max", self.unauthenticated_bytes_max),
        ] {
            if value == 0 {
                problems.push(format!("{key} is 0; right is 1 or more"));
            }
        }
        for (key, value) in [
            ("client_id_hold", self.client_id_hold),
            ("body_read_timeout", self.body_read_timeout),
            ("idle_timeout", self.idle_timeout),
            ("write_timeout", self.write_timeout),
        ] {
            if value.is_zero() {
                problems.push(format!("{key} is 0s; right is more than 0s"));
            }
        }
        if self.listen.is_some_and(|address| !address.ip().is_loopback()) && self.secret.is_none() {
            problems.push("listen is no loopback address and there is no secret; right is one of both".to_owned());
        }
        if self.secret.as_ref().is_some_and(|secret| !fits_path(secret.expose())) {
            problems.push("secret is empty or cannot stand in a path; right is A-Z a-z 0-9 - _ . ~".to_owned());
        }
        self.rabbitmq.problems(&mut problems);
        for user in &self.users {
            user.problems(&mut problems);
        }
        problems
    }
}

impl User {
    fn problems(&self, problems: &mut Vec<String>) {
        let Self { name, secret, tags } = self;
        if name.is_empty() || name.contains('&') {
            problems
                .push(format!("users: the name {name:?} is empty or looks like a device's; right is one without &"));
        }
        if secret.expose().is_empty() {
            problems.push(format!("users: {name:?} has an empty secret; right is a long one"));
        }
        if let Some(tag) = tags.iter().find(|tag| !fits_path(tag)) {
            problems.push(format!("users: {name:?} has the tag {tag:?}; right is A-Z a-z 0-9 - _ . ~"));
        }
    }
}

impl Rabbitmq {
    fn problems(&self, problems: &mut Vec<String>) {
        if self.vhosts.is_empty() {
            problems.push("rabbitmq.vhosts is empty; right is a list of virtual hosts, such as [\"/\"]".to_owned());
        }
        let Self { mqtt_exchange, commands_exchange, replies_exchange, .. } = self;
        // A device that speaks AMQP may dead-letter what its queue holds to any exchange it may write, under any
        // routing key. With three exchanges that is nothing but its own commands, on the exchange for replies.
        if mqtt_exchange == commands_exchange || [mqtt_exchange, commands_exchange].contains(&replies_exchange) {
            problems.push(
                "rabbitmq.mqtt_exchange, commands_exchange and replies_exchange are not all different; right is three \
                 exchanges"
                    .to_owned(),
            );
        }
        for (key, name) in [
            ("mqtt_exchange", mqtt_exchange),
            ("commands_exchange", commands_exchange),
            ("replies_exchange", replies_exchange),
        ] {
            if name.is_empty() || name == "amq.default" {
                problems.push(format!("rabbitmq.{key} is {name:?}; right is the name of a topic exchange"));
            }
        }
        if self.queue_prefix.is_empty() || self.queue_prefix.starts_with("mqtt-subscription-") {
            let prefix = &self.queue_prefix;
            problems.push(format!("rabbitmq.queue_prefix is {prefix:?}; right is one that no other queue begins with"));
        }
    }
}

/// Whether a text needs no escaping in a path, nor cuts a list at blanks.
fn fits_path(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.~".contains(&b))
}

#[cfg(test)]
mod tests;
