//! What is counted of plugins' files and of what is loaded.

use prometheus::{IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use crate::error::LoadResult;

/// The loader's metrics.
#[derive(Debug)]
pub(crate) struct Metrics {
    ended_server: IntCounterVec,
    loads: IntCounterVec,
    images_resident: IntGauge,
    info: IntGaugeVec,
}

impl Metrics {
    /// Registers the metrics.
    ///
    /// # Errors
    /// If they are registered already.
    pub(crate) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counter = |name: &str, help: &str, label: &str| IntCounterVec::new(Opts::new(name, help), &[label]);
        let info = Opts::new("thingcall_plugin_info", "1 for each active plugin");
        let metrics = Self {
            ended_server: counter(
                "thingcall_plugin_ended_server_total",
                "Times a plugin ended the server, also in earlier processes",
                "plugin",
            )?,
            loads: counter("thingcall_plugin_loads_total", "Loads of plugins, by how they went", "result")?,
            images_resident: IntGauge::new(
                "thingcall_plugin_images_resident",
                "Mapped plugin files; none is ever unmapped",
            )?,
            info: IntGaugeVec::new(info, &["plugin", "version", "abi"])?,
        };
        for result in LoadResult::ALL {
            drop(metrics.loads.with_label_values(&[result.as_str()]));
        }
        registry.register(Box::new(metrics.ended_server.clone()))?;
        registry.register(Box::new(metrics.loads.clone()))?;
        registry.register(Box::new(metrics.images_resident.clone()))?;
        registry.register(Box::new(metrics.info.clone()))?;
        Ok(metrics)
    }

    /// Counts a load.
    pub(crate) fn load_counted(&self, result: LoadResult) {
        self.loads.with_label_values(&[result.as_str()]).inc();
    }

    /// Counts how often a plugin ended the server before this start. From then on there is a series of it.
    pub(crate) fn ended_server(&self, plugin: &str, times: u64) {
        self.ended_server.with_label_values(&[plugin]).inc_by(times);
    }

    /// Counts a file that was mapped and stays so. Says how many are.
    pub(crate) fn image_mapped(&self) -> u64 {
        self.images_resident.inc();
        u64::try_from(self.images_resident.get()).unwrap_or(0)
    }

    /// Says that a plugin is active; or, of the version before it, that it no longer is: its series goes, or there would
    /// be one more with each version.
    pub(crate) fn set_active(&self, plugin: &str, version: &str, abi: (u16, u16), active: Active) {
        let abi = format!("{}.{}", abi.0, abi.1);
        let labels = [plugin, version, &abi];
        match active {
            Active::Yes => self.info.with_label_values(&labels).set(1),
            // It has none where it was never active.
            Active::No => drop(self.info.remove_label_values(&labels)),
        }
    }
}

/// Whether a version of a plugin takes calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Active {
    /// It does.
    Yes,
    /// It did.
    No,
}
