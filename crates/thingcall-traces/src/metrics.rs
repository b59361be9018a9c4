//! What is counted of traces.

use enum_map::{Enum, EnumMap};
use prometheus::{Histogram, IntCounter, IntGauge, Registry};
use strum::IntoStaticStr;
use thingcall_metrics::Maker;

use crate::config::Config;

/// What was decided of a request's trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Decision {
    /// It is recorded.
    Recorded,
    /// It is not.
    NotSampled,
    /// It would be, but there are too many spans a second.
    OverRate,
}

/// Why a span was not exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Dropped {
    /// Too many wait.
    QueueFull,
    /// Its request has too many.
    TooMany,
    /// The collector was not reached, again and again.
    NotSent,
    /// The collector did not want it.
    Rejected,
    /// The server ended before.
    Stopped,
}

/// What became of a request to the collector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Export {
    Ok,
    Failed,
}

#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    pub(crate) traces: EnumMap<Decision, IntCounter>,
    pub(crate) exported: IntCounter,
    pub(crate) dropped: EnumMap<Dropped, IntCounter>,
    pub(crate) queue: IntGauge,
    pub(crate) exports: EnumMap<Export, IntCounter>,
    pub(crate) seconds: Histogram,
}

const SECONDS: &[f64] = &[0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0];

impl Metrics {
    pub(crate) fn register(config: &Config, registry: &Registry) -> Result<Self, prometheus::Error> {
        let make = Maker::new(registry);
        let limit = config.queue_spans_max.get();
        make.limit("trace_queue_spans_limit", "How many spans may wait to be sent to the collector", limit)?;
        let batch = config.batch_spans_max.get();
        make.limit("trace_batch_spans_limit", "How many spans one request to the collector may hold", batch)?;
        let rate = usize::try_from(config.spans_per_second_max.get()).unwrap_or(usize::MAX);
        make.limit("trace_spans_per_second_limit", "How many spans may be made a second", rate)?;
        Ok(Self {
            traces: make.counters(
                "traces_total",
                "Requests that belong to a trace, by whether it is recorded",
                ["decision"],
            )?,
            exported: make.counter("trace_spans_exported_total", "Spans that the collector took")?,
            dropped: make.counters("trace_spans_dropped_total", "Spans that no collector has", ["reason"])?,
            queue: make.gauge("trace_queue_spans", "Spans that wait to be sent to the collector")?,
            exports: make.counters("trace_exports_total", "Requests to the collector", ["result"])?,
            seconds: make.histogram("trace_export_seconds", "How long requests to the collector took", SECONDS)?,
        })
    }

    pub(crate) fn drop(&self, why: Dropped, spans: usize) {
        self.dropped[why].inc_by(u64::try_from(spans).unwrap_or(u64::MAX));
    }
}
