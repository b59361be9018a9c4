//! How plugins are found and treated.

use std::collections::BTreeMap;
use std::num::{NonZeroU16, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use thingcall_boundary::{Execution, Fallback, Terms};

/// `[loader]`: where plugins come from and what every one of them may.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The folder whose `*.so` files are loaded; `plugins` in the data folder if not set. It need not exist.
    pub folder: Option<PathBuf>,
    /// Whether a changed or new file in the folder is loaded by itself.
    pub watch: bool,
    /// The SHA-256 (hex) of the files that may be loaded; empty: any file that passes the other checks.
    pub sha256_allowed: Vec<String>,
    /// A call in plugin code for longer is logged and counted.
    #[serde(with = "humantime_serde")]
    pub stall_warn: Duration,
    /// A call in plugin code for longer opens the plugin's circuit until the code returns.
    #[serde(with = "humantime_serde")]
    pub stall_open: Duration,
    /// The largest answer, argument or translation a plugin may give.
    pub plugin_bytes_max: NonZeroUsize,
    /// How many operations (device calls, timers) one call of a plugin may have at once.
    pub operations_per_call_max: NonZeroUsize,
    /// How long the calls of a replaced generation may go on before they are ended.
    #[serde(with = "humantime_serde")]
    pub retire_timeout: Duration,
    /// Whether files are loaded that ended the server again and again while they were: as the command line says, for one
    /// start.
    #[serde(skip)]
    pub force: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            folder: None,
            watch: true,
            sha256_allowed: Vec::new(),
            stall_warn: Duration::from_millis(100),
            stall_open: Duration::from_secs(2),
            plugin_bytes_max: const { NonZeroUsize::new(1024 * 1024).unwrap() },
            operations_per_call_max: const { NonZeroUsize::new(64).unwrap() },
            retire_timeout: Duration::from_secs(60),
            force: false,
        }
    }
}

/// `[plugins.NAME]`: how one plugin is treated. A plugin in the folder needs no section.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PluginConfig {
    /// Whether it is loaded.
    pub enabled: bool,
    /// Where its code runs.
    pub execution: Execution,
    /// The threads of its own pool.
    pub threads: NonZeroU16,
    /// What happens to its calls while its circuit is open.
    pub fallback: Fallback,
    /// How many of its calls may run at once.
    pub calls_in_flight_max: NonZeroUsize,
    /// Set: it stands in front of the plugin that handles the call, the smaller first. Not set: it handles its calls.
    pub order: Option<i32>,
    /// What it handles, instead of what its manifest claims.
    pub claims: Option<Vec<String>>,
    /// The products whose bytes it translates (product keys or `*`), instead of what its manifest says.
    pub codecs: Option<Vec<String>>,
    /// Whether it may be loaded although a panic of its would end the server.
    pub allow_panic_abort: bool,
    /// Its own configuration, which it gets as JSON.
    pub config: serde_json::Map<String, serde_json::Value>,
}

impl Default for PluginConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            execution: Execution::Pool,
            threads: const { NonZeroU16::new(2).unwrap() },
            fallback: Fallback::Fail,
            calls_in_flight_max: const { NonZeroUsize::new(4096).unwrap() },
            order: None,
            claims: None,
            codecs: None,
            allow_panic_abort: false,
            config: serde_json::Map::new(),
        }
    }
}

impl PluginConfig {
    /// On what terms it runs, with what every plugin may.
    pub(crate) const fn terms(&self, config: &Config) -> Terms {
        Terms {
            execution: self.execution,
            threads: self.threads.get(),
            fallback: self.fallback,
            calls_in_flight_max: self.calls_in_flight_max.get(),
            plugin_bytes_max: config.plugin_bytes_max.get(),
            operations_per_call_max: config.operations_per_call_max.get(),
            stall_warn: config.stall_warn,
            stall_open: config.stall_open,
            retire_timeout: config.retire_timeout,
        }
    }
}

/// The sections `[plugins.NAME]`.
pub type PluginConfigs = BTreeMap<String, PluginConfig>;
