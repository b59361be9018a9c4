//! What the gate counts.
//!
//! **Invariant:** labels come from closed lists; every series is there from the start, at zero.

use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use crate::endpoint::{Broker, Endpoint};
use crate::who::Refused;

/// How a question ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Allowed.
    Allow,
    /// Not allowed.
    Deny,
    /// Left to the broker's other backends.
    Ignore,
    /// The question could not be read, or its asker did not show the secret.
    Error,
}

impl Decision {
    const WORDS: [&str; 4] = ["allow", "deny", "ignore", "error"];
}

/// The gate's counters.
#[derive(Debug)]
pub(crate) struct Metrics {
    decisions: Vec<(Endpoint, Vec<IntCounter>)>,
    refusals: IntCounterVec,
    /// Client ids of free text that are remembered.
    pub(crate) client_ids: IntGauge,
}

impl Metrics {
    /// Registers everything at zero.
    pub(crate) fn register(registry: &Registry, client_ids_max: usize) -> Result<Self, prometheus::Error> {
        let decisions = IntCounterVec::new(
            Opts::new("thingcall_gate_decisions_total", "Questions of brokers about devices, by their answer"),
            &["broker", "endpoint", "result"],
        )?;
        let refusals = IntCounterVec::new(
            Opts::new(
                "thingcall_gate_refusals_total",
                "Questions of brokers that were answered with no, by the reason",
            ),
            &["broker", "reason"],
        )?;
        let client_ids = IntGauge::new("thingcall_gate_client_ids", "Client ids of free text kept with their devices")?;
        let limit = IntGauge::new("thingcall_gate_client_ids_limit", "How many of them may be kept")?;
        registry.register(Box::new(decisions.clone()))?;
        registry.register(Box::new(refusals.clone()))?;
        registry.register(Box::new(client_ids.clone()))?;
        registry.register(Box::new(limit.clone()))?;
        limit.set(i64::try_from(client_ids_max).unwrap_or(i64::MAX));
        for broker in Broker::ALL {
            for word in Refused::WORDS {
                refusals.get_metric_with_label_values(&[broker.as_str(), word])?;
            }
        }
        let of = |endpoint: Endpoint| -> Result<_, prometheus::Error> {
            let labels = Decision::WORDS.iter().map(|word| [endpoint.broker().as_str(), endpoint.word(), *word]);
            let counters = labels.map(|labels| decisions.get_metric_with_label_values(&labels));
            Ok((endpoint, counters.collect::<Result<_, _>>()?))
        };
        Ok(Self { decisions: Endpoint::ALL.into_iter().map(of).collect::<Result<_, _>>()?, refusals, client_ids })
    }

    /// Counts an answer.
    pub(crate) fn decided(&self, endpoint: Endpoint, decision: Decision) {
        let row = self.decisions.iter().find(|(known, _)| *known == endpoint);
        if let Some(counter) = row.and_then(|(_, counters)| counters.get(decision as usize)) {
            counter.inc();
        }
    }

    /// Counts a no.
    pub(crate) fn refused(&self, broker: Broker, refused: &Refused) {
        self.refusals.with_label_values(&[broker.as_str(), refused.word()]).inc();
    }
}
