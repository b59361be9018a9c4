//! Last values that are not kept: counted, and told now and then.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use enum_map::{Enum, EnumMap};
use strum::IntoStaticStr;
use thingcall_core::DeviceKey;
use tokio::time::Instant;
use tracing::warn;

use crate::sizes::wide;

/// How often it is told in the log.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// Why a value is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Why {
    /// The property's name is too long.
    Name,
    /// Values of as many properties of the device are kept as may be.
    Device,
}

impl Why {
    const fn setting(self) -> &'static str {
        match self {
            Self::Name => "store.last_value_name_bytes_max",
            Self::Device => "store.last_values_per_device_max",
        }
    }
}

/// How many there were, and when that was told.
#[derive(Debug, Default)]
pub(crate) struct LeftOut {
    counts: EnumMap<Why, AtomicU64>,
    told: Mutex<EnumMap<Why, Option<Instant>>>,
}

impl LeftOut {
    /// So many of this device's are not kept.
    pub(crate) fn add(&self, why: Why, device: &DeviceKey, values: usize) {
        if values == 0 {
            return;
        }
        let before = self.counts[why].fetch_add(wide(values), Ordering::Relaxed);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told[why].is_none_or(|at| at.elapsed() >= TOLD_EVERY) {
            told[why] = Some(Instant::now());
            let (setting, so_far) = (why.setting(), before + wide(values));
            warn!(%device, values, so_far, setting, "last values of properties are not kept: they are more than may be");
        }
    }

    /// How many there were.
    pub(crate) fn count(&self, why: Why) -> u64 {
        self.counts[why].load(Ordering::Relaxed)
    }
}
