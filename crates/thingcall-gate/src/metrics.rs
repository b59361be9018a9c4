//! What the gate counts.
//!
//! **Invariant:** labels come from closed lists; every series is there from the start, at zero.

use prometheus::{IntCounterVec, IntGauge, Opts, Registry};

use crate::denial::Denial;

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

    const fn word(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Ignore => "ignore",
            Self::Error => "error",
        }
    }
}

/// The gate's counters.
#[derive(Debug)]
pub(crate) struct Metrics {
    decisions: IntCounterVec,
    refusals: IntCounterVec,
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
        for (broker, endpoint) in endpoints {
            for result in Decision::WORDS {
                decisions.get_metric_with_label_values(&[broker, endpoint, result])?;
            }
            for reason in Denial::WORDS {
                refusals.get_metric_with_label_values(&[broker, reason])?;
            }
        }
        Ok(Self { decisions, refusals, client_ids })
    }

    /// Counts an answer.
    pub(crate) fn decided(&self, broker: &str, endpoint: &str, decision: Decision) {
        self.decisions.with_label_values(&[broker, endpoint, decision.word()]).inc();
    }

    /// Counts a no.
    pub(crate) fn denied(&self, broker: &str, denial: &Denial) {
        self.refusals.with_label_values(&[broker, denial.word()]).inc();
    }
}
