//! Where the broker is and how it is spoken to.

use std::time::Duration;

use serde::Deserialize;
use thingcall_core::{BrokerAddress, BrokerProblem, BrokerTls, Secret, SyncTopic};

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
    pub send_queue_messages_max: usize,
    /// How many QoS 1 messages may wait for their acknowledgement.
    pub inflight_messages_max: u16,
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
            send_queue_messages_max: 4096,
            inflight_messages_max: 1024,
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
        let must = |holds: bool, key, value: String, right| {
            if holds { Ok(()) } else { Err(BrokerProblem::Value { key, value, right }) }
        };
        let times = |times: std::ops::RangeInclusive<u64>, value: Duration, key, right| {
            must(
                times.contains(&u64::try_from(value.as_millis()).unwrap_or(u64::MAX)),
                key,
                format!("{value:?}"),
                right,
            )
        };
        let address = self.address()?;
        // rumqttc refuses to run below 5 seconds.
        times(5_000..=65_535_000, self.keep_alive, "keep_alive", "5s to 65535s")?;
        times(1_000..=u64::MAX, self.connect_timeout, "connect_timeout", "1s or more")?;
        times(1..=u64::MAX, self.publish_ack_timeout, "publish_ack_timeout", "1ms or more")?;
        times(100..=u64::MAX, self.probe_interval, "probe_interval", "100ms or more; `probe = false` ends it")?;
        times(100..=u64::MAX, self.probe_timeout, "probe_timeout", "100ms or more")?;
        let topic = &self.probe_topic;
        let plain = !topic.is_empty() && topic.len() <= TOPIC_BYTES_MAX && !topic.contains(['+', '#', '\0']);
        must(plain, "probe_topic", topic.clone(), "a topic without + and #, of 1 to 1024 bytes")?;
        times(10..=u64::MAX, self.reconnect_pause_min, "reconnect_pause_min", "10ms or more")?;
        let pauses = self.reconnect_pause_max >= self.reconnect_pause_min;
        must(pauses, "reconnect_pause_max", format!("{:?}", self.reconnect_pause_max), "reconnect_pause_min or more")?;
        must(self.send_queue_messages_max > 0, "send_queue_messages_max", "0".to_owned(), "1 or more")?;
        must(self.inflight_messages_max > 0, "inflight_messages_max", "0".to_owned(), "1 to 65535")?;
        let bytes = self.message_bytes_max;
        let right = "1024 to 134217728";
        must((1024..=MESSAGE_BYTES_LIMIT).contains(&bytes), "message_bytes_max", bytes.to_string(), right)?;
        let named = self.password.is_none() || self.username.is_some();
        must(named, "username", String::new(), "a user name, since there is a password")?;
        let right = "mqtts://..., since there are certificates under tls";
        must(address.tls || self.tls.is_empty(), "url", self.url.clone(), right)
    }

    pub(crate) fn address(&self) -> Result<BrokerAddress, BrokerProblem> {
        let schemes = &[("mqtt", false, 1883), ("tcp", false, 1883), ("mqtts", true, 8883), ("ssl", true, 8883)];
        BrokerAddress::read(&self.url, schemes, "mqtt://host:port or mqtts://host:port")
    }
}

#[cfg(test)]
mod tests;
