//! Where consumers connect, and what they may.
//!
//! **Invariant:** whatever a consumer can make grow has its limit here, or a constant beside its use.

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use thingcall_core::{Check, Problem, Section};
use thingcall_subscription::Limits;
use thingcall_transport::doubt_of_certificate;

use crate::certificate;

/// Sockets on a listener that have not logged in, beside those of all consumers that may be connected.
pub(crate) const STRANGERS_MAX: usize = 64;

/// The `[subscription]` section. The limits are the platform's where it documents one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where consumers connect with TLS. Off without it.
    pub tls: Option<Tls>,
    /// Where they speak AMQP 1.0 in plain text; a loopback address.
    pub plain_amqp_listen: Option<SocketAddr>,
    /// Where they speak STOMP in plain text; a loopback address.
    pub plain_stomp_listen: Option<SocketAddr>,
    /// Consumers that are logged in, on all listeners together.
    pub connections_max: NonZeroUsize,
    /// Those of one group.
    pub clients_per_group_max: NonZeroUsize,
    /// Logins to one group within a minute.
    pub connects_per_minute_per_group_max: NonZeroU32,
    /// Messages sent on one connection within a second.
    pub messages_per_second_per_connection_max: NonZeroU32,
    /// Messages of one group that are tried again within a second.
    pub backlog_per_second_per_group_max: NonZeroU32,
    /// Messages that are out on one connection and not settled, whatever credit its client gives.
    pub unsettled_messages_max: NonZeroUsize,
    /// The largest frame that a client may send.
    pub frame_bytes_max: NonZeroUsize,
    /// AMQP sessions of one connection.
    pub sessions_max: NonZeroUsize,
    /// From this much waiting output of a connection on, nothing more is sent on it and nothing more is read.
    pub output_bytes_max: NonZeroUsize,
    /// From a connection's beginning until its user name and password are there, the TLS handshake included.
    #[serde(with = "humantime_serde")]
    pub login_timeout: Duration,
    /// From the login, or the end of the last link, until there is a link.
    #[serde(with = "humantime_serde")]
    pub link_timeout: Duration,
    /// From sending a message until it is settled; then it is another's.
    #[serde(with = "humantime_serde")]
    pub acknowledgement_timeout: Duration,
    /// How long a client may send nothing at all.
    #[serde(with = "humantime_serde")]
    pub silence_timeout: Duration,
    /// How long a client may take nothing of what it is sent.
    #[serde(with = "humantime_serde")]
    pub stall_timeout: Duration,
    /// When a message that came back is tried again.
    #[serde(with = "humantime_serde")]
    pub retry_after: Duration,
}

/// The listeners with TLS.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The certificate chain, PEM.
    pub cert_file: PathBuf,
    /// The private key, PEM.
    pub key_file: PathBuf,
    /// Where clients speak AMQP 1.0.
    pub amqp_listen: Option<SocketAddr>,
    /// Where they speak STOMP.
    pub stomp_listen: Option<SocketAddr>,
    /// How often the two files are looked at for new ones.
    #[serde(with = "humantime_serde", default = "read_every")]
    pub read_every: Duration,
}

const fn read_every() -> Duration {
    Duration::from_secs(10)
}

impl Default for Config {
    fn default() -> Self {
        Self {
            tls: None,
            plain_amqp_listen: None,
            plain_stomp_listen: None,
            connections_max: const { NonZeroUsize::new(128).unwrap() },
            clients_per_group_max: const { NonZeroUsize::new(64).unwrap() },
            connects_per_minute_per_group_max: const { NonZeroU32::new(100).unwrap() },
            messages_per_second_per_connection_max: const { NonZeroU32::new(1000).unwrap() },
            backlog_per_second_per_group_max: const { NonZeroU32::new(200).unwrap() },
            unsettled_messages_max: const { NonZeroUsize::new(1000).unwrap() },
            frame_bytes_max: const { NonZeroUsize::new(16 * 1024).unwrap() },
            sessions_max: const { NonZeroUsize::new(8).unwrap() },
            output_bytes_max: const { NonZeroUsize::new(64 * 1024).unwrap() },
            login_timeout: Duration::from_secs(15),
            link_timeout: Duration::from_secs(15),
            acknowledgement_timeout: Duration::from_secs(30),
            silence_timeout: Duration::from_secs(120),
            stall_timeout: Duration::from_secs(30),
            retry_after: Duration::from_secs(60),
        }
    }
}

impl Config {
    /// Where to listen, by key.
    pub fn listeners(&self) -> Vec<(&'static str, SocketAddr)> {
        let tls = self.tls.as_ref();
        let all = [
            ("tls.amqp_listen", tls.and_then(|tls| tls.amqp_listen)),
            ("tls.stomp_listen", tls.and_then(|tls| tls.stomp_listen)),
            ("plain_amqp_listen", self.plain_amqp_listen),
            ("plain_stomp_listen", self.plain_stomp_listen),
        ];
        all.into_iter().filter_map(|(key, listen)| Some((key, listen?))).collect()
    }

    /// The most sockets that all listeners together have open.
    pub fn sockets_max(&self) -> usize {
        self.listeners().len().saturating_mul(self.sockets_per_listener_max())
    }

    pub(crate) fn sockets_per_listener_max(&self) -> usize {
        self.connections_max.get().saturating_add(STRANGERS_MAX)
    }

    /// What one connection may.
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            login_timeout: self.login_timeout,
            link_timeout: self.link_timeout,
            acknowledgement_timeout: self.acknowledgement_timeout,
            silence_timeout: self.silence_timeout,
            stall_timeout: self.stall_timeout,
            unsettled_max: self.unsettled_messages_max.get(),
            frame_bytes_max: self.frame_bytes_max.get(),
            sessions_max: self.sessions_max.get(),
            output_bytes_max: self.output_bytes_max.get(),
        }
    }
}

impl Section for Config {
    fn problems(&self) -> Vec<Problem> {
        let mut check = Check::default();
        for (key, listen) in
            [("plain_amqp_listen", self.plain_amqp_listen), ("plain_stomp_listen", self.plain_stomp_listen)]
        {
            let Some(listen) = listen else { continue };
            let right = "a loopback address: others only with [subscription.tls]";
            check.must(listen.ip().is_loopback(), key, listen, right);
        }
        if let Some(tls) = &self.tls {
            let listens = tls.amqp_listen.is_some() || tls.stomp_listen.is_some();
            check.must(listens, "tls", "without a listener", "amqp_listen or stomp_listen in it");
            check.more_than_zero("tls.read_every", tls.read_every);
        }
        // What AMQP requires of each side, and what is one message's place in memory.
        check.at_least("frame_bytes_max", self.frame_bytes_max.get(), 512);
        check.at_least("output_bytes_max", self.output_bytes_max.get(), 1024);
        check.at_most("unsettled_messages_max", self.unsettled_messages_max.get(), 100_000);
        for (key, time) in [
            ("login_timeout", self.login_timeout),
            ("link_timeout", self.link_timeout),
            ("acknowledgement_timeout", self.acknowledgement_timeout),
            ("silence_timeout", self.silence_timeout),
            ("stall_timeout", self.stall_timeout),
            ("retry_after", self.retry_after),
        ] {
            check.between(key, time, Duration::from_millis(1), Duration::from_secs(24 * 60 * 60));
        }
        check.into_problems()
    }

    fn problems_of_files(&self) -> Vec<Problem> {
        let read = |tls: &Tls| certificate::read(&tls.cert_file, &tls.key_file).err();
        self.tls.as_ref().and_then(read).unwrap_or_default()
    }

    fn doubts_of_files(&self) -> Vec<Problem> {
        let tls = self.tls.as_ref();
        tls.and_then(|tls| doubt_of_certificate("tls.cert_file", &tls.cert_file)).into_iter().collect()
    }
}
