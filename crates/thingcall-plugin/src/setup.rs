//! What a plugin gets when it is made: its configuration, and the metrics it may define.

use serde::de::DeserializeOwned;

use crate::abi;
use crate::host::Host;

/// The chance to read the configuration and to define metrics: both only while the plugin is made.
#[derive(Debug)]
pub struct Setup<'a> {
    pub(crate) plugin: abi::Token,
    pub(crate) config: &'a [u8],
}

impl Setup<'_> {
    /// The keys under `[plugins.NAME.config]`, read as this type.
    ///
    /// # Errors
    /// What does not fit; returned from `create`, it refuses the plugin with this text.
    pub fn config<T: DeserializeOwned>(&self) -> Result<T, String> {
        let config: &[u8] = if self.config.is_empty() { b"{}" } else { self.config };
        serde_json::from_slice(config).map_err(|error| format!("configuration: {error}"))
    }

    /// A metric that only grows: `thingcall_plugin_<plugin>_<name>`.
    pub fn counter(&self, name: &str, help: &str) -> Metric {
        self.metric(abi::METRIC_COUNTER, name, help)
    }

    /// A metric that goes up and down.
    pub fn gauge(&self, name: &str, help: &str) -> Metric {
        self.metric(abi::METRIC_GAUGE, name, help)
    }

    /// A metric that shows how values are spread.
    pub fn histogram(&self, name: &str, help: &str) -> Metric {
        self.metric(abi::METRIC_HISTOGRAM, name, help)
    }

    fn metric(&self, kind: u32, name: &str, help: &str) -> Metric {
        let id = Host::get().and_then(|host| host.metric_define(self.plugin, kind, name, help));
        if id.is_none() {
            crate::warn!("metric {name} is not defined: the host refused it");
        }
        Metric { plugin: self.plugin, id }
    }
}

/// A metric of the plugin's own. Copies record to the same one.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    plugin: abi::Token,
    id: Option<u32>,
}

impl Metric {
    /// One that records nothing, for tests.
    pub const fn none() -> Self {
        Self { plugin: 0, id: None }
    }

    /// Adds to a counter, sets a gauge, or observes a value of a histogram.
    pub fn record(&self, value: f64) {
        if let (Some(host), Some(id)) = (Host::get(), self.id) {
            host.metric_record(self.plugin, id, value);
        }
    }
}
