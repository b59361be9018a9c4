//! What the gate counts.
//!
//! **Invariant:** labels come from closed lists; every series is there from the start, at zero.

use std::collections::BTreeMap;

use enum_map::{Enum, EnumMap};
use prometheus::{IntCounter, IntGauge, Registry};
use strum::IntoStaticStr;
use thingcall_metrics::Maker;

use crate::denial::Reason;

/// How a question ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Decision {
    /// Allowed.
    Allow,
    /// Not allowed.
    Deny,
    /// Left to the broker's other backends.
    Ignore,
    /// The question could not be read, its asker did not show the secret, or nobody can say now.
    Error,
}

/// The gate's counters.
#[derive(Debug)]
pub(crate) struct Metrics {
    /// By broker and question.
    decisions: BTreeMap<(&'static str, &'static str), EnumMap<Decision, IntCounter>>,
    /// By broker.
    refusals: BTreeMap<&'static str, EnumMap<Reason, IntCounter>>,
    /// Client ids of free text that are remembered.
    pub(crate) client_ids: IntGauge,
}

impl Metrics {
    /// Registers everything at zero: that of each endpoint, by its broker and its word, too.
    pub(crate) fn register(
        registry: &Registry,
        client_ids_max: usize,
        endpoints: impl Iterator<Item = (&'static str, &'static str)>,
    ) -> Result<Self, prometheus::Error> {
        let make = Maker::new(registry);
        let decisions = make.counter_family(
            "gate_decisions_total",
            "Questions of brokers about devices, by their answer",
            ["broker", "endpoint", "result"],
        )?;
        let refusals = make.counter_family(
            "gate_refusals_total",
            "Questions of brokers that were answered with no, by the reason",
            ["broker", "reason"],
        )?;
        make.limit("gate_client_ids_limit", "How many of them may be kept", client_ids_max)?;
        let endpoints: Vec<_> = endpoints.collect();
        Ok(Self {
            decisions: endpoints.iter().map(|(of, at)| ((*of, *at), decisions.series([of, at]))).collect(),
            refusals: endpoints.iter().map(|(broker, _)| (*broker, refusals.series([broker]))).collect(),
            client_ids: make.gauge("gate_client_ids", "Client ids of free text kept with their devices")?,
        })
    }

    /// Counts an answer.
    pub(crate) fn decided(&self, broker: &'static str, endpoint: &'static str, decision: Decision) {
        if let Some(counters) = self.decisions.get(&(broker, endpoint)) {
            counters[decision].inc();
        }
    }

    /// Counts a no.
    pub(crate) fn denied(&self, broker: &str, reason: Reason) {
        if let Some(counters) = self.refusals.get(broker) {
            counters[reason].inc();
        }
    }
}
