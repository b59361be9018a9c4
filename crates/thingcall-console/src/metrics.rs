//! What is counted of the console.

use enum_map::{Enum, EnumMap};
use prometheus::{IntCounter, Registry};
use strum::IntoStaticStr;
use thingcall_metrics::Maker;

/// How a login ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Login {
    /// It was let in.
    Ok,
    /// Its key or secret is wrong, or the key does not count any more.
    Refused,
    /// It failed too often just before.
    LockedOut,
}

/// The console's counters.
#[derive(Debug)]
pub(crate) struct Metrics {
    /// By their end.
    pub(crate) logins: EnumMap<Login, IntCounter>,
    /// Requests of nobody known that are not noted.
    pub(crate) audit_left_out: IntCounter,
}

impl Metrics {
    /// Registers everything at zero.
    pub(crate) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let make = Maker::new(registry);
        let logins = make.counters("console_logins_total", "Logins to the console, by their end", ["result"])?;
        let help = "Requests to the console that nobody is known to have sent and that the audit log does not have: too many came in a minute";
        Ok(Self { logins, audit_left_out: make.counter("console_audit_left_out_total", help)? })
    }
}
