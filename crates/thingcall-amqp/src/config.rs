//! Where RabbitMQ is, what serves devices there, and how much may wait.

use std::time::Duration;

use serde::Deserialize;
use thingcall_core::{BrokerAddress, BrokerProblem, BrokerTls, Secret, SyncTopic};

/// The configuration of one RabbitMQ, `[amqp]` in the file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `amqp://host:port`, or `amqps://host:port` for TLS.
    pub url: String,
    /// The virtual host.
    pub vhost: String,
    /// The user name.
    pub username: String,
    /// The password that goes with it.
    pub password: Secret,
    /// Certificates, for `amqps://`.
    pub tls: BrokerTls,
    /// Names this instance in the routing key of replies. Two that run at once must never share one. With a name that
    /// stays, replies to asynchronous calls find the instance after a restart too; made up for each start if not given.
    pub instance: Option<String>,
    /// Whether devices that speak AMQP 0.9.1 are served.
    pub amqp_devices: bool,
    /// Whether devices that speak MQTT are served, through RabbitMQ's MQTT plugin.
    pub mqtt_devices: bool,
    /// The topic exchange from which devices that speak AMQP get commands.
    pub commands_exchange: String,
    /// The topic exchange on which they answer.
    pub replies_exchange: String,
    /// The exchange of RabbitMQ's MQTT plugin (`mqtt.exchange`).
    pub mqtt_exchange: String,
    /// The topic exchange for results of asynchronous calls; none are published if not given.
    pub results_exchange: Option<String>,
    /// What says whose a reply on `replies_exchange` is: `routing_key` or `user_id`.
    pub replies_vouched_by: Voucher,
    /// The topic of synchronous calls of MQTT devices, for products that do not say: `ext`, `rrpc` or `service`.
    pub sync_topic: SyncTopic,
    /// How often an idle connection is tested.
    #[serde(with = "humantime_serde")]
    pub heartbeat: Duration,
    /// How long an attempt to connect and declare all that is needed may take.
    #[serde(with = "humantime_serde")]
    pub connect_timeout: Duration,
    /// The pause before the second attempt to connect; each further one is up to twice as long.
    #[serde(with = "humantime_serde")]
    pub reconnect_pause_min: Duration,
    /// The longest pause between attempts.
    #[serde(with = "humantime_serde")]
    pub reconnect_pause_max: Duration,
    /// How long a message without a deadline may wait for the broker's confirmation.
    #[serde(with = "humantime_serde")]
    pub publish_ack_timeout: Duration,
    /// Whether the broker is probed: a message to ourselves, through our own queue.
    pub probe: bool,
    /// How often it is sent.
    #[serde(with = "humantime_serde")]
    pub probe_interval: Duration,
    /// How long it may take.
    #[serde(with = "humantime_serde")]
    pub probe_timeout: Duration,
    /// How many messages may wait for their confirmation; more are refused at once.
    pub send_queue_messages_max: usize,
    /// On how many channels they are sent, each one message at a time.
    pub publish_channels_max: u16,
    /// How many replies the broker sends ahead of their acknowledgement.
    pub prefetch_messages_max: u16,
    /// How many replies may wait at the broker; the oldest are dropped.
    pub reply_queue_messages_max: u32,
    /// The largest message, both ways.
    pub message_bytes_max: usize,
}

/// What says whose a reply is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Voucher {
    /// Its routing key: right where the broker lets each user write under its own device's keys alone.
    #[default]
    RoutingKey,
    /// The `user_id` property, which RabbitMQ checks: right where each device's user name is
    /// `{deviceName}&{productKey}`. A reply without it, or with another device's, is dropped.
    UserId,
}

/// RabbitMQ's own limit by default.
const MESSAGE_BYTES_LIMIT: usize = 128 * 1024 * 1024;
/// RabbitMQ lets a connection have 2047 channels by default.
const CHANNELS_LIMIT: u16 = 2000;
/// Of the 255 bytes a routing key may have, 80 are the device's.
const INSTANCE_BYTES_MAX: usize = 64;

impl Default for Config {
    fn default() -> Self {
        Self {
            url: "amqp://127.0.0.1:5672".to_owned(),
            vhost: "/".to_owned(),
            username: "guest".to_owned(),
            password: Secret::new("guest"),
            tls: BrokerTls::default(),
            instance: None,
            amqp_devices: true,
            mqtt_devices: false,
            commands_exchange: "thingcall.commands".to_owned(),
            replies_exchange: "thingcall.replies".to_owned(),
            mqtt_exchange: "amq.topic".to_owned(),
            results_exchange: None,
            replies_vouched_by: Voucher::default(),
            sync_topic: SyncTopic::default(),
            heartbeat: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(10),
            reconnect_pause_min: Duration::from_millis(100),
            reconnect_pause_max: Duration::from_secs(10),
            publish_ack_timeout: Duration::from_secs(5),
            probe: true,
            probe_interval: Duration::from_secs(5),
            probe_timeout: Duration::from_secs(5),
            send_queue_messages_max: 4096,
            publish_channels_max: 128,
            prefetch_messages_max: 1024,
            reply_queue_messages_max: 100_000,
            message_bytes_max: 256 * 1024,
        }
    }
}

impl Config {
    /// Checks every value that the types do not check.
    ///
    /// # Errors
    /// The first value that cannot be used.
    pub fn check(&self) -> Result<(), BrokerProblem> {
        self.problems().into_iter().next().map_or(Ok(()), Err)
    }

    /// Every value that cannot be used.
    pub fn problems(&self) -> Vec<BrokerProblem> {
        let mut problems = Vec::new();
        match self.address() {
            Ok(address) if !address.tls && !self.tls.is_empty() => problems.push(BrokerProblem::Value {
                key: "url",
                value: self.url.clone(),
                right: "amqps://..., since there are certificates under tls",
            }),
            Ok(_) => {}
            Err(problem) => problems.push(problem),
        }
        let mut must = |holds: bool, key, value: String, right| {
            if !holds {
                problems.push(BrokerProblem::Value { key, value, right });
            }
        };
        let any = self.amqp_devices || self.mqtt_devices || self.results_exchange.is_some();
        must(any, "amqp_devices", "false".to_owned(), "true, or mqtt_devices or results_exchange is set");
        for (key, value, times, right) in [
            ("heartbeat", self.heartbeat, 2_000..=65_535_000, "2s to 65535s"),
            ("connect_timeout", self.connect_timeout, 1_000..=u64::MAX, "1s or more"),
            ("publish_ack_timeout", self.publish_ack_timeout, 1..=u64::MAX, "1ms or more"),
            ("probe_interval", self.probe_interval, 100..=u64::MAX, "100ms or more; `probe = false` ends it"),
            ("probe_timeout", self.probe_timeout, 100..=u64::MAX, "100ms or more"),
            ("reconnect_pause_min", self.reconnect_pause_min, 10..=u64::MAX, "10ms or more"),
        ] {
            let millis = u64::try_from(value.as_millis()).unwrap_or(u64::MAX);
            must(times.contains(&millis), key, format!("{value:?}"), right);
        }
        let pauses = self.reconnect_pause_max >= self.reconnect_pause_min;
        must(pauses, "reconnect_pause_max", format!("{:?}", self.reconnect_pause_max), "reconnect_pause_min or more");
        must(self.send_queue_messages_max > 0, "send_queue_messages_max", "0".to_owned(), "1 or more");
        let channels = self.publish_channels_max;
        must((1..=CHANNELS_LIMIT).contains(&channels), "publish_channels_max", channels.to_string(), "1 to 2000");
        must(self.prefetch_messages_max > 0, "prefetch_messages_max", "0".to_owned(), "1 to 65535");
        must(self.reply_queue_messages_max > 0, "reply_queue_messages_max", "0".to_owned(), "1 or more");
        let bytes = self.message_bytes_max;
        let right = "1024 to 134217728";
        must((1024..=MESSAGE_BYTES_LIMIT).contains(&bytes), "message_bytes_max", bytes.to_string(), right);
        if let Some(instance) = &self.instance {
            let right = "1 to 64 of A-Z a-z 0-9 - _";
            must(is_instance(instance), "instance", instance.clone(), right);
        }
        self.exchange_problems(&mut problems);
        problems
    }

    /// A device may write where replies are read and read where commands are written, so these must not be one.
    fn exchange_problems(&self, problems: &mut Vec<BrokerProblem>) {
        let results = self.results_exchange.as_deref();
        let exchanges = [
            ("commands_exchange", Some(self.commands_exchange.as_str())),
            ("replies_exchange", Some(self.replies_exchange.as_str())),
            ("mqtt_exchange", Some(self.mqtt_exchange.as_str())),
            ("results_exchange", results),
        ];
        for (at, (key, name)) in exchanges.iter().enumerate() {
            let Some(name) = name else { continue };
            let value = (*name).to_owned();
            if name.is_empty() || name.len() > 127 {
                problems.push(BrokerProblem::Value {
                    key,
                    value,
                    right: "the name of a topic exchange, 1 to 127 bytes",
                });
            } else if exchanges.iter().take(at).any(|(_, other)| *other == Some(*name)) {
                problems.push(BrokerProblem::Value { key, value, right: "an exchange of its own" });
            }
        }
    }

    pub(crate) fn address(&self) -> Result<BrokerAddress, BrokerProblem> {
        let schemes = &[("amqp", false, 5672), ("amqps", true, 5671)];
        BrokerAddress::read(&self.url, schemes, "amqp://host:port or amqps://host:port")
    }
}

/// One word of a routing key.
fn is_instance(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=INSTANCE_BYTES_MAX).contains(&text.len()) && text.bytes().all(plain)
}

#[cfg(test)]
mod tests;
