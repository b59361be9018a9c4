//! The metrics of one moment, as status reads them.
//!
//! **Invariant:** a limit is a gauge whose name ends in `_limit`, beside the gauge of what it limits: what is added so is told here by itself.

use std::collections::BTreeMap;

use prometheus::proto::{Metric, MetricFamily};
use serde_json::{Value, json};

use crate::observe::Observed;

/// From this part of a limit on it is told.
const NEAR: f64 = 0.8;
/// What fills up and then gives up its oldest is full by right.
const RINGS: [&str; 7] = [
    "recent_calls",
    "recent_failures",
    "dropped_devices",
    "transport_foreign_replies_kept",
    "transport_foreign_replies_kept_bytes",
    "transport_presence_devices",
    "top_bytes",
];
const PREFIX: &str = "thingcall_";
const SUFFIX: &str = "_limit";

/// All metrics.
pub(super) struct Figures(BTreeMap<String, MetricFamily>);

/// A limit, and how much of it is taken.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Limit {
    /// As its gauge is called, without `thingcall_`.
    pub(super) name: String,
    pub(super) labels: Vec<(String, String)>,
    pub(super) taken: f64,
    pub(super) max: f64,
}

impl Figures {
    pub(super) fn of(observed: &Observed) -> Self {
        Self::from(observed.families())
    }

    fn from(families: Vec<MetricFamily>) -> Self {
        Self(families.into_iter().map(|family| (family.name().to_owned(), family)).collect())
    }

    fn metrics(&self, name: &str) -> &[Metric] {
        self.0.get(name).map_or(&[], MetricFamily::get_metric)
    }

    /// The sum over all labels.
    pub(super) fn sum(&self, name: &str) -> f64 {
        self.metrics(name).iter().map(value).sum()
    }

    /// The sums by one label.
    pub(super) fn by(&self, name: &str, label: &str) -> BTreeMap<String, f64> {
        let mut sums = BTreeMap::new();
        for metric in self.metrics(name) {
            let of = metric.get_label().iter().find(|one| one.name() == label).map(|one| one.value());
            *sums.entry(of.unwrap_or_default().to_owned()).or_default() += value(metric);
        }
        sums
    }

    /// Limits that are nearly reached, the fullest first.
    pub(super) fn limits(&self) -> Vec<Limit> {
        let of = |family: &str| Some(family.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?.to_owned());
        let all = self.0.keys().filter_map(|family| Some((family, of(family)?)));
        let all = all.filter(|(_, name)| !RINGS.contains(&name.as_str()));
        let mut near: Vec<_> = all.flat_map(|(family, name)| self.near(family, &name)).collect();
        near.sort_by(|one, other| (other.taken / other.max).total_cmp(&(one.taken / one.max)));
        near
    }

    fn near(&self, family: &str, name: &str) -> Vec<Limit> {
        let limited = self.metrics(&format!("{PREFIX}{name}"));
        let limits = self.metrics(family).iter().map(|limit| {
            let labels: Vec<_> = limit.get_label().iter().map(|one| (one.name(), one.value())).collect();
            let fits = |metric: &Metric| {
                let has =
                    |label: &(&str, &str)| metric.get_label().iter().any(|one| (one.name(), one.value()) == *label);
                labels.iter().all(has)
            };
            let taken = limited.iter().filter(|metric| fits(metric)).map(value).sum();
            let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            Limit { name: name.to_owned(), labels, taken, max: value(limit) }
        });
        limits.filter(|limit| limit.max > 0.0 && limit.taken >= NEAR * limit.max).collect()
    }
}

fn value(metric: &Metric) -> f64 {
    // A metric is one of these; the others are 0.
    metric.get_gauge().value() + metric.get_counter().value()
}

impl Limit {
    pub(super) fn json(&self) -> Value {
        let labels: BTreeMap<_, _> = self.labels.iter().cloned().collect();
        json!({ "name": self.name, "labels": labels, "taken": self.taken, "max": self.max, "share": self.taken / self.max })
    }
}

#[cfg(test)]
mod tests {
    //! Limits of metrics that are made here.

    use prometheus::{Gauge, GaugeVec, Opts, Registry};

    use super::*;

    #[test]
    fn limits_that_are_nearly_reached_are_told_by_their_labels_and_rings_are_not() {
        let registry = Registry::new();
        let gauge = |name: &str, value: f64| {
            let gauge = Gauge::new(name, name).unwrap();
            gauge.set(value);
            registry.register(Box::new(gauge)).unwrap();
        };
        let by = |name: &str, values: &[(&str, &str, f64)]| {
            let gauges = GaugeVec::new(Opts::new(name, name), &["of", "state"]).unwrap();
            values.iter().for_each(|(of, state, value)| gauges.with_label_values(&[of, state]).set(*value));
            registry.register(Box::new(gauges)).unwrap();
        };
        let limits = GaugeVec::new(Opts::new("thingcall_a_limit", "limits"), &["of"]).unwrap();
        limits.with_label_values(&["x"]).set(10.0);
        limits.with_label_values(&["y"]).set(10.0);
        registry.register(Box::new(limits)).unwrap();
        by("thingcall_a", &[("x", "one", 5.0), ("x", "two", 4.0), ("y", "one", 7.0)]);
        gauge("thingcall_recent_calls", 5.0);
        gauge("thingcall_recent_calls_limit", 5.0);
        gauge("thingcall_none_limit", 0.0);
        gauge("thingcall_none", 0.0);
        gauge("thingcall_full", 3.0);
        gauge("thingcall_full_limit", 3.0);
        let figures = Figures::from(registry.gather());
        let told: Vec<_> = figures.limits().into_iter().map(|one| (one.name, one.labels, one.taken, one.max)).collect();
        let of_x = vec![("of".to_owned(), "x".to_owned())];
        assert_eq!(told, [("full".to_owned(), vec![], 3.0, 3.0), ("a".to_owned(), of_x, 9.0, 10.0)]);
        assert_eq!(figures.by("thingcall_a", "state")["one"], 12.0);
        assert_eq!((figures.sum("thingcall_a"), figures.sum("thingcall_b")), (16.0, 0.0));
    }
}
