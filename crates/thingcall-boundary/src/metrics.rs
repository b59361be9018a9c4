//! What is counted of plugins' calls. A plugin's series exist from its first load on and stay, whatever becomes of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

use crate::own_metrics::OwnNames;
use crate::slots::lock;

/// Bounds of a plugin's calls, in seconds, their devices' time included; one is the limit of a synchronous call.
const CALL_SECONDS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 7.0, 8.0, 10.0];

/// How a plugin's call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallEnd {
    /// Answered with code 200 or 202.
    Ok,
    /// Answered with another code.
    Declined,
    /// Answered with a bad status, or against the rules.
    Error,
    /// Not answered in time.
    Timeout,
    /// Its caller hung up.
    Cancelled,
    /// The plugin's code panicked.
    Panic,
    /// Turned away: too many calls, or the circuit is open.
    Busy,
}

impl CallEnd {
    const ALL: [Self; 7] =
        [Self::Ok, Self::Declined, Self::Error, Self::Timeout, Self::Cancelled, Self::Panic, Self::Busy];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Declined => "declined",
            Self::Error => "error",
            Self::Timeout => "timeout",
            Self::Cancelled => "cancelled",
            Self::Panic => "panic",
            Self::Busy => "busy",
        }
    }
}

/// The metrics of plugins' calls.
#[derive(Debug)]
pub struct Metrics {
    calls: IntCounterVec,
    call_duration: HistogramVec,
    in_flight: IntGaugeVec,
    stalls: IntCounterVec,
    circuit_open: IntGaugeVec,
    stale: IntCounterVec,
    plugins: Mutex<BTreeMap<String, Arc<Series>>>,
    own: Arc<OwnNames>,
}

/// The series of one plugin, shared by its generations.
#[derive(Debug)]
pub(crate) struct Series {
    /// The plugin's name.
    pub(crate) plugin: Arc<str>,
    /// In the order of [`CallEnd::ALL`].
    calls: [IntCounter; 7],
    pub(crate) call_duration: Histogram,
    pub(crate) in_flight: IntGauge,
    pub(crate) stalls: IntCounter,
    pub(crate) circuit_open: IntGauge,
    pub(crate) stale: IntCounter,
}

impl Metrics {
    /// Registers the metrics.
    ///
    /// # Errors
    /// If they are registered already.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counter = |name: &str, help: &str, labels: &[&str]| IntCounterVec::new(Opts::new(name, help), labels);
        let gauge = |name: &str, help: &str, labels: &[&str]| IntGaugeVec::new(Opts::new(name, help), labels);
        let duration =
            HistogramOpts::new("thingcall_plugin_call_duration_seconds", "Time in a plugin, its devices' included")
                .buckets(CALL_SECONDS.to_vec());
        let metrics = Self {
            calls: counter(
                "thingcall_plugin_calls_total",
                "Calls of a plugin, by how they ended",
                &["plugin", "result"],
            )?,
            call_duration: HistogramVec::new(duration, &["plugin"])?,
            in_flight: gauge("thingcall_plugin_in_flight", "Calls of a plugin that have not ended", &["plugin"])?,
            stalls: counter(
                "thingcall_plugin_stalls_total",
                "Times a plugin's code held its thread too long",
                &["plugin"],
            )?,
            circuit_open: gauge("thingcall_plugin_circuit_open", "1 while a plugin's code blocks", &["plugin"])?,
            stale: counter("thingcall_plugin_stale_total", "Answers of a plugin to calls that had ended", &["plugin"])?,
            plugins: Mutex::default(),
            own: OwnNames::new(registry.clone()),
        };
        for vec in [&metrics.calls, &metrics.stalls, &metrics.stale] {
            registry.register(Box::new(vec.clone()))?;
        }
        for vec in [&metrics.in_flight, &metrics.circuit_open] {
            registry.register(Box::new(vec.clone()))?;
        }
        registry.register(Box::new(metrics.call_duration.clone()))?;
        Ok(metrics)
    }

    /// The series of a plugin.
    pub(crate) fn series(&self, plugin: &str) -> Arc<Series> {
        let mut plugins = lock(&self.plugins);
        if let Some(series) = plugins.get(plugin) {
            return series.clone();
        }
        let series = Arc::new(Series {
            plugin: plugin.into(),
            calls: CallEnd::ALL.map(|result| self.calls.with_label_values(&[plugin, result.as_str()])),
            call_duration: self.call_duration.with_label_values(&[plugin]),
            in_flight: self.in_flight.with_label_values(&[plugin]),
            stalls: self.stalls.with_label_values(&[plugin]),
            circuit_open: self.circuit_open.with_label_values(&[plugin]),
            stale: self.stale.with_label_values(&[plugin]),
        });
        plugins.insert(plugin.to_owned(), series.clone());
        series
    }

    /// What its plugins defined for themselves.
    pub(crate) const fn own(&self) -> &Arc<OwnNames> {
        &self.own
    }
}

impl Series {
    /// Counts a call that got nowhere near the plugin's code.
    pub(crate) fn refused(&self, result: CallEnd) {
        if let Some(counter) = self.calls.get(result as usize) {
            counter.inc();
        }
    }

    /// Counts the end of a call.
    pub(crate) fn ended(&self, result: CallEnd, took: Duration) {
        self.refused(result);
        self.call_duration.observe(took.as_secs_f64());
    }
}
