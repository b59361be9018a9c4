//! Plugins loaded on an operator's word: by signal or through the operator's listener.
//!
//! **Invariant:** every attempt is counted; the loader logs what became of each file.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use prometheus::{IntCounter, IntGauge, Registry as Metering};
use thingcall_core::UnixMillis;
use thingcall_loader::{LoadError, Loaded, Plugins, Settings};
use thingcall_metrics::Maker;
use tracing::{error, info};

use crate::config::{self, Reading};

/// The plugins and the count of what operators did to them. Shared by the listener and the signal.
pub(crate) struct Reloads {
    plugins: Arc<Plugins>,
    /// The file whose sections, with the environment's variables, a reload reads again; not set: it reads nothing.
    sections: OnceLock<Option<PathBuf>>,
    ok: IntCounter,
    failed: IntCounter,
    last_success: IntGauge,
    config: Counted,
}

/// What is counted of configurations that are read anew.
pub(crate) struct Counted {
    pub(crate) ok: IntCounter,
    pub(crate) failed: IntCounter,
    pub(crate) last_success: IntGauge,
    pub(crate) needs_restart: IntGauge,
}

impl Reloads {
    /// Counts from now on.
    ///
    /// # Errors
    /// If one of the metrics is registered already.
    pub(crate) fn new(plugins: Arc<Plugins>, metering: &Metering) -> Result<Arc<Self>, prometheus::Error> {
        let make = Maker::new(metering);
        let reloads = make.counter_family("reloads_total", "What operators had loaded anew", ["kind", "result"])?;
        let last_success = make.gauge_family(
            "reload_last_success_timestamp_seconds",
            "When all of it was loaded; 0 if never yet",
            ["kind"],
        )?;
        Ok(Arc::new(Self {
            plugins,
            sections: OnceLock::new(),
            ok: reloads.series(["plugins", "ok"]),
            failed: reloads.series(["plugins", "failed"]),
            last_success: last_success.series(["plugins"]),
            config: Counted {
                ok: reloads.series(["config", "ok"]),
                failed: reloads.series(["config", "failed"]),
                last_success: last_success.series(["config"]),
                needs_restart: make.gauge(
                    "config_keys_need_restart",
                    "Keys whose value in the file is another than the one in force, and that only a restart changes",
                )?,
            },
        }))
    }

    /// From now on a plugin's section is read again when it is reloaded: from this file, if there is one, and the
    /// environment.
    pub(crate) fn read_sections_in(&self, file: Option<PathBuf>) {
        let _first = self.sections.set(file);
    }

    /// What is counted of configurations.
    pub(crate) const fn config(&self) -> &Counted {
        &self.config
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
        let loaded = match self.settings(name).await {
            Ok(settings) => self.plugins.reload(name, settings, force).await,
            Err(error) => {
                error!(plugin = name, %error, "plugin not loaded anew");
                Err(error)
            }
        };
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

    /// The plugin's section as it stands now. What is wrong elsewhere is not its matter.
    async fn settings(&self, name: &str) -> Result<Settings, LoadError> {
        let Some(file) = self.sections.get().cloned() else { return Ok(Settings::AsBefore) };
        let read = tokio::task::spawn_blocking(move || config::read(file.as_deref(), Vec::new())).await;
        let Reading { config, problems, .. } = read.map_err(|error| LoadError::Internal(error.to_string()))?;
        let section = format!("plugins.{name}");
        let of_it = |key: &str| key.strip_prefix(&section).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        let unread = config.is_none();
        let wrong = problems.0.iter().filter(|found| unread || of_it(&found.problem.key));
        let wrong: Vec<_> = wrong.map(ToString::to_string).collect();
        match config {
            Some(mut config) if wrong.is_empty() => Ok(Settings::Now(config.plugins.remove(name).map(Box::new))),
            _ => Err(LoadError::Config { name: name.to_owned(), why: wrong.join("; ") }),
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
pub(crate) fn is_failure(loaded: &Result<Loaded, LoadError>) -> bool {
    loaded.as_ref().is_err_and(|error| !matches!(error, LoadError::Disabled(_)))
}
