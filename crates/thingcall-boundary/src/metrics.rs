//! What is counted of plugins' calls. A plugin's series exist from its first load on and stay, whatever becomes of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use enum_map::{Enum, EnumMap};
use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry};
use strum::IntoStaticStr;
use thingcall_metrics::{Family, Maker};

use crate::own_metrics::OwnNames;
use crate::slots::lock;

/// Bounds of a plugin's calls, in seconds, their devices' time included; one is the limit of a synchronous call.
const CALL_SECONDS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 7.0, 8.0, 10.0];

/// Bounds of a plugin's own time: most plugins compute, some ask elsewhere.
const OWN_SECONDS: &[f64] =
    &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 8.0];

/// How a plugin's call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum CallEnd {
    /// Answered with code 200 or 202.
    Ok,
    /// Answered with another code.
    Declined,
    /// Answered with a bad status, or against the rules.
    Error,
    /// Not answered in time, with nothing of a device to wait for.
    Timeout,
    /// Not answered in time, while a device that it had asked did not answer.
    DeviceTimeout,
    /// Its caller hung up.
    Cancelled,
    /// The plugin's code panicked.
    Panic,
    /// Turned away: too many calls, or the circuit is open.
    Busy,
}

/// The metrics of plugins' calls.
#[derive(Debug)]
pub struct Metrics {
    calls: Family<IntCounterVec, 2>,
    call_duration: Family<HistogramVec, 1>,
    own_seconds: Family<HistogramVec, 1>,
    in_flight: Family<IntGaugeVec, 1>,
    in_flight_limit: Family<IntGaugeVec, 1>,
    stalls: Family<IntCounterVec, 1>,
    circuit_open: Family<IntGaugeVec, 1>,
    stale: Family<IntCounterVec, 1>,
    plugins: Mutex<BTreeMap<String, Arc<Series>>>,
    own: Arc<OwnNames>,
}

/// The series of one plugin, shared by its generations.
#[derive(Debug)]
pub(crate) struct Series {
    /// The plugin's name.
    pub(crate) plugin: Arc<str>,
    calls: EnumMap<CallEnd, IntCounter>,
    call_duration: Histogram,
    own_seconds: Histogram,
    pub(crate) in_flight: IntGauge,
    /// Of its newest generation.
    pub(crate) in_flight_limit: IntGauge,
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
        let make = Maker::new(registry);
        Ok(Self {
            calls: make.counter_family(
                "plugin_calls_total",
                "Calls of a plugin, by how they ended",
                ["plugin", "result"],
            )?,
            call_duration: make.histogram_family(
                "plugin_call_duration_seconds",
                "Time in a plugin, its devices' included",
                CALL_SECONDS,
                ["plugin"],
            )?,
            own_seconds: make.histogram_family(
                "plugin_own_seconds",
                "A plugin's own share of a call: its time without that in which it waited for its device; its timers are its own",
                OWN_SECONDS,
                ["plugin"],
            )?,
            in_flight: make.gauge_family("plugin_in_flight", "Calls of a plugin that have not ended", ["plugin"])?,
            in_flight_limit: make.gauge_family("plugin_in_flight_limit", "How many there may be", ["plugin"])?,
            stalls: make.counter_family(
                "plugin_stalls_total",
                "Times a plugin's code held its thread too long",
                ["plugin"],
            )?,
            circuit_open: make.gauge_family("plugin_circuit_open", "1 while a plugin's code blocks", ["plugin"])?,
            stale: make.counter_family(
                "plugin_stale_total",
                "Answers of a plugin to calls that had ended",
                ["plugin"],
            )?,
            plugins: Mutex::default(),
            own: OwnNames::new(registry.clone()),
        })
    }

    /// The series of a plugin.
    pub(crate) fn series(&self, plugin: &str) -> Arc<Series> {
        let mut plugins = lock(&self.plugins);
        if let Some(series) = plugins.get(plugin) {
            return series.clone();
        }
        let series = Arc::new(Series {
            plugin: plugin.into(),
            calls: self.calls.series([plugin]),
            call_duration: self.call_duration.series([plugin]),
            own_seconds: self.own_seconds.series([plugin]),
            in_flight: self.in_flight.series([plugin]),
            in_flight_limit: self.in_flight_limit.series([plugin]),
            stalls: self.stalls.series([plugin]),
            circuit_open: self.circuit_open.series([plugin]),
            stale: self.stale.series([plugin]),
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
        self.calls[result].inc();
    }

    /// Counts the end of a call that took so long, of it so much at its device.
    pub(crate) fn ended(&self, result: CallEnd, took: Duration, at_device: Duration) {
        self.refused(result);
        self.call_duration.observe(took.as_secs_f64());
        self.own_seconds.observe(took.saturating_sub(at_device).as_secs_f64());
    }
}
