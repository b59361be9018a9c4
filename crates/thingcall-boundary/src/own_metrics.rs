//! Metrics that plugins define for themselves, in `create` only, so that the set of series is known after it.
//!
//! **Invariant:** a name keeps its kind and its owner for as long as the process lives.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use prometheus::{Counter, Gauge, Histogram, HistogramOpts, Registry};
use thingcall_plugin::abi::{METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM};

use crate::fault::Fault;
use crate::slots::lock;

/// How many metrics a plugin may define.
const METRICS_PER_PLUGIN_MAX: usize = 32;
/// How long a metric's name may be, in bytes, without what the host puts before it.
const NAME_BYTES_MAX: usize = 64;

/// The series that plugins of one server defined, by their full names.
#[derive(Debug)]
pub(crate) struct OwnNames {
    registry: Registry,
    all: Mutex<BTreeMap<String, OwnSeries>>,
}

impl OwnNames {
    pub(crate) fn new(registry: Registry) -> Arc<Self> {
        Arc::new(Self { registry, all: Mutex::default() })
    }
}

/// One registered series of a plugin and whose it is.
#[derive(Debug)]
struct OwnSeries {
    plugin: Arc<str>,
    what: Own,
}

#[derive(Debug, Clone)]
enum Own {
    Counter(Counter),
    Gauge(Gauge),
    Histogram(Histogram),
}

impl Own {
    const fn kind(&self) -> u32 {
        match self {
            Self::Counter(_) => METRIC_COUNTER,
            Self::Gauge(_) => METRIC_GAUGE,
            Self::Histogram(_) => METRIC_HISTOGRAM,
        }
    }

    fn register(kind: u32, name: &str, help: &str, registry: &Registry) -> Option<Self> {
        let help = if help.is_empty() { name } else { help };
        let (own, collector): (Self, Box<dyn prometheus::core::Collector>) = match kind {
            METRIC_COUNTER => {
                let counter = Counter::new(name, help).ok()?;
                (Self::Counter(counter.clone()), Box::new(counter))
            }
            METRIC_GAUGE => {
                let gauge = Gauge::new(name, help).ok()?;
                (Self::Gauge(gauge.clone()), Box::new(gauge))
            }
            METRIC_HISTOGRAM => {
                let histogram = Histogram::with_opts(HistogramOpts::new(name, help)).ok()?;
                (Self::Histogram(histogram.clone()), Box::new(histogram))
            }
            _ => return None,
        };
        registry.register(collector).ok().map(|()| own)
    }

    fn record(&self, value: f64) -> Result<(), Fault> {
        match self {
            _ if !value.is_finite() => return Err(Fault::Invalid),
            Self::Counter(_) if value < 0.0 => return Err(Fault::Invalid),
            Self::Counter(counter) => counter.inc_by(value),
            Self::Gauge(gauge) => gauge.set(value),
            Self::Histogram(histogram) => histogram.observe(value),
        }
        Ok(())
    }
}

/// What a plugin asks for.
#[derive(Debug)]
pub(crate) struct Definition {
    /// The ABI's number.
    pub(crate) kind: u32,
    /// Without what the host puts before it.
    pub(crate) name: String,
    /// The name again if empty.
    pub(crate) help: String,
}

/// The metrics of one generation, by the ids it was given.
#[derive(Debug)]
pub(crate) struct OwnMetrics {
    plugin: Arc<str>,
    names: Arc<OwnNames>,
    defined: [OnceLock<Own>; METRICS_PER_PLUGIN_MAX],
    frozen: AtomicBool,
}

impl OwnMetrics {
    pub(crate) fn new(plugin: &Arc<str>, names: &Arc<OwnNames>) -> Self {
        let (plugin, names) = (plugin.clone(), names.clone());
        let defined = [const { OnceLock::new() }; METRICS_PER_PLUGIN_MAX];
        Self { plugin, names, defined, frozen: AtomicBool::new(false) }
    }

    /// From now on nothing is defined.
    pub(crate) fn freeze(&self) {
        self.frozen.store(true, Ordering::Release);
    }

    /// Defines a metric, or finds the one that an earlier generation defined.
    ///
    /// # Errors
    /// What the plugin is told.
    pub(crate) fn define(&self, wanted: &Definition) -> Result<u32, Fault> {
        let (Definition { kind, name, help }, plugin) = (wanted, &self.plugin);
        if self.frozen.load(Ordering::Acquire) {
            return Err(Fault::Stale);
        }
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            return Err(Fault::Invalid);
        }
        let name = format!("thingcall_plugin_{}_{}", sanitised(plugin), sanitised(name));
        let mut all = lock(&self.names.all);
        let own = match all.get(&name) {
            Some(known) if known.plugin == *plugin && known.what.kind() == *kind => known.what.clone(),
            Some(_) => return Err(Fault::Invalid),
            None if all.values().filter(|known| known.plugin == *plugin).count() >= METRICS_PER_PLUGIN_MAX => {
                return Err(Fault::Limit);
            }
            None => {
                let what = Own::register(*kind, &name, help, &self.names.registry).ok_or(Fault::Invalid)?;
                all.insert(name, OwnSeries { plugin: plugin.clone(), what: what.clone() });
                what
            }
        };
        // Under the lock of all names, so one place is taken once.
        let place = self.defined.iter().position(|place| place.get().is_none()).ok_or(Fault::Limit)?;
        drop(self.defined.get(place).ok_or(Fault::Limit)?.set(own));
        u32::try_from(place).map_err(|_| Fault::Limit)
    }

    /// Records a value; counters take what is added to them, gauges what they are.
    pub(crate) fn record(&self, id: u32, value: f64) -> Result<(), Fault> {
        let place = usize::try_from(id).ok().and_then(|id| self.defined.get(id));
        place.and_then(OnceLock::get).ok_or(Fault::Invalid)?.record(value)
    }
}

/// Letters, digits and `_`; anything else becomes `_`.
fn sanitised(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests;
