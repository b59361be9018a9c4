//! Whom the gate answers, and its limits.
//!
//! **Invariant:** whatever a broker or a device can make grow has its limit here, or a constant beside its use.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use serde::Deserialize;
use thingcall_core::{Check, Problem, Secret, Section, TransportName};
use thingcall_listen::Tls;

/// The `[gate]` section.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where brokers ask. Off without it. Without TLS it carries passwords as they are: keep it on this machine, or on a
    /// network of the brokers' own.
    pub listen: Option<SocketAddr>,
    /// TLS of its own; without it, it speaks HTTP.
    pub tls: Option<Tls>,
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
    pub client_ids_max: NonZeroUsize,
    /// How long such an id is its device's after it was last seen. Not shorter than a broker keeps sessions.
    #[serde(with = "humantime_serde")]
    pub client_id_hold: Duration,
    /// The largest body or query of a question.
    pub body_bytes_max: NonZeroUsize,
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
    pub connections_max: NonZeroUsize,
    /// What all questions together may hold before they are answered, beside 8 KiB of each connection.
    pub unauthenticated_bytes_max: NonZeroUsize,
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
            tls: None,
            secret: None,
            users: Vec::new(),
            free_client_ids: true,
            client_ids_max: const { NonZeroUsize::new(100_000).unwrap() },
            client_id_hold: Duration::from_secs(24 * 60 * 60),
            body_bytes_max: const { NonZeroUsize::new(16 * 1024).unwrap() },
            body_read_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(150),
            write_timeout: Duration::from_secs(10),
            connections_max: const { NonZeroUsize::new(1000).unwrap() },
            unauthenticated_bytes_max: const { NonZeroUsize::new(8 * 1024 * 1024).unwrap() },
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

impl Section for Config {
    fn problems(&self) -> Vec<Problem> {
        let mut check = Check::default();
        if let Some(address) = self.listen {
            let kept = address.ip().is_loopback() || self.secret.is_some();
            check.must(kept, "listen", address, "a loopback address, or any with a secret beside it");
        }
        let secret = self.secret.as_ref().is_none_or(|secret| fits_path(secret.expose()));
        check.must(secret, "secret", "empty, or cannot stand in a path (not shown)", "A-Z a-z 0-9 - _ . ~");
        for (number, user) in self.users.iter().enumerate() {
            check.section(&format!("users[{number}]"), user);
        }
        check.more_than_zero("client_id_hold", self.client_id_hold);
        check.more_than_zero("body_read_timeout", self.body_read_timeout);
        check.more_than_zero("idle_timeout", self.idle_timeout);
        check.more_than_zero("write_timeout", self.write_timeout);
        check.section("rabbitmq", &self.rabbitmq);
        check.into_problems()
    }
}

impl Section for User {
    fn problems(&self) -> Vec<Problem> {
        let Self { name, secret, tags } = self;
        let mut check = Check::default();
        let right = "a name without &, which is not a device's";
        check.must(!name.is_empty() && !name.contains('&'), "name", format_args!("{name:?}"), right);
        check.must(!secret.expose().is_empty(), "secret", "empty", "a long one");
        for tag in tags.iter().filter(|tag| !fits_path(tag)) {
            check.add(Problem::new("tags", format_args!("{tag:?}"), "words of A-Z a-z 0-9 - _ . ~"));
        }
        check.into_problems()
    }
}

impl Section for Rabbitmq {
    fn problems(&self) -> Vec<Problem> {
        let mut check = Check::default();
        check.must(!self.vhosts.is_empty(), "vhosts", "[]", "a list of virtual hosts, such as [\"/\"]");
        let exchanges = [
            ("mqtt_exchange", &self.mqtt_exchange),
            ("commands_exchange", &self.commands_exchange),
            ("replies_exchange", &self.replies_exchange),
        ];
        for (at, (key, name)) in exchanges.iter().enumerate() {
            let named = !name.is_empty() && *name != "amq.default";
            check.must(named, key, format_args!("{name:?}"), "the name of a topic exchange");
            // A device that speaks AMQP may dead-letter what its queue holds to any exchange it may write, under any
            // routing key. With three exchanges that is nothing but its own commands, on the exchange for replies.
            if let Some((other, _)) = exchanges.iter().take(at).find(|(_, taken)| taken == name) {
                check.add(Problem::new(*key, format_args!("{name:?}, as is {other}"), "an exchange of its own"));
            }
        }
        let prefix = &self.queue_prefix;
        let own = !prefix.is_empty() && !prefix.starts_with("mqtt-subscription-");
        check.must(own, "queue_prefix", format_args!("{prefix:?}"), "one that no other queue begins with");
        check.into_problems()
    }
}

/// Whether a text needs no escaping in a path, nor cuts a list at blanks.
fn fits_path(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.~".contains(&b))
}

#[cfg(test)]
mod tests;
