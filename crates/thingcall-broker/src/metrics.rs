//! What the broker counts beside what all transports count.
//!
//! **Invariant:** every gauge has its limit beside it; every series is there from the start. What was full is counted
//! as full, never as a device's fault.

use enum_map::{Enum, EnumMap};
use prometheus::{IntCounter, IntGauge, Registry};
use strum::IntoStaticStr;
use thingcall_metrics::Maker;

use crate::Config;

/// Why a connection came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum NoSession {
    /// All sockets that may be open are.
    SocketsMax,
    /// All devices that may be connected are.
    SessionsMax,
    /// The broker stops.
    Stopping,
    /// No CONNECT in time, or a TLS or WebSocket handshake took too long.
    Timeout,
    /// The TLS or WebSocket handshake failed.
    Handshake,
    /// What came is no CONNECT.
    Malformed,
    /// Whoever it is did not prove to be a device.
    Credentials,
    /// The store cannot be read, so nobody can say who it is.
    NotLookedUp,
    /// The device is disabled.
    Disabled,
    /// The device's will is on a topic it may not publish on.
    Will,
}

/// The broker's own gauges and counters.
#[derive(Debug)]
pub(crate) struct Metrics {
    /// Sockets that are open, logged in or not.
    pub(crate) sockets: IntGauge,
    /// Devices that are connected.
    pub(crate) sessions: IntGauge,
    /// Filters of SUBSCRIBE that are no device's own.
    pub(crate) subscriptions_refused: IntCounter,
    /// Connections that were closed because their device logged in again.
    pub(crate) takeovers: IntCounter,
    /// How often a device was read no further, since as many of its reports were under way as may be.
    pub(crate) pauses: IntCounter,
    /// Bytes of messages that wait for devices that are away.
    pub(crate) kept_bytes: IntGauge,
    refusals: EnumMap<NoSession, IntCounter>,
}

impl Metrics {
    /// Registers everything at zero, and the limits.
    pub(crate) fn register(
        registry: &Registry,
        (sockets_max, sessions_max): (usize, usize),
        config: &Config,
    ) -> Result<Self, prometheus::Error> {
        let make = Maker::new(registry);
        make.limit("broker_sockets_limit", "How many sockets may be open", sockets_max)?;
        make.limit("broker_sessions_limit", "How many devices may be connected", sessions_max)?;
        let help = "How many reports of one device may be under way before it is read no further";
        make.limit("broker_session_posts_limit", help, config.session_posts_max.get().into())?;
        let help = "How many bytes may wait for devices that are away";
        make.limit("broker_kept_bytes_limit", help, config.kept_messages_bytes_max)?;
        Ok(Self {
            sockets: make.gauge("broker_sockets", "Sockets that are open, logged in or not")?,
            sessions: make.gauge("broker_sessions", "Devices that are connected")?,
            subscriptions_refused: make
                .counter("broker_subscriptions_refused_total", "Filters of devices that match no topic of their own")?,
            takeovers: make
                .counter("broker_takeovers_total", "Connections closed because their device logged in again")?,
            kept_bytes: make.gauge("broker_kept_bytes", "Bytes that wait for devices that are away")?,
            pauses: make.counter(
                "broker_session_pauses_total",
                "How often a device was read no further until one of its reports was written",
            )?,
            refusals: make.counters(
                "broker_refusals_total",
                "Connections to the embedded broker that came to nothing",
                ["reason"],
            )?,
        })
    }

    /// Counts a connection that came to nothing.
    pub(crate) fn refused(&self, refused: NoSession) {
        self.refusals[refused].inc();
    }
}
