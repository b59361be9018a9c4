//! What a listener counts.
//!
//! **Invariant:** the name of a listener is a constant label, so each registers its own figures; every series is there
//! from the start, at zero.

use enum_map::{Enum, EnumMap};
use prometheus::{IntCounter, IntGauge, Registry};
use strum::IntoStaticStr;
use thingcall_metrics::{Maker, gauge_of};

/// Why a connection was cut by the listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Cut {
    /// It waited longest, and another came for which there was no room.
    MadeRoom,
    /// It did not send in time what it had begun.
    SlowToSend,
    /// It did not read in time what it had asked for.
    SlowToRead,
    /// It sent more than there was room for before anybody vouched for it.
    NoBytesLeft,
    /// There was no TLS handshake, or none in time.
    NoHandshake,
    /// It spoke HTTP where TLS is spoken.
    WithoutTls,
    /// What it sent was no request.
    Unreadable,
}

/// The figures of one listener.
#[derive(Debug, Clone)]
pub struct Figures {
    pub(crate) name: &'static str,
    pub(crate) connections: IntGauge,
    pub(crate) unauthenticated: IntGauge,
    connections_limit: IntGauge,
    unauthenticated_limit: IntGauge,
    cut: EnumMap<Cut, IntCounter>,
}

impl Figures {
    /// Registers those of the listener with this name.
    ///
    /// # Errors
    /// If they are registered already.
    pub fn register(name: &'static str, registry: &Registry) -> Result<Self, prometheus::Error> {
        let make = Maker::of(registry, "listener", name);
        let bytes = "listener_unauthenticated_bytes";
        Ok(Self {
            name,
            cut: make.counters(
                "listener_connections_cut_total",
                "Connections that the listener closed, by what they lacked",
                ["reason"],
            )?,
            connections: make.gauge("listener_connections", "Open connections")?,
            connections_limit: make.gauge("listener_connections_limit", "How many there may be")?,
            unauthenticated: make
                .gauge(bytes, "What requests hold that nobody has vouched for yet, large ones alone")?,
            unauthenticated_limit: make.gauge(&format!("{bytes}_limit"), "How much they may hold together")?,
        })
    }

    /// Shows how many connections there may be, and how much they may hold before somebody vouches for them.
    pub fn limits(&self, connections_max: usize, unauthenticated_bytes_max: usize) {
        self.connections_limit.set(gauge_of(connections_max));
        self.unauthenticated_limit.set(gauge_of(unauthenticated_bytes_max));
    }

    pub(crate) fn cut(&self, why: Cut) {
        self.cut[why].inc();
    }
}
