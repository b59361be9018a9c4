//! What can be set about the log of messages.

use std::num::{NonZeroU64, NonZeroUsize};
use std::time::Duration;

use serde::Deserialize;
use thingcall_core::{Check, Problem, Section, SubscriptionLimits};

/// The log's settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MessagesConfig {
    /// How long a message is kept.
    #[serde(with = "humantime_serde")]
    pub keep: Duration,
    /// How many are kept; the oldest are dropped for new ones.
    pub messages_max: NonZeroU64,
    /// How many bytes of them are kept.
    pub bytes_max: NonZeroU64,
    /// How many may wait to be written before more are refused.
    pub append_queue_messages_max: NonZeroUsize,
    /// How many bytes they may have together, each counted with 256 more.
    pub append_queue_bytes_max: NonZeroUsize,
    /// How many may read them beside consumer groups: the other ways out.
    pub readers_max: NonZeroUsize,
    /// What is written for readers of events and `thingcall tail`: how many different wishes there may be, until ten minutes after
    /// the last of each left.
    pub stream_readers_max: NonZeroUsize,
    /// How many consumer groups and subscriptions there may be.
    pub subscriptions: SubscriptionLimits,
}

impl Default for MessagesConfig {
    fn default() -> Self {
        Self {
            keep: Duration::from_secs(86_400),
            messages_max: const { NonZeroU64::new(10_000_000).unwrap() },
            bytes_max: const { NonZeroU64::new(4_294_967_296).unwrap() },
            append_queue_messages_max: const { NonZeroUsize::new(10_000).unwrap() },
            append_queue_bytes_max: const { NonZeroUsize::new(67_108_864).unwrap() },
            readers_max: const { NonZeroUsize::new(1_000).unwrap() },
            stream_readers_max: const { NonZeroUsize::new(1_000).unwrap() },
            subscriptions: SubscriptionLimits::default(),
        }
    }
}

/// A message that nobody can be in time for helps nobody.
const KEEP_MIN: Duration = Duration::from_secs(60);
const KEEP_MAX: Duration = Duration::from_secs(365 * 86_400);

impl Section for MessagesConfig {
    fn problems(&self) -> Vec<Problem> {
        let mut check = Check::default();
        check.between("keep", self.keep, KEEP_MIN, KEEP_MAX);
        check.into_problems()
    }
}
