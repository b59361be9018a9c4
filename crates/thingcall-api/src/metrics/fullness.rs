//! How full what the front remembers is: looked at when the metrics are asked for, so that no request pays for it.

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Gauge, Registry};
use thingcall_metrics::Maker;

/// A gauge whose value is read when it is asked for.
struct Fullness<F> {
    gauge: Gauge,
    read: F,
}

/// Registers a gauge, and its limit beside it.
pub(crate) fn register(
    registry: &Registry,
    (name, help): (&str, &str),
    limit: usize,
    read: impl Fn() -> f64 + Send + Sync + 'static,
) -> Result<(), prometheus::Error> {
    Maker::new(registry).limit(&format!("{name}_limit"), &format!("{help}: as many as there may be"), limit)?;
    registry.register(Box::new(Fullness { gauge: Gauge::new(format!("thingcall_{name}"), help)?, read }))
}

impl<F: Fn() -> f64 + Send + Sync> Collector for Fullness<F> {
    fn desc(&self) -> Vec<&Desc> {
        self.gauge.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.gauge.set((self.read)());
        self.gauge.collect()
    }
}
