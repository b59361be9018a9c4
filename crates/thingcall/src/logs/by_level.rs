//! Lines counted by their level.

use enum_map::{Enum, EnumMap};
use prometheus::{IntCounter, Registry};
use strum::IntoStaticStr;
use thingcall_metrics::Maker;
use tracing::Level;

/// The levels that are counted.
#[derive(Debug, Clone, Copy, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
enum CountedLevel {
    Error,
    Warn,
    Info,
}

/// A counter for each level down to `info`.
pub(super) struct ByLevel(EnumMap<CountedLevel, IntCounter>);

impl ByLevel {
    /// # Errors
    /// If the metric is registered already.
    pub(super) fn register(name: &str, help: &str, registry: &Registry) -> Result<Self, prometheus::Error> {
        Maker::new(registry).counters(name, help, ["level"]).map(Self)
    }

    /// Counts a line.
    pub(super) fn inc(&self, level: Level) {
        match level {
            Level::ERROR => self.0[CountedLevel::Error].inc(),
            Level::WARN => self.0[CountedLevel::Warn].inc(),
            Level::INFO => self.0[CountedLevel::Info].inc(),
            Level::DEBUG | Level::TRACE => {}
        }
    }
}
