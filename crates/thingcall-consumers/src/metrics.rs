//! What is counted of consumers.
//!
//! **Invariant:** every gauge has its limit beside it; every series is there from the start.

use enum_map::{Enum, EnumMap};
use prometheus::{IntCounter, IntGauge, Registry};
use strum::IntoStaticStr;
use thingcall_metrics::Maker;
use thingcall_subscription::{Outcome, Why};

use crate::config::Config;

/// How a login ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Login {
    Accepted,
    /// User name or password are wrong.
    Credentials,
    /// The key's rules do not allow the group.
    Forbidden,
    /// The group is none.
    NoGroup,
    /// Nobody can say now who it is.
    NotLookedUp,
    /// The group has all the clients that it may.
    GroupFull,
    /// The group's clients connect too often.
    TooOften,
    /// All consumers that may be connected are.
    ConnectionsMax,
    /// The server stops.
    Stopping,
}

/// Whether a message was sent to its group before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Source {
    New,
    Backlog,
}

/// What became of a message on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Fate {
    Accepted,
    Rejected,
    Released,
    Modified,
    Unsaid,
    Gone,
    TimedOut,
    /// The client takes none of that size.
    TooLarge,
}

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum End {
    Peer,
    Lost,
    Refused,
    Unavailable,
    NoLogin,
    NoLink,
    Silent,
    Stalled,
    Fault,
    Ordered,
}

/// Gauges and counters of all consumers.
#[derive(Debug)]
pub(crate) struct Metrics {
    pub(crate) connected: IntGauge,
    pub(crate) unsettled: IntGauge,
    pub(crate) handshakes_failed: IntCounter,
    pub(crate) taking_failed: IntCounter,
    pub(crate) logins: EnumMap<Login, IntCounter>,
    pub(crate) sent: EnumMap<Source, IntCounter>,
    pub(crate) settled: EnumMap<Fate, IntCounter>,
    pub(crate) ended: EnumMap<End, IntCounter>,
}

impl Metrics {
    /// Registers everything at zero, and the limits.
    pub(crate) fn register(registry: &Registry, config: &Config) -> Result<Self, prometheus::Error> {
        let make = Maker::new(registry);
        let connections = config.connections_max.get();
        let unsettled = connections.saturating_mul(config.unsettled_messages_max.get());
        make.limit("subscription_consumers_limit", "How many consumers may be connected", connections)?;
        make.limit("subscription_unsettled_messages_limit", "How many messages may be out with consumers", unsettled)?;
        Ok(Self {
            connected: make.gauge("subscription_consumers", "Consumers that are logged in")?,
            unsettled: make.gauge("subscription_unsettled_messages", "Messages that consumers have not settled")?,
            handshakes_failed: make.counter("subscription_handshakes_failed_total", "TLS handshakes that failed")?,
            taking_failed: make.counter(
                "subscription_takes_failed_total",
                "Times that no messages could be taken for a group, since the log could not be read",
            )?,
            logins: make.counters("subscription_logins_total", "Logins of consumers", ["result"])?,
            sent: make.counters("subscription_messages_sent_total", "Messages sent to consumers", ["from"])?,
            settled: make.counters(
                "subscription_messages_settled_total",
                "What became of messages that were sent",
                ["outcome"],
            )?,
            ended: make.counters("subscription_connections_ended_total", "Connections that ended", ["reason"])?,
        })
    }
}

impl From<Outcome> for Fate {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Accepted => Self::Accepted,
            Outcome::Rejected => Self::Rejected,
            Outcome::Released => Self::Released,
            Outcome::Modified => Self::Modified,
            Outcome::Unsaid => Self::Unsaid,
            Outcome::Gone => Self::Gone,
            Outcome::TimedOut => Self::TimedOut,
        }
    }
}

impl From<&Why> for End {
    fn from(why: &Why) -> Self {
        match why {
            Why::Peer(_) => Self::Peer,
            Why::Lost => Self::Lost,
            Why::Refused => Self::Refused,
            Why::Unavailable => Self::Unavailable,
            Why::NoLogin => Self::NoLogin,
            Why::NoLink => Self::NoLink,
            Why::Silent => Self::Silent,
            Why::Stalled => Self::Stalled,
            Why::Fault(_) => Self::Fault,
            Why::Ordered(_) => Self::Ordered,
        }
    }
}
