//! What of the past of devices is not kept, counted.

use prometheus::IntCounter;
use thingcall_metrics::Maker;

/// What of the past of devices is not kept.
#[derive(Debug)]
pub(super) struct OfThePast {
    pub(super) left_out: IntCounter,
    pub(super) dropped: IntCounter,
}

impl OfThePast {
    pub(super) fn register(make: Maker<'_>) -> Result<Self, prometheus::Error> {
        Ok(Self {
            left_out: make.counter(
                "store_history_left_out_total",
                "Values and events of the past that are not kept, since too many waited to be written",
            )?,
            dropped: make.counter(
                "store_history_dropped_total",
                "Values and events of the past that this server dropped for their age, or since their product had too many",
            )?,
        })
    }
}
