//! How the engine's metrics are made.

use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

use super::gauge_of;

/// Makes metrics with the program's prefix and registers them.
pub(crate) struct Maker<'a> {
    pub(crate) registry: &'a Registry,
}

impl Maker<'_> {
    fn opts(name: &str, help: &str) -> Opts {
        Opts::new(format!("thingcall_{name}"), help)
    }

    pub(crate) fn counters<'a>(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        values: impl Iterator<Item = Vec<&'a str>>,
    ) -> Result<Vec<IntCounter>, prometheus::Error> {
        let family = IntCounterVec::new(Self::opts(name, help), labels)?;
        self.registry.register(Box::new(family.clone()))?;
        values.map(|values| family.get_metric_with_label_values(&values)).collect()
    }

    pub(crate) fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, prometheus::Error> {
        let family = IntGaugeVec::new(Self::opts(name, help), labels)?;
        self.registry.register(Box::new(family.clone()))?;
        Ok(family)
    }

    pub(crate) fn gauge(&self, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
        let gauge = IntGauge::with_opts(Self::opts(name, help))?;
        self.registry.register(Box::new(gauge.clone()))?;
        Ok(gauge)
    }

    /// A limit beside the gauge of what it limits.
    pub(crate) fn limit(&self, name: &str, help: &str, max: usize) -> Result<(), prometheus::Error> {
        self.gauge(name, help)?.set(gauge_of(max));
        Ok(())
    }

    pub(crate) fn histograms(
        &self,
        name: &str,
        help: &str,
        buckets: &[f64],
        labels: &[&str],
    ) -> Result<HistogramVec, prometheus::Error> {
        let opts = HistogramOpts { common_opts: Self::opts(name, help), buckets: buckets.to_vec() };
        let family = HistogramVec::new(opts, labels)?;
        self.registry.register(Box::new(family.clone()))?;
        Ok(family)
    }

    pub(crate) fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Result<Histogram, prometheus::Error> {
        let opts = HistogramOpts { common_opts: Self::opts(name, help), buckets: buckets.to_vec() };
        let histogram = Histogram::with_opts(opts)?;
        self.registry.register(Box::new(histogram.clone()))?;
        Ok(histogram)
    }
}
