//! How the broker is set up.
//!
//! **Invariant:** whatever a device can make grow has its limit here, or a constant beside its use.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::{NonZeroU16, NonZeroU32};
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use thingcall_core::{Check, Problem, Section};
use thingcall_transport::doubt_of_certificate;

/// The `[broker]` section.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `false` where devices connect to external brokers only.
    pub enabled: bool,
    /// Where MQTT 3.1, 3.1.1 and 5 devices connect in plain text. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where they connect with TLS.
    pub tls: Option<Tls>,
    /// Where they connect over WebSocket (path of any name, subprotocol `mqtt`).
    pub websocket: Option<WebSocket>,
    /// Connected devices; further ones are refused.
    pub sessions_max: NonZeroU32,
    /// Sockets that are open on all listeners together, logged in or not. For a further one, that is closed
    /// which has been silent for longest without a login, or it itself where all have logged in.
    pub sockets_max: NonZeroU32,
    /// How many of the files that the system lets this process open devices' sockets leave to callers, brokers, the
    /// store and the rest.
    pub files_reserved: u32,
    /// Size of an MQTT packet, either way, in bytes.
    pub message_bytes_max: u32,
    /// Messages that wait to be written to one device; further ones are refused as `QueueFull`.
    pub session_queue_messages_max: NonZeroU16,
    /// Reports of one device that may be on their way to the store; then it is not read until one is written.
    pub session_posts_max: NonZeroU16,
    /// Messages of an application's own at QoS 1 (Pub) that wait, in memory, for one device that is away and keeps its session; 0
    /// keeps none.
    pub kept_messages_per_device_max: u16,
    /// How many bytes may wait so for all devices together.
    pub kept_messages_bytes_max: usize,
    /// QoS 1 commands of asynchronous calls sent to one device and not yet acknowledged; further ones wait in the
    /// outbox.
    pub inflight_messages_max: NonZeroU16,
    /// From the beginning of a connection until its CONNECT is there whole, TLS and WebSocket handshakes included.
    #[serde(with = "humantime_serde")]
    pub handshake_timeout: Duration,
    /// How long a write to a device may take before its connection is closed.
    #[serde(with = "humantime_serde")]
    pub send_timeout: Duration,
    /// The longest keep-alive a device is allowed. A device that asks for more, or for none, is treated as if it had
    /// asked for this; it is disconnected after one and a half times its keep-alive without a packet.
    #[serde(with = "humantime_serde")]
    pub keep_alive_max: Duration,
}

/// The TLS listener.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The certificate chain, PEM.
    pub cert_file: PathBuf,
    /// The private key, PEM.
    pub key_file: PathBuf,
}

/// The WebSocket listener.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebSocket {
    /// Where it listens.
    pub listen: SocketAddr,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            enabled: true,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 1883)),
            tls: None,
            websocket: None,
            sessions_max: const { NonZeroU32::new(20_000).unwrap() },
            sockets_max: const { NonZeroU32::new(21_000).unwrap() },
            files_reserved: 512,
            message_bytes_max: 256 * 1024,
            session_queue_messages_max: const { NonZeroU16::new(128).unwrap() },
            session_posts_max: const { NonZeroU16::new(64).unwrap() },
            kept_messages_per_device_max: 100,
            kept_messages_bytes_max: 64 * 1024 * 1024,
            inflight_messages_max: const { NonZeroU16::new(32).unwrap() },
            handshake_timeout: Duration::from_secs(10),
            send_timeout: Duration::from_secs(5),
            keep_alive_max: Duration::from_secs(20 * 60),
        }
    }
}

/// More would be no limit.
const KEPT_BYTES_LIMIT: usize = 16 * 1024 * 1024 * 1024;
/// What MQTT can say.
const MESSAGE_BYTES_LIMIT: u32 = 268_435_455;

impl Section for Config {
    fn problems(&self) -> Vec<Problem> {
        let mut check = Check::default();
        let bytes = self.message_bytes_max;
        let right = format!("1024 to {MESSAGE_BYTES_LIMIT}");
        check.must((1024..=MESSAGE_BYTES_LIMIT).contains(&bytes), "message_bytes_max", bytes, right);
        check.at_most("kept_messages_bytes_max", self.kept_messages_bytes_max, KEPT_BYTES_LIMIT);
        check.more_than_zero("handshake_timeout", self.handshake_timeout);
        check.more_than_zero("send_timeout", self.send_timeout);
        let (least, most) = (Duration::from_secs(1), Duration::from_secs(u64::from(u16::MAX)));
        check.between("keep_alive_max", self.keep_alive_max, least, most);
        check.into_problems()
    }

    fn problems_of_files(&self) -> Vec<Problem> {
        let tls = self.tls.as_ref().filter(|_| self.enabled);
        tls.and_then(|tls| crate::tls::acceptor(&tls.cert_file, &tls.key_file).err()).unwrap_or_default()
    }

    fn doubts_of_files(&self) -> Vec<Problem> {
        let tls = self.tls.as_ref().filter(|_| self.enabled);
        tls.and_then(|tls| doubt_of_certificate("tls.cert_file", &tls.cert_file)).into_iter().collect()
    }
}
