//! How full what the front remembers is: looked at when the metrics are asked for, so that no request pays for it.

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Gauge, IntGauge, Registry};
use thingcall_metrics::{Maker, gauge_of};

/// A gauge whose value is read when it is asked for.
struct Fullness<F> {
    gauge: Gauge,
    read: F,
}

/// Registers a gauge, and its limit beside it, which may become another.
pub(crate) fn register(
    registry: &Registry,
    (name, help): (&str, &str),
    limit: usize,
    read: impl Fn() -> f64 + Send + Sync + 'static,
) -> Result<IntGauge, prometheus::Error> {
    let of = Maker::new(registry).gauge(&format!("{name}_limit"), &format!("{help}: as many as there may be"))?;
    of.set(gauge_of(limit));
    registry.register(Box::new(Fullness { gauge: Gauge::new(format!("thingcall_{name}"), help)?, read }))?;
    Ok(of)
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
