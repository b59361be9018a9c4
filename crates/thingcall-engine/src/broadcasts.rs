//! How many broadcasts there may be, and what is counted of them.

use std::sync::Arc;

use enum_map::{Enum, EnumMap};
use prometheus::{IntCounter, IntGauge};
use strum::IntoStaticStr;
use thingcall_metrics::Maker;
use tokio::sync::Semaphore;

use crate::Config;

/// What became of a message of a broadcast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Became {
    /// It left.
    Sent,
    /// Its device is not connected.
    Offline,
    /// It did not leave.
    Failed,
}

/// What is counted of broadcasts, and how many there may be.
pub(crate) struct Broadcasts {
    pub(crate) room: Arc<Semaphore>,
    pub(crate) max: usize,
    pub(crate) devices_per_second: u32,
    pub(crate) running: IntGauge,
    pub(crate) messages: EnumMap<Became, IntCounter>,
}

impl Broadcasts {
    pub(crate) fn register(make: Maker<'_>, config: &Config) -> Result<Self, prometheus::Error> {
        let max = config.broadcasts_max.get();
        make.limit("broadcasts_limit", "How many broadcasts may be going to all devices of a product", max)?;
        let help = "Messages of broadcasts: one for each device, or one that a broker deals out";
        Ok(Self {
            room: Arc::new(Semaphore::new(max)),
            max,
            devices_per_second: config.broadcast_devices_per_second_max.get(),
            running: make.gauge("broadcasts", "Broadcasts that are going to all devices of a product")?,
            messages: make.counters("broadcast_messages_total", help, ["result"])?,
        })
    }
}
