//! On what terms a plugin runs.

use std::time::Duration;

use serde::Deserialize;

/// What one plugin may, and where its code runs.
#[derive(Debug, Clone)]
pub struct Terms {
    /// Where its code runs.
    pub execution: Execution,
    /// The threads of its own pool.
    pub threads: u16,
    /// What happens to its calls while its circuit is open.
    pub fallback: Fallback,
    /// How many of its calls may run at once.
    pub calls_in_flight_max: usize,
    /// The largest answer, argument or translation it may give.
    pub plugin_bytes_max: usize,
    /// How many operations (device calls, timers) one call may have at once.
    pub operations_per_call_max: usize,
    /// A call in its code for longer is logged and counted.
    pub stall_warn: Duration,
    /// A call in its code for longer opens its circuit until the code returns.
    pub stall_open: Duration,
    /// How long its calls may go on once it is replaced.
    pub retire_timeout: Duration,
}

/// Where a plugin's code runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Execution {
    /// On threads of its own: code that blocks stalls itself alone.
    Pool,
    /// On the server's threads: quicker, and code that blocks stalls the server.
    Inline,
}

/// What happens to the calls of a plugin whose circuit is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fallback {
    /// They fail at once.
    Fail,
    /// They go to the device as if the plugin were not there.
    BuiltIn,
}
