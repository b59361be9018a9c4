//! Examples of what histograms counted: for each bucket the trace of one call that fell into it.
//!
//! **Invariant:** an observation without a trace costs nothing beside the histogram's own. One with a trace takes the lock of its
//! bucket, and no other.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use prometheus::core::Metric;
use prometheus::{Histogram, HistogramVec};

use crate::Series;

/// Which trace a call belongs to, if it is recorded: the id that its tracing system knows it by.
pub type TraceId = [u8; 16];

/// A histogram whose buckets keep an example each.
#[derive(Debug, Clone)]
pub struct Traced {
    histogram: Histogram,
    slots: Arc<Slots>,
}

/// The buckets of one series.
#[derive(Debug)]
struct Slots {
    /// As they stand in the older text format, each with a comma.
    labels: String,
    bounds: Vec<f64>,
    /// One more than bounds.
    latest: Vec<Mutex<Option<Exemplar>>>,
}

/// The latest call of a bucket that had a trace.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Exemplar {
    pub(crate) trace_id: TraceId,
    pub(crate) value: f64,
    /// Since 1970.
    pub(crate) at_seconds: f64,
}

impl Traced {
    /// Counts a value, of a call that belongs to this trace.
    pub fn observe(&self, value: f64, trace: Option<TraceId>) {
        self.histogram.observe(value);
        if let Some(trace_id) = trace {
            self.slots.keep(trace_id, value);
        }
    }
}

impl Series<HistogramVec> for Traced {
    const LABELS: usize = 0;

    fn of(family: &HistogramVec, first: &[&str]) -> Self {
        let histogram = family.with_label_values(first);
        let slots = Arc::new(Slots::of(&histogram));
        Self { histogram, slots }
    }
}

impl Slots {
    fn of(histogram: &Histogram) -> Self {
        let metric = histogram.metric();
        let labels = metric.get_label().iter().map(|pair| format!("{}=\"{}\",", pair.name(), pair.value())).collect();
        let bounds: Vec<_> = metric.get_histogram().get_bucket().iter().map(|bucket| bucket.upper_bound()).collect();
        let latest = (0..=bounds.len()).map(|_| Mutex::default()).collect();
        Self { labels, bounds, latest }
    }

    #[cold]
    fn keep(&self, trace_id: TraceId, value: f64) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        if let Some(latest) = self.latest.get(bucket) {
            let kept = Exemplar { trace_id, value, at_seconds: now.as_secs_f64() };
            *latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
        }
    }
}

/// All histograms that keep examples. Clones are one.
#[derive(Debug, Clone, Default)]
pub struct Exemplars(Arc<Mutex<Vec<OfFamily>>>);

/// A series, with the name of its family.
type OfFamily = (String, Arc<Slots>);

impl Exemplars {
    /// These histograms of the family of this name, without `thingcall_`, keep some.
    pub fn of<'a>(&self, name: &str, all: impl Iterator<Item = &'a Traced>) {
        let name = format!("{}{name}", crate::maker::PREFIX);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend(all.map(|traced| (name.clone(), traced.slots.clone())));
    }

    /// Those there are now.
    pub(crate) fn find(&self) -> Found {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = HashMap::new();
        for (name, slots) in kept.iter() {
            let bounds = slots.bounds.iter().map(ToString::to_string).chain(["+Inf".to_owned()]);
            for (bound, latest) in bounds.zip(&slots.latest) {
                if let Some(latest) = *latest.lock().unwrap_or_else(PoisonError::into_inner) {
                    all.insert((format!("{name}_bucket{{{}", slots.labels), bound), latest);
                }
            }
        }
        Found(all)
    }
}

/// Examples by what stands before the bound of their bucket, and the bound.
#[derive(Debug, Default)]
pub(crate) struct Found(HashMap<(String, String), Exemplar>);

impl Found {
    /// That of this bucket.
    pub(crate) fn at(&self, before: &str, bound: &str) -> Option<Exemplar> {
        if self.0.is_empty() {
            return None;
        }
        self.0.get(&(before.to_owned(), bound.to_owned())).copied()
    }
}
