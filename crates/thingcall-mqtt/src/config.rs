//! Where the broker is and how it is spoken to.

use std::num::{NonZeroU16, NonZeroUsize};
use std::time::Duration;

use serde::Deserialize;
use thingcall_core::{Check, Problem, Secret, Section, SyncTopic};
use thingcall_transport::{BrokerAddress, BrokerTls};

use crate::tls;

/// The configuration of one external broker, `[mqtt]` in the file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `mqtt://host:port`, or `mqtts://host:port` for TLS.
    pub url: String,
    /// `3.1.1` or `5`.
    pub version: Version,
    /// Names the connection at the broker. Two instances must never share one: the broker would close the other. Made
    /// up for each start if not given.
    pub client_id: Option<String>,
    /// The user name, where the broker asks for one.
    pub username: Option<String>,
    /// The password that goes with it.
    pub password: Option<Secret>,
    /// Certificates, for `mqtts://`.
    pub tls: BrokerTls,
    /// The topic of synchronous calls, for products that do not say: `ext`, `rrpc` or `service`.
    pub sync_topic: SyncTopic,
    /// How often an idle connection is tested.
    #[serde(with = "humantime_serde")]
    pub keep_alive: Duration,
    /// How long an attempt to connect and subscribe may take.
    #[serde(with = "humantime_serde")]
    pub connect_timeout: Duration,
    /// The pause before the second attempt to connect; each further one is up to twice as long.
    #[serde(with = "humantime_serde")]
    pub reconnect_pause_min: Duration,
    /// The longest pause between attempts.
    #[serde(with = "humantime_serde")]
    pub reconnect_pause_max: Duration,
    /// How long a QoS 1 message of an asynchronous call may wait for the broker's acknowledgement.
    #[serde(with = "humantime_serde")]
    pub publish_ack_timeout: Duration,
    /// Whether the broker is probed: a message to ourselves, through it.
    pub probe: bool,
    /// Where the probe is published and subscribed to. The default lies where thingcall must publish and read anyway.
    pub probe_topic: String,
    /// How often it is sent.
    #[serde(with = "humantime_serde")]
    pub probe_interval: Duration,
    /// How long it may take.
    #[serde(with = "humantime_serde")]
    pub probe_timeout: Duration,
    /// How many messages may wait to be sent; more are refused at once.
    pub send_queue_messages_max: NonZeroUsize,
    /// How many QoS 1 messages may wait for their acknowledgement.
    pub inflight_messages_max: NonZeroU16,
    /// The largest message, both ways.
    pub message_bytes_max: usize,
}

/// The MQTT version spoken to the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum Version {
    /// MQTT 3.1.1.
    #[default]
    #[serde(rename = "3.1.1")]
    V4,
    /// MQTT 5: messages expire with their call's deadline, and our own publishes do not come back.
    #[serde(rename = "5")]
    V5,
}

/// Half of what MQTT can say.
const MESSAGE_BYTES_LIMIT: usize = 128 * 1024 * 1024;

const TOPIC_BYTES_MAX: usize = 1024;

impl Default for Config {
    fn default() -> Self {
        Self {
            url: "mqtt://127.0.0.1:1883".to_owned(),
            version: Version::default(),
            client_id: None,
            username: None,
            password: None,
            tls: BrokerTls::default(),
            sync_topic: SyncTopic::default(),
            keep_alive: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            reconnect_pause_min: Duration::from_millis(100),
            reconnect_pause_max: Duration::from_secs(10),
            publish_ack_timeout: Duration::from_secs(5),
            probe: true,
            probe_topic: "/sys/thingcall/probe/thing/service/probe".to_owned(),
            probe_interval: Duration::from_secs(5),
            probe_timeout: Duration::from_secs(5),
            send_queue_messages_max: const { NonZeroUsize::new(4096).unwrap() },
            inflight_messages_max: const { NonZeroU16::new(1024).unwrap() },
            message_bytes_max: 256 * 1024,
        }
    }
}

impl Config {
    pub(crate) fn address(&self) -> Result<BrokerAddress, Problem> {
        let schemes = &[("mqtt", false, 1883), ("tcp", false, 1883), ("mqtts", true, 8883), ("ssl", true, 8883)];
        BrokerAddress::read(&self.url, schemes, "mqtt://host:port or mqtts://host:port")
    }
}

impl Section for Config {
    fn problems(&self) -> Vec<Problem> {
        let mut check = Check::default();
        let right = "mqtts://..., since there are certificates under tls";
        match self.address() {
            Ok(address) => {
                check.must(address.tls || self.tls.is_empty(), "url", format_args!("{:?}", self.url), right);
            }
            Err(problem) => check.add(problem),
        }
        let named = self.password.is_none() || self.username.is_some();
        check.must(named, "username", "missing", "a user name, since there is a password");
        check.section("tls", &self.tls);
        // rumqttc takes our certificate only beside the broker's authority.
        let alone = self.tls.client().is_some() && self.tls.ca_file.is_none();
        check.must(!alone, "tls.ca_file", "missing", "a file with the broker's authority, beside our own certificate");
        let (ms, second, ever) = (Duration::from_millis, Duration::from_secs(1), Duration::MAX);
        // rumqttc refuses to run below 5 seconds.
        check.between("keep_alive", self.keep_alive, second * 5, second * 65_535);
        check.between("connect_timeout", self.connect_timeout, second, ever);
        check.between("reconnect_pause_min", self.reconnect_pause_min, ms(10), ever);
        check.between("reconnect_pause_max", self.reconnect_pause_max, self.reconnect_pause_min, ever);
        check.between("publish_ack_timeout", self.publish_ack_timeout, ms(1), ever);
        let topic = &self.probe_topic;
        let plain = !topic.is_empty() && topic.len() <= TOPIC_BYTES_MAX && !topic.contains(['+', '#', '\0']);
        let right = format!("a topic without + and #, of 1 to {TOPIC_BYTES_MAX} bytes");
        check.must(plain, "probe_topic", format_args!("{topic:?}"), right);
        // `probe = false` ends it, not a long pause.
        check.between("probe_interval", self.probe_interval, ms(100), ever);
        check.between("probe_timeout", self.probe_timeout, ms(100), ever);
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

#[cfg(test)]
mod tests;
