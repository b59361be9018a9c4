//! Where RabbitMQ is, what serves devices there, and how much may wait.

use std::num::{NonZeroU16, NonZeroU32, NonZeroUsize};
use std::time::Duration;

use serde::Deserialize;
use thingcall_core::{Check, Problem, Secret, Section, SyncTopic};
use thingcall_transport::{BrokerAddress, BrokerTls};

use crate::tls;

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
    pub send_queue_messages_max: NonZeroUsize,
    /// On how many channels they are sent, each one message at a time.
    pub publish_channels_max: NonZeroU16,
    /// How many replies the broker sends ahead of their acknowledgement.
    pub prefetch_messages_max: NonZeroU16,
    /// How many replies may wait at the broker; the oldest are dropped.
    pub reply_queue_messages_max: NonZeroU32,
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
const EXCHANGE_BYTES_MAX: usize = 127;

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
            send_queue_messages_max: const { NonZeroUsize::new(4096).unwrap() },
            publish_channels_max: const { NonZeroU16::new(128).unwrap() },
            prefetch_messages_max: const { NonZeroU16::new(1024).unwrap() },
            reply_queue_messages_max: const { NonZeroU32::new(100_000).unwrap() },
            message_bytes_max: 256 * 1024,
        }
    }
}

impl Config {
    /// A device may write where replies are read and read where commands are written, so these must not be one.
    fn check_exchanges(&self, check: &mut Check) {
        let exchanges = [
            ("commands_exchange", Some(self.commands_exchange.as_str())),
            ("replies_exchange", Some(self.replies_exchange.as_str())),
            ("mqtt_exchange", Some(self.mqtt_exchange.as_str())),
            ("results_exchange", self.results_exchange.as_deref()),
        ];
        for (at, (key, name)) in exchanges.iter().enumerate() {
            let Some(name) = name else { continue };
            let right = format!("the name of a topic exchange, 1 to {EXCHANGE_BYTES_MAX} bytes");
            check.must((1..=EXCHANGE_BYTES_MAX).contains(&name.len()), key, format_args!("{name:?}"), right);
            if let Some((other, _)) = exchanges.iter().take(at).find(|(_, other)| *other == Some(*name)) {
                check.add(Problem::new(*key, format_args!("{name:?}, as is {other}"), "an exchange of its own"));
            }
        }
    }

    pub(crate) fn address(&self) -> Result<BrokerAddress, Problem> {
        let schemes = &[("amqp", false, 5672), ("amqps", true, 5671)];
        BrokerAddress::read(&self.url, schemes, "amqp://host:port or amqps://host:port")
    }
}

impl Section for Config {
    fn problems(&self) -> Vec<Problem> {
        let mut check = Check::default();
        let right = "amqps://..., since there are certificates under tls";
        match self.address() {
            Ok(address) => {
                check.must(address.tls || self.tls.is_empty(), "url", format_args!("{:?}", self.url), right);
            }
            Err(problem) => check.add(problem),
        }
        check.section("tls", &self.tls);
        if let Some(instance) = &self.instance {
            let right = "1 to 64 of A-Z a-z 0-9 - _";
            check.must(is_instance(instance), "instance", format_args!("{instance:?}"), right);
        }
        let any = self.amqp_devices || self.mqtt_devices || self.results_exchange.is_some();
        check.must(any, "amqp_devices", false, "true, or mqtt_devices or results_exchange is set");
        self.check_exchanges(&mut check);
        let (ms, second, ever) = (Duration::from_millis, Duration::from_secs(1), Duration::MAX);
        check.between("heartbeat", self.heartbeat, second * 2, second * 65_535);
        check.between("connect_timeout", self.connect_timeout, second, ever);
        check.between("reconnect_pause_min", self.reconnect_pause_min, ms(10), ever);
        check.between("reconnect_pause_max", self.reconnect_pause_max, self.reconnect_pause_min, ever);
        check.between("publish_ack_timeout", self.publish_ack_timeout, ms(1), ever);
        // `probe = false` ends it, not a long pause.
        check.between("probe_interval", self.probe_interval, ms(100), ever);
        check.between("probe_timeout", self.probe_timeout, ms(100), ever);
        let channels = self.publish_channels_max.get();
        check.must(channels <= CHANNELS_LIMIT, "publish_channels_max", channels, format!("1 to {CHANNELS_LIMIT}"));
        let bytes = self.message_bytes_max;
        let right = format!("1024 to {MESSAGE_BYTES_LIMIT}");
        check.must((1024..=MESSAGE_BYTES_LIMIT).contains(&bytes), "message_bytes_max", bytes, right);
        check.into_problems()
    }

    fn problems_of_files(&self) -> Vec<Problem> {
        let is_tls = self.address().is_ok_and(|address| address.tls);
        if is_tls { tls::load(&self.tls).err().unwrap_or_default() } else { Vec::new() }
    }
}

/// One word of a routing key.
fn is_instance(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=INSTANCE_BYTES_MAX).contains(&text.len()) && text.bytes().all(plain)
}

#[cfg(test)]
mod tests;
