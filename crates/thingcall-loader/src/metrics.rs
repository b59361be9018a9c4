//! What is counted of plugins' files and of what is loaded.

use prometheus::{IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

/// How a load ended, as metrics count it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

impl LoadResult {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Ok,
        Self::AbiMismatch,
        Self::SymbolMissing,
        Self::BadManifest,
        Self::DuplicateModule,
        Self::InitFailed,
        Self::Io,
    ];

    /// The word in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::AbiMismatch => "abi_mismatch",
            Self::SymbolMissing => "symbol_missing",
            Self::BadManifest => "bad_manifest",
            Self::DuplicateModule => "duplicate_module",
            Self::InitFailed => "init_failed",
            Self::Io => "io",
        }
    }
}

/// The loader's metrics.
#[derive(Debug)]
pub(crate) struct Metrics {
    ended_server: IntCounterVec,
    loads: IntCounterVec,
    images_resident: IntGauge,
    info: IntGaugeVec,
    files_refused: IntGauge,
    refused: IntGaugeVec,
}

impl Metrics {
    /// Registers the metrics.
    ///
    /// # Errors
    /// If they are registered already.
    pub(crate) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counter = |name: &str, help: &str, label: &str| IntCounterVec::new(Opts::new(name, help), &[label]);
        let gauge = |name: &str, help: &str, labels: &[&str]| IntGaugeVec::new(Opts::new(name, help), labels);
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
            info: gauge("thingcall_plugin_info", "1 for each active plugin", &["plugin", "version", "abi"])?,
            files_refused: IntGauge::new(
                "thingcall_plugin_files_refused",
                "Plugin files that are refused as they are now",
            )?,
            refused: gauge(
                "thingcall_plugin_refused",
                "1 while a plugin with claims is not loaded: its calls fail",
                &["plugin"],
            )?,
        };
        for result in LoadResult::ALL {
            drop(metrics.loads.with_label_values(&[result.as_str()]));
        }
        registry.register(Box::new(metrics.ended_server.clone()))?;
        registry.register(Box::new(metrics.loads.clone()))?;
        registry.register(Box::new(metrics.images_resident.clone()))?;
        registry.register(Box::new(metrics.info.clone()))?;
        registry.register(Box::new(metrics.files_refused.clone()))?;
        registry.register(Box::new(metrics.refused.clone()))?;
        Ok(metrics)
    }

    /// Says how many files are refused.
    pub(crate) fn set_files_refused(&self, files: usize) {
        self.files_refused.set(i64::try_from(files).unwrap_or(i64::MAX));
    }

    /// Says whether a plugin with claims is not loaded.
    pub(crate) fn set_refused(&self, plugin: &str, refused: bool) {
        self.refused.with_label_values(&[plugin]).set(refused.into());
    }

    /// Nobody claims by this name any more.
    pub(crate) fn claims_gone(&self, plugin: &str) {
        drop(self.refused.remove_label_values(&[plugin]));
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
