//! What the broker counts beside what all transports count.
//!
//! **Invariant:** every gauge has its limit beside it; every series is there from the start. What was full is counted
//! as full, never as a device's fault.

use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

/// Why a connection came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    /// The device is disabled.
    Disabled,
    /// The device's will is on a topic it may not publish on.
    Will,
}

impl NoSession {
    const WORDS: [&str; 9] = [
        "sockets_max",
        "sessions_max",
        "stopping",
        "timeout",
        "handshake",
        "malformed",
        "credentials",
        "disabled",
        "will",
    ];
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
    refusals: Vec<IntCounter>,
}

impl Metrics {
    /// Registers everything at zero, and the limits.
    pub(crate) fn register(
        registry: &Registry,
        sockets_max: usize,
        sessions_max: usize,
    ) -> Result<Self, prometheus::Error> {
        let gauge = |name: &str, help: &str, value: usize| -> Result<_, prometheus::Error> {
            let gauge = IntGauge::new(format!("thingcall_broker_{name}"), help)?;
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        let counter = |name: &str, help: &str| -> Result<_, prometheus::Error> {
            let counter = IntCounter::new(format!("thingcall_broker_{name}"), help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok(counter)
        };
        let refusals = IntCounterVec::new(
            Opts::new("thingcall_broker_refusals_total", "Connections to the embedded broker that came to nothing"),
            &["reason"],
        )?;
        registry.register(Box::new(refusals.clone()))?;
        gauge("sockets_limit", "How many sockets may be open", sockets_max)?;
        gauge("sessions_limit", "How many devices may be connected", sessions_max)?;
        Ok(Self {
            sockets: gauge("sockets", "Sockets that are open, logged in or not", 0)?,
            sessions: gauge("sessions", "Devices that are connected", 0)?,
            subscriptions_refused: counter(
                "subscriptions_refused_total",
                "Filters of devices that match no topic of their own",
            )?,
            takeovers: counter("takeovers_total", "Connections closed because their device logged in again")?,
            refusals: NoSession::WORDS
                .iter()
                .map(|word| refusals.get_metric_with_label_values(&[word]))
                .collect::<Result<_, _>>()?,
        })
    }

    /// Counts a connection that came to nothing.
    pub(crate) fn refused(&self, refused: NoSession) {
        if let Some(counter) = self.refusals.get(refused as usize) {
            counter.inc();
        }
    }
}
