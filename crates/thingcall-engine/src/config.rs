//! The engine's limits.

use std::time::Duration;

use serde::Deserialize;
use thingcall_core::TransportName;

/// The engine's configuration, `[engine]` in the file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How long a caller waits for a synchronous call. Alibaba's platform says 8 s, and its SDKs give up after 10 s.
    #[serde(with = "humantime_serde")]
    pub reply_timeout: Duration,
    /// How many synchronous calls may wait for their device at once; more are answered `overloaded`.
    pub pending_calls_max: usize,
    /// The size of a call's arguments.
    pub args_bytes_max: usize,
    /// How many ended calls are remembered, to tell late and duplicate replies from unknown ones.
    pub recent_calls_max: usize,
    /// How many replies to asynchronous calls may wait for the journal.
    pub late_replies_max: usize,
    /// How many messages of devices that speak their own bytes may wait for their translation at once.
    pub raw_replies_max: usize,
    /// Of how many devices the last message that led to nothing is kept, for `thingcall explain` and `device show`.
    pub dropped_devices_max: usize,
    /// How many failed and slow calls are kept for `thingcall explain`, and as many requests that were refused.
    pub recent_failures_max: usize,
    /// From how long on a call that succeeded counts as slow.
    #[serde(with = "humantime_serde")]
    pub slow_call: Duration,
    /// Whether calls that succeed leave a line in the log too.
    pub log_successes: bool,
    /// This instance's slot in call ids, 0 to 63: different for every instance that shares a broker.
    pub instance_slot: u8,
    /// The transport for devices that were never heard of and have none set, nor their products: `embedded`, `mqtt`,
    /// `amqp`, or the name of a further broker. Without it, the first that may have the device.
    pub default_transport: Option<TransportName>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            reply_timeout: Duration::from_secs(8),
            pending_calls_max: 20_000,
            args_bytes_max: 64 * 1024,
            recent_calls_max: 65_536,
            late_replies_max: 10_000,
            raw_replies_max: 10_000,
            dropped_devices_max: 10_000,
            recent_failures_max: 1000,
            slow_call: Duration::from_secs(3),
            log_successes: false,
            instance_slot: 0,
            default_transport: None,
        }
    }
}

impl Config {
    /// What is wrong with the values, one sentence each with the key, the value and what would be right.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let most = Duration::from_secs(60);
        if self.reply_timeout.is_zero() || self.reply_timeout > most {
            problems.push(format!(
                "reply_timeout is {:?}; right is more than 0s, at most 60s, and below the 10s after which SDKs give up",
                self.reply_timeout
            ));
        }
        if self.instance_slot > thingcall_core::CallId::SLOT_MAX {
            problems.push(format!("instance_slot is {}; right is 0 to 63", self.instance_slot));
        }
        for (key, value) in [
            ("pending_calls_max", self.pending_calls_max),
            ("args_bytes_max", self.args_bytes_max),
            ("recent_calls_max", self.recent_calls_max),
            ("late_replies_max", self.late_replies_max),
            ("raw_replies_max", self.raw_replies_max),
            ("dropped_devices_max", self.dropped_devices_max),
            ("recent_failures_max", self.recent_failures_max),
        ] {
            if value == 0 {
                problems.push(format!("{key} is 0; right is 1 or more"));
            }
        }
        problems
    }
}
