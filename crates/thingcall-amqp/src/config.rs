//! Where RabbitMQ is, what serves devices there, and how much may wait.

use std::num::{NonZeroU16, NonZeroU32, NonZeroUsize};
use std::time::Duration;

use serde::Deserialize;
use thingcall_core::{Check, MessageFilter, Problem, Secret, Section};
use thingcall_transport::{BrokerSection, Scheme, broker_section, doubt_of_certificate};

use crate::tls;

broker_section! {
    /// The configuration of one RabbitMQ, `[amqp]` in the file.
    pub struct Config(&[Scheme::plain("amqp", 5672), Scheme::tls("amqps", 5671)]);
    /// `amqp://host:port`, or `amqps://host:port` for TLS.
    url = "amqp://127.0.0.1:5672";
    after url {
        /// The virtual host.
        vhost: String = "/".to_owned(),
        /// The user name.
        username: String = "guest".to_owned(),
        /// The password that goes with it.
        password: Secret = Secret::new("guest"),
    }
    after tls {
        /// Names this instance at the broker: its connections, the queue of its probes, a header of its commands. Made up
        /// for each start if not given.
        instance: Option<String> = None,
        /// Whether devices that speak AMQP 0.9.1 are served.
        amqp_devices: bool = true,
        /// Whether devices that speak MQTT are served, through RabbitMQ's MQTT plugin.
        mqtt_devices: bool = false,
        /// The topic exchange from which devices that speak AMQP get commands.
        commands_exchange: String = "thingcall.commands".to_owned(),
        /// The topic exchange on which they answer.
        replies_exchange: String = "thingcall.replies".to_owned(),
        /// The exchange of RabbitMQ's MQTT plugin (`mqtt.exchange`).
        mqtt_exchange: String = "amq.topic".to_owned(),
        /// The topic exchange for results of asynchronous calls; none are published if not given.
        results_exchange: Option<String> = None,
        /// The topic exchange for messages of every kind; none are published if not given.
        messages_exchange: Option<String> = None,
        /// How many of those may wait to be published; the oldest are given up.
        messages_due_max: NonZeroUsize = const { NonZeroUsize::new(1_000_000).unwrap() },
        /// Which of them are published.
        messages_filter: MessageFilter = MessageFilter::default(),
        /// What says whose a reply on `replies_exchange` is: `routing_key` or `user_id`.
        replies_vouched_by: Voucher = Voucher::default(),
    }
    after sync_topic {
        /// Who tells which devices are connected: `rabbitmq`, or `none`.
        presence: Presence = Presence::default(),
        /// Of how many devices its word is kept.
        presence_devices_max: NonZeroUsize = const { NonZeroUsize::new(1_000_000).unwrap() },
        /// Whether what devices report is heard: one instance hears each report, from a queue that all share.
        posts: bool = true,
        /// How often an idle connection is tested.
        #[serde(with = "humantime_serde")]
        heartbeat: Duration = Duration::from_secs(10),
    }
    after send_queue_messages_max {
        /// On how many channels messages are sent, each one message at a time.
        publish_channels_max: NonZeroU16 = const { NonZeroU16::new(128).unwrap() },
        /// How many replies the broker sends ahead of their acknowledgement.
        prefetch_messages_max: NonZeroU16 = const { NonZeroU16::new(1024).unwrap() },
        /// How many replies to the calls of one slot may wait at the broker; the oldest are dropped.
        reply_queue_messages_max: NonZeroU32 = const { NonZeroU32::new(100_000).unwrap() },
        /// How many reports of devices may wait at the broker; the oldest are dropped.
        posts_queue_messages_max: NonZeroU32 = const { NonZeroU32::new(100_000).unwrap() },
        /// How long the queue of a slot's replies outlives its last consumer: longer than a restart or a take-over takes.
        #[serde(with = "humantime_serde")]
        reply_queue_hold: Duration = Duration::from_secs(120),
    }
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

/// Who tells which devices are connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// Nobody, but for a command that no queue takes.
    #[default]
    None,
    /// RabbitMQ's `rabbitmq_event_exchange`.
    Rabbitmq,
}

/// RabbitMQ lets a connection have 2047 channels by default.
const CHANNELS_LIMIT: u16 = 2000;
/// Of the 255 bytes a routing key may have, 80 are the device's.
const INSTANCE_BYTES_MAX: usize = 64;
const EXCHANGE_BYTES_MAX: usize = 127;

impl Config {
    /// Whether it reaches devices, and does not only publish for applications.
    pub(crate) const fn serves_devices(&self) -> bool {
        self.amqp_devices || self.mqtt_devices
    }

    /// Whether what devices report is heard.
    pub(crate) const fn hears_posts(&self) -> bool {
        self.posts && self.serves_devices()
    }

    /// A device may write where replies are read and read where commands are written, so these must not be one.
    fn check_exchanges(&self, check: &mut Check) {
        let exchanges = [
            ("commands_exchange", Some(self.commands_exchange.as_str())),
            ("replies_exchange", Some(self.replies_exchange.as_str())),
            ("mqtt_exchange", Some(self.mqtt_exchange.as_str())),
            ("results_exchange", self.results_exchange.as_deref()),
            ("messages_exchange", self.messages_exchange.as_deref()),
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
}

impl Section for Config {
    fn problems(&self) -> Vec<Problem> {
        let mut check = Check::default();
        check.between("heartbeat", self.heartbeat, Duration::from_secs(2), Duration::from_secs(65_535));
        self.check_keys(&mut check);
        if let Some(instance) = &self.instance {
            let right = "1 to 64 of A-Z a-z 0-9 - _";
            check.must(is_instance(instance), "instance", format_args!("{instance:?}"), right);
        }
        let publishes = self.results_exchange.is_some() || self.messages_exchange.is_some();
        let right = "true, or mqtt_devices, results_exchange or messages_exchange is set";
        check.must(self.amqp_devices || self.mqtt_devices || publishes, "amqp_devices", false, right);
        self.check_exchanges(&mut check);
        let (hold_min, hold_max) = (Duration::from_secs(30), Duration::from_secs(24 * 60 * 60));
        check.between("reply_queue_hold", self.reply_queue_hold, hold_min, hold_max);
        let channels = self.publish_channels_max.get();
        check.must(channels <= CHANNELS_LIMIT, "publish_channels_max", channels, format!("1 to {CHANNELS_LIMIT}"));
        check.into_problems()
    }

    fn problems_of_files(&self) -> Vec<Problem> {
        let is_tls = self.address().is_ok_and(|address| address.tls);
        if is_tls { tls::load(&self.tls).err().unwrap_or_default() } else { Vec::new() }
    }

    fn doubts_of_files(&self) -> Vec<Problem> {
        let own = self.tls.client().and_then(|(file, _)| doubt_of_certificate("tls.client_cert_file", file));
        own.into_iter().collect()
    }
}

/// One word of a routing key.
fn is_instance(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=INSTANCE_BYTES_MAX).contains(&text.len()) && text.bytes().all(plain)
}

#[cfg(test)]
mod tests;
