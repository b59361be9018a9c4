//! What is counted of fleet calls.

use enum_map::{Enum, EnumMap};
use prometheus::{IntCounter, IntGauge};
use strum::IntoStaticStr;
use thingcall_core::FleetOutcome;
use thingcall_metrics::Maker;

/// How a call ended, as a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
enum Ended {
    Succeeded,
    Failed,
    Unknown,
}

/// The series.
#[derive(Debug)]
pub(crate) struct FleetMetrics {
    pub(crate) running: IntGauge,
    devices: EnumMap<Ended, IntCounter>,
}

impl FleetMetrics {
    pub(crate) fn register(make: Maker<'_>) -> Result<Self, prometheus::Error> {
        Ok(Self {
            running: make.gauge("fleet_calls", "Fleet calls whose calls this instance makes now")?,
            devices: make.counters("fleet_devices_total", "Calls of fleet calls, when they end", ["outcome"])?,
        })
    }

    /// A call ended so.
    pub(crate) fn ended(&self, outcome: FleetOutcome) {
        let ended = match outcome {
            FleetOutcome::Succeeded => Ended::Succeeded,
            FleetOutcome::Failed => Ended::Failed,
            FleetOutcome::Unknown => Ended::Unknown,
        };
        self.devices[ended].inc();
    }
}
