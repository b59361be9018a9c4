//! What is counted of leases and of what the other instances are.

use enum_map::{Enum, EnumMap};
use prometheus::{Gauge, Histogram, IntCounter, IntGauge, Registry};
use strum::IntoStaticStr;
use thingcall_core::CallId;
use thingcall_metrics::Maker;

use crate::Unlike;

/// From seeing that nobody holds a slot until its calls go on.
const TAKEOVER_SECONDS: &[f64] = &[0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0];

/// How a renewal went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Went {
    /// The leases last longer.
    #[strum(serialize = "renewed")]
    Well,
    /// The own lease was over, or another's.
    Lost,
    /// The store did not answer, or failed.
    Failed,
}

#[derive(Debug)]
pub(crate) struct Metrics {
    pub(crate) left: Gauge,
    pub(crate) renewals: EnumMap<Went, IntCounter>,
    pub(crate) lost: IntCounter,
    pub(crate) held: IntGauge,
    pub(crate) takeover: Histogram,
    pub(crate) given_back: IntCounter,
    pub(crate) instances: IntGauge,
    pub(crate) differing: EnumMap<Unlike, IntGauge>,
    pub(crate) at_odds: IntGauge,
}

impl Metrics {
    /// Registers everything at zero, and how many slots there are.
    pub(crate) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let make = Maker::new(registry);
        make.limit("slots_limit", "How many slots all instances of a store share", usize::from(CallId::SLOT_MAX) + 1)?;
        Ok(Self {
            left: make.fraction(
                "lease_left_seconds",
                "How long this instance may rest on the lease of its own slot yet; 0 without one",
            )?,
            renewals: make.counters("lease_renewals_total", "Renewals of leases, by how they went", ["result"])?,
            lost: make.counter("leases_lost_total", "Times that all slots were lost, and calls were refused")?,
            held: make.gauge("slots_held", "Slots that this instance holds: its own, and those it took over")?,
            takeover: make.histogram(
                "slot_takeover_seconds",
                "Slots taken over: from seeing that nobody holds one until its calls go on",
                TAKEOVER_SECONDS,
            )?,
            given_back: make.counter("slots_given_back_total", "Slots taken over that had nothing left to do")?,
            instances: make.gauge("instances", "Instances that live in the store, as this one sees them")?,
            differing: make.gauges(
                "plugins_differing",
                "Plugins that are not the same on all instances, by in what they differ",
                ["by"],
            )?,
            at_odds: make.gauge(
                "instances_at_odds",
                "Things in which instances are at odds: names, client ids, what they share; `thingcall instances` says which",
            )?,
        })
    }
}
