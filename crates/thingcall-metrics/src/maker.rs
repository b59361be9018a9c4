//! How metrics are made and registered.

use prometheus::core::{MetricVec, MetricVecBuilder};
use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry,
};

use crate::{Family, Series};

/// What the names of all metrics begin with.
pub(crate) const PREFIX: &str = "thingcall_";

type Made<T> = Result<T, prometheus::Error>;

/// Makes metrics and registers them; names are given without `thingcall_`. An error is a fault of whoever asks: the name is
/// registered already or is none. It says which name.
#[derive(Debug, Clone, Copy)]
pub struct Maker<'a> {
    registry: &'a Registry,
    of: Option<(&'a str, &'a str)>,
}

#[expect(clippy::missing_errors_doc, reason = "stands at the type")]
impl<'a> Maker<'a> {
    /// Makes them in this registry.
    pub const fn new(registry: &'a Registry) -> Self {
        Self { registry, of: None }
    }

    /// Makes those of a thing of which there are several: all carry this label with this value.
    pub const fn of(registry: &'a Registry, label: &'a str, value: &'a str) -> Self {
        Self { registry, of: Some((label, value)) }
    }

    /// A counter.
    pub fn counter(&self, name: &str, help: &str) -> Made<IntCounter> {
        self.counters(name, help, [])
    }

    /// Counters by the labels that `S` names.
    pub fn counters<S: Series<IntCounterVec>, const N: usize>(
        &self,
        name: &str,
        help: &str,
        labels: [&str; N],
    ) -> Made<S> {
        Ok(self.counter_family(name, help, labels)?.series([]))
    }

    /// A family of counters that several fields share.
    pub fn counter_family<const N: usize>(
        &self,
        name: &str,
        help: &str,
        labels: [&str; N],
    ) -> Made<Family<IntCounterVec, N>> {
        self.family(name, IntCounterVec::new(self.opts(name, help), &labels))
    }

    /// A gauge.
    pub fn gauge(&self, name: &str, help: &str) -> Made<IntGauge> {
        self.gauges(name, help, [])
    }

    /// A gauge with a fraction.
    pub fn fraction(&self, name: &str, help: &str) -> Made<Gauge> {
        Ok(self.family::<_, 0>(name, GaugeVec::new(self.opts(name, help), &[]))?.series([]))
    }

    /// A limit, beside the gauge of what it limits.
    pub fn limit(&self, name: &str, help: &str, max: usize) -> Made<()> {
        self.gauge(name, help)?.set(gauge_of(max));
        Ok(())
    }

    /// Gauges by the labels that `S` names.
    pub fn gauges<S: Series<IntGaugeVec>, const N: usize>(&self, name: &str, help: &str, labels: [&str; N]) -> Made<S> {
        Ok(self.gauge_family(name, help, labels)?.series([]))
    }

    /// A family of gauges that several fields share.
    pub fn gauge_family<const N: usize>(
        &self,
        name: &str,
        help: &str,
        labels: [&str; N],
    ) -> Made<Family<IntGaugeVec, N>> {
        self.family(name, IntGaugeVec::new(self.opts(name, help), &labels))
    }

    /// A histogram.
    pub fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Made<Histogram> {
        self.histograms(name, help, buckets, [])
    }

    /// Histograms by the labels that `S` names.
    pub fn histograms<S: Series<HistogramVec>, const N: usize>(
        &self,
        name: &str,
        help: &str,
        buckets: &[f64],
        labels: [&str; N],
    ) -> Made<S> {
        Ok(self.histogram_family(name, help, buckets, labels)?.series([]))
    }

    /// A family of histograms that several fields share.
    pub fn histogram_family<const N: usize>(
        &self,
        name: &str,
        help: &str,
        buckets: &[f64],
        labels: [&str; N],
    ) -> Made<Family<HistogramVec, N>> {
        let opts = HistogramOpts { common_opts: self.opts(name, help), buckets: buckets.to_vec() };
        self.family(name, HistogramVec::new(opts, &labels))
    }

    fn opts(&self, name: &str, help: &str) -> Opts {
        let opts = Opts::new(format!("{PREFIX}{name}"), help);
        match self.of {
            Some((label, value)) => opts.const_label(label, value),
            None => opts,
        }
    }

    fn family<B: MetricVecBuilder, const N: usize>(
        &self,
        name: &str,
        made: Made<MetricVec<B>>,
    ) -> Made<Family<MetricVec<B>, N>>
    where
        MetricVec<B>: Clone + 'static,
    {
        let registered = made.and_then(Family::tried).and_then(|family| {
            self.registry.register(Box::new(family.collector()))?;
            Ok(family)
        });
        registered.map_err(|error| prometheus::Error::Msg(format!("the metric {PREFIX}{name}: {error}")))
    }
}

/// A number as a gauge holds it.
pub fn gauge_of(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
