//! What is counted of one target. Targets are those of the configuration, so their series are as many.

use enum_map::{Enum, EnumMap};
use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry};
use strum::IntoStaticStr;
use thingcall_metrics::{Family, Maker, gauge_of};

use crate::config::Config;
use crate::name::TargetName;

/// What became of a message at a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Fate {
    /// The target took it.
    Delivered,
    /// It is tried again.
    Failed,
    /// It is a dead letter.
    Dead,
    /// It is about none of the target's modules.
    Unwanted,
}

/// What waits for a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Waits {
    Unread,
    Again,
    Dead,
}

/// The families, of which each target has series.
pub(crate) struct Families {
    deliveries: Family<IntCounterVec, 2>,
    waiting: Family<IntGaugeVec, 2>,
    in_flight: Family<IntGaugeVec, 1>,
    in_flight_limit: Family<IntGaugeVec, 1>,
    bytes: Family<IntGaugeVec, 1>,
    bytes_limit: Family<IntGaugeVec, 1>,
    failing: Family<IntGaugeVec, 1>,
    seconds: Family<HistogramVec, 1>,
}

/// Those of one target.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    pub(crate) deliveries: EnumMap<Fate, IntCounter>,
    pub(crate) waiting: EnumMap<Waits, IntGauge>,
    pub(crate) in_flight: IntGauge,
    pub(crate) bytes: IntGauge,
    /// 1 from a failed request to the next one that is taken.
    pub(crate) failing: IntGauge,
    pub(crate) seconds: Histogram,
}

const SECONDS: &[f64] = &[0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0];

impl Families {
    pub(crate) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let make = Maker::new(registry);
        let of = ["target"];
        Ok(Self {
            deliveries: make.counter_family(
                "webhook_deliveries_total",
                "What became of messages at webhooks",
                ["target", "result"],
            )?,
            waiting: make.gauge_family(
                "webhook_messages",
                "Messages that wait for a webhook, those of them that wait to be tried again, and dead letters",
                ["target", "state"],
            )?,
            in_flight: make.gauge_family("webhook_in_flight_requests", "Requests on their way to a webhook", of)?,
            in_flight_limit: make.gauge_family("webhook_in_flight_requests_limit", "How many there may be", of)?,
            bytes: make.gauge_family("webhook_in_flight_bytes", "What their messages hold", of)?,
            bytes_limit: make.gauge_family("webhook_in_flight_bytes_limit", "How much they may hold", of)?,
            failing: make.gauge_family("webhook_failing", "1 while a webhook takes nothing", of)?,
            seconds: make.histogram_family("webhook_seconds", "How long requests to a webhook took", SECONDS, of)?,
        })
    }

    /// Those of this target, at zero.
    pub(crate) fn of(&self, target: &TargetName, config: &Config) -> Metrics {
        let target = [target.as_str()];
        self.in_flight_limit.series::<IntGauge, _>(target).set(gauge_of(config.in_flight_requests_max.get()));
        self.bytes_limit.series::<IntGauge, _>(target).set(gauge_of(config.in_flight_bytes_max.get()));
        Metrics {
            deliveries: self.deliveries.series(target),
            waiting: self.waiting.series(target),
            in_flight: self.in_flight.series(target),
            bytes: self.bytes.series(target),
            failing: self.failing.series(target),
            seconds: self.seconds.series(target),
        }
    }
}
