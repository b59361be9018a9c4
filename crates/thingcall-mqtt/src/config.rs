//! Where the broker is and how it is spoken to.

use std::num::{NonZeroU16, NonZeroUsize};
use std::time::Duration;

use serde::Deserialize;
use thingcall_core::{Check, MessageFilter, Problem, Secret, Section};
use thingcall_transport::{BrokerSection, Scheme, broker_section, doubt_of_certificate};

use crate::tls;

broker_section! {
    /// The configuration of one external broker, `[mqtt]` in the file.
    pub struct Config(&[Scheme::plain("mqtt", 1883), Scheme::plain("tcp", 1883), Scheme::tls("mqtts", 8883), Scheme::tls("ssl", 8883)]);
    /// `mqtt://host:port`, or `mqtts://host:port` for TLS.
    url = "mqtt://127.0.0.1:1883";
    after url {
        /// `3.1.1` or `5`.
        version: Version = Version::default(),
        /// Names the connection at the broker. Two instances must never share one: the broker would close the other. Made
        /// up for each start if not given. With one, and 3.1.1, the broker keeps QoS 1 replies while there is no connection,
        /// and where there is one instance what devices report, too.
        client_id: Option<String> = None,
        /// The user name, where the broker asks for one.
        username: Option<String> = None,
        /// The password that goes with it.
        password: Option<Secret> = None,
    }
    after sync_topic {
        /// Who tells which devices are connected: `emqx`, or `none`.
        presence: Presence = Presence::default(),
        /// Of how many devices its word is kept.
        presence_devices_max: NonZeroUsize = const { NonZeroUsize::new(1_000_000).unwrap() },
        /// How what devices report is heard: `shared`, `plain` or `none`. If not given, it is `plain` for an instance that is
        /// alone on its store, else `shared`.
        posts: Option<Posts> = None,
        /// Messages of every kind are published for applications below this topic; none if not given.
        messages_topic: Option<String> = None,
        /// How many of those may wait to be published; the oldest are given up.
        messages_due_max: NonZeroUsize = const { NonZeroUsize::new(1_000_000).unwrap() },
        /// The largest packet of such a message; a larger one is given up.
        messages_packet_bytes_max: NonZeroUsize = const { NonZeroUsize::new(1024 * 1024).unwrap() },
        /// Which of them are published.
        messages_filter: MessageFilter = MessageFilter::default(),
        /// How often an idle connection is tested.
        #[serde(with = "humantime_serde")]
        keep_alive: Duration = Duration::from_secs(30),
    }
    after probe {
        /// Where the probe is published and subscribed to. The default lies where thingcall must publish and read anyway.
        probe_topic: String = "/sys/thingcall/probe/thing/service/probe".to_owned(),
    }
    after send_queue_messages_max {
        /// How many QoS 1 messages may wait for their acknowledgement.
        inflight_messages_max: NonZeroU16 = const { NonZeroU16::new(1024).unwrap() },
        /// How many replies to calls of other instances are kept for 30 s, for whoever takes over the slot of one that died.
        foreign_replies_kept_max: usize = 65_536,
        /// How many bytes these may have.
        foreign_replies_kept_bytes_max: usize = 32 * 1024 * 1024,
    }
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

/// Who tells which devices are connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// Nobody.
    #[default]
    None,
    /// An EMQX, on its system topics.
    Emqx,
}

/// How what devices report is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Posts {
    /// By one of all instances: the broker has shared subscriptions (`$share/...`), as Mosquitto and EMQX do.
    Shared,
    /// By every instance. For one instance, and for a broker without shared subscriptions.
    Plain,
    /// By nobody.
    None,
}

const TOPIC_BYTES_MAX: usize = 1024;
/// What MQTT can say in the length of a packet.
const PACKET_BYTES_LIMIT: usize = 268_435_455;

impl Config {
    /// Whether the broker keeps our session, and with it replies, while there is no connection. Not where nobody would come
    /// back to it, under a name made up for each start; and not in MQTT 5, where the library sends nothing that is to be
    /// acknowledged on a session that it did not write down itself. Not where nobody could say which of the events in it are
    /// old, either: what devices did meanwhile may be told with gaps, and only the probe comes behind it.
    pub(crate) fn keeps_session(&self) -> bool {
        self.comes_back() && (self.presence == Presence::None || self.probe)
    }

    /// Whether the broker keeps what devices report while there is no connection. Not for one of several instances: brokers
    /// give a session its share of a shared subscription also while nobody is there, and for ever where nobody comes back;
    /// others could have had it. A session with plain subscriptions takes nothing from anybody.
    pub(crate) fn keeps_posts(&self) -> bool {
        self.comes_back() && self.posts() == Posts::Plain
    }

    pub(crate) fn posts(&self) -> Posts {
        self.posts.unwrap_or(Posts::Shared)
    }

    fn comes_back(&self) -> bool {
        self.version == Version::V4 && self.client_id.is_some()
    }

    /// As it is for an instance that is alone on its store: there is nobody to share with.
    #[must_use]
    pub fn alone(mut self) -> Self {
        self.posts.get_or_insert(Posts::Plain);
        self
    }

    /// Devices' topics begin with a slash, and a broker's own with a dollar: what is published there would be heard as said by
    /// a device.
    fn check_messages_topic(&self, check: &mut Check) {
        let Some(topic) = &self.messages_topic else { return };
        let ends = topic.starts_with(['/', '$']) || topic.ends_with('/');
        let plain = !topic.is_empty() && topic.len() <= TOPIC_BYTES_MAX && !topic.contains(['+', '#', '\0']);
        let right = format!(
            "a topic without + and #, of 1 to {TOPIC_BYTES_MAX} bytes, that neither begins with / or $ nor ends with /"
        );
        check.must(plain && !ends, "messages_topic", format_args!("{topic:?}"), right);
    }
}

impl Section for Config {
    fn problems(&self) -> Vec<Problem> {
        let mut check = Check::default();
        self.check_keys(&mut check);
        let named = self.password.is_none() || self.username.is_some();
        check.must(named, "username", "missing", "a user name, since there is a password");
        // rumqttc takes our certificate only beside the broker's authority.
        let alone = self.tls.client().is_some() && self.tls.ca_file.is_none();
        check.must(!alone, "tls.ca_file", "missing", "a file with the broker's authority, beside our own certificate");
        // rumqttc refuses to run below 5 seconds.
        check.between("keep_alive", self.keep_alive, Duration::from_secs(5), Duration::from_secs(65_535));
        let topic = &self.probe_topic;
        let plain = !topic.is_empty() && topic.len() <= TOPIC_BYTES_MAX && !topic.contains(['+', '#', '\0']);
        let right = format!("a topic without + and #, of 1 to {TOPIC_BYTES_MAX} bytes");
        check.must(plain, "probe_topic", format_args!("{topic:?}"), right);
        self.check_messages_topic(&mut check);
        check.at_most("messages_packet_bytes_max", self.messages_packet_bytes_max.get(), PACKET_BYTES_LIMIT);
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

#[cfg(test)]
mod tests;
