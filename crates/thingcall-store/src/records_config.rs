//! What can be set about the records of calls.

use std::num::{NonZeroU64, NonZeroUsize};
use std::time::Duration;

use serde::Deserialize;
use thingcall_core::{Check, KeptCalls, Problem, Section};

/// The settings of records.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RecordsConfig {
    /// Which calls are kept. Asynchronous ones that were accepted are in the journal whatever it says.
    pub keep: KeptCalls,
    /// How long a record is kept.
    #[serde(with = "humantime_serde")]
    pub age_max: Duration,
    /// How many are kept; the oldest are dropped for new ones.
    pub records_max: NonZeroU64,
    /// How many bytes of them are kept.
    pub bytes_max: NonZeroU64,
    /// How many bytes of arguments a record has; longer ones are left out. 0: none are kept.
    pub args_bytes_max: usize,
    /// The same of what the device answered.
    pub reply_bytes_max: usize,
    /// How many refused requests are kept in a minute whose caller is not known, or beyond its quota: anybody can make
    /// those, and they must not push out what others look for.
    pub refused_per_minute_max: u32,
    /// How many records may wait to be written before more are left out.
    pub queue_records_max: NonZeroUsize,
    /// How many bytes they may have together.
    pub queue_bytes_max: NonZeroUsize,
}

impl Default for RecordsConfig {
    fn default() -> Self {
        Self {
            keep: KeptCalls::default(),
            age_max: Duration::from_secs(30 * 86_400),
            records_max: const { NonZeroU64::new(1_000_000).unwrap() },
            bytes_max: const { NonZeroU64::new(1_073_741_824).unwrap() },
            args_bytes_max: 4096,
            reply_bytes_max: 4096,
            refused_per_minute_max: 60,
            queue_records_max: const { NonZeroUsize::new(20_000).unwrap() },
            queue_bytes_max: const { NonZeroUsize::new(67_108_864).unwrap() },
        }
    }
}

/// A record that nobody can be in time for helps nobody.
const AGE_MIN: Duration = Duration::from_secs(60);
const AGE_MAX: Duration = Duration::from_secs(3650 * 86_400);
/// More records than this never wait.
const QUEUE_RECORDS_LIMIT: usize = 10_000_000;

impl Section for RecordsConfig {
    fn problems(&self) -> Vec<Problem> {
        let mut check = Check::default();
        check.between("age_max", self.age_max, AGE_MIN, AGE_MAX);
        check.at_most("queue_records_max", self.queue_records_max.get(), QUEUE_RECORDS_LIMIT);
        check.into_problems()
    }
}
