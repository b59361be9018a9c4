//! What is counted of plugins' files and of what is loaded.

use enum_map::{Enum, EnumMap};
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry};
use strum::IntoStaticStr;
use thingcall_metrics::{Family, Maker, gauge_of};

/// How a load ended, as metrics count it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum LoadResult {
    /// The plugin takes calls.
    Ok,
    /// Another major version of the ABI.
    AbiMismatch,
    /// No manifest, no entry or no table.
    SymbolMissing,
    /// The manifest, or the configuration in its place, breaks a rule.
    BadManifest,
    /// A name, a claim or a product is taken.
    DuplicateModule,
    /// `create` failed.
    InitFailed,
    /// The file cannot be read, may not be used, or the system cannot open it.
    Io,
}

/// The loader's metrics.
#[derive(Debug)]
pub(crate) struct Metrics {
    ended_server: Family<IntCounterVec, 1>,
    loads: EnumMap<LoadResult, IntCounter>,
    images_resident: IntGauge,
    info: Family<IntGaugeVec, 3>,
    files_refused: IntGauge,
    refused: Family<IntGaugeVec, 1>,
}

impl Metrics {
    /// Registers the metrics.
    ///
    /// # Errors
    /// If they are registered already.
    pub(crate) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let make = Maker::new(registry);
        Ok(Self {
            ended_server: make.counter_family(
                "plugin_ended_server_total",
                "Times a plugin ended the server, also in earlier processes",
                ["plugin"],
            )?,
            loads: make.counters("plugin_loads_total", "Loads of plugins, by how they went", ["result"])?,
            images_resident: make.gauge("plugin_images_resident", "Mapped plugin files; none is ever unmapped")?,
            info: make.gauge_family("plugin_info", "1 for each active plugin", ["plugin", "version", "abi"])?,
            files_refused: make.gauge("plugin_files_refused", "Plugin files that are refused as they are now")?,
            refused: make.gauge_family(
                "plugin_refused",
                "1 while a plugin with claims is not loaded: its calls fail",
                ["plugin"],
            )?,
        })
    }

    /// Says how many files are refused.
    pub(crate) fn set_files_refused(&self, files: usize) {
        self.files_refused.set(gauge_of(files));
    }

    /// Says whether a plugin with claims is not loaded.
    pub(crate) fn set_refused(&self, plugin: &str, refused: bool) {
        self.refused.series::<IntGauge, _>([plugin]).set(refused.into());
    }

    /// Nobody claims by this name any more.
    pub(crate) fn claims_gone(&self, plugin: &str) {
        self.refused.forget([plugin]);
    }

    /// Counts a load.
    pub(crate) fn load_counted(&self, result: LoadResult) {
        self.loads[result].inc();
    }

    /// Counts how often a plugin ended the server before this start. From then on there is a series of it.
    pub(crate) fn ended_server(&self, plugin: &str, times: u64) {
        self.ended_server.series::<IntCounter, _>([plugin]).inc_by(times);
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
            Active::Yes => self.info.series::<IntGauge, _>(labels).set(1),
            // It has none where it was never active.
            Active::No => self.info.forget(labels),
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
