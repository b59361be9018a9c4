//! Plugins loaded on an operator's word: by signal or through the operator's listener.
//!
//! **Invariant:** every attempt is counted; the loader logs what became of each file.

use std::path::PathBuf;
use std::sync::Arc;

use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry as Metering};
use thingcall_core::UnixMillis;
use thingcall_loader::{LoadError, Loaded, Plugins};
use tokio::signal::unix::Signal;
use tracing::info;

/// The plugins and the count of what operators did to them. Shared by the listener and the signal.
pub(crate) struct Reloads {
    plugins: Arc<Plugins>,
    ok: IntCounter,
    failed: IntCounter,
    last_success: IntGauge,
}

impl Reloads {
    /// Counts from now on.
    ///
    /// # Errors
    /// If one of the metrics is registered already.
    pub(crate) fn new(plugins: Arc<Plugins>, metering: &Metering) -> Result<Arc<Self>, prometheus::Error> {
        let count = Opts::new("thingcall_reloads_total", "What operators had loaded anew");
        let count = IntCounterVec::new(count, &["kind", "result"])?;
        let last =
            Opts::new("thingcall_reload_last_success_timestamp_seconds", "When all of it was loaded; 0 if never yet");
        let last = IntGaugeVec::new(last, &["kind"])?;
        metering.register(Box::new(count.clone()))?;
        metering.register(Box::new(last.clone()))?;
        Ok(Arc::new(Self {
            plugins,
            ok: count.get_metric_with_label_values(&["plugins", "ok"])?,
            failed: count.get_metric_with_label_values(&["plugins", "failed"])?,
            last_success: last.get_metric_with_label_values(&["plugins"])?,
        }))
    }

    /// What is loaded.
    pub(crate) fn plugins(&self) -> &Plugins {
        &self.plugins
    }

    /// Loads this plugin's file anew; with `force`, also if it ended the server again and again.
    ///
    /// # Errors
    /// Why the plugin that runs stays.
    pub(crate) async fn one(&self, name: &str, force: bool) -> Result<Loaded, LoadError> {
        let loaded = self.plugins.reload(name, force).await;
        self.count(loaded.is_ok());
        loaded
    }

    /// Loads the file of this plugin that ran before the last.
    ///
    /// # Errors
    /// Why the plugin that runs stays.
    pub(crate) async fn rollback(&self, name: &str) -> Result<Loaded, LoadError> {
        let loaded = self.plugins.rollback(name).await;
        self.count(loaded.is_ok());
        loaded
    }

    /// Loads what is new or changed in the folder.
    pub(crate) async fn all(&self) -> Vec<(PathBuf, Result<Loaded, LoadError>)> {
        let all = self.plugins.rescan().await;
        let failed = all.iter().filter(|(_, loaded)| is_failure(loaded)).count();
        self.count(failed == 0);
        info!(files = all.len(), failed, "looked for new and changed plugins");
        all
    }

    /// Loads what is new or changed at each signal, until the future is dropped.
    pub(crate) async fn at_each(self: Arc<Self>, mut signal: Signal) {
        while signal.recv().await.is_some() {
            self.all().await;
        }
    }

    fn count(&self, ok: bool) {
        if ok {
            self.ok.inc();
            self.last_success.set(UnixMillis::now().0 / 1000);
        } else {
            self.failed.inc();
        }
    }
}

/// Whether a file should have been loaded and was not.
fn is_failure(loaded: &Result<Loaded, LoadError>) -> bool {
    loaded.as_ref().is_err_and(|error| !matches!(error, LoadError::Disabled(_)))
}
