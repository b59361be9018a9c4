//! All plugins of a server: which are active, and how they come and go.
//!
//! **Invariant:** what becomes of files is decided one after the other; their code runs beside each other, and neither
//! calls nor other loads wait for it. A generation that leaves the table is retired by a task that [`Plugins::shutdown`]
//! waits for.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use prometheus::Registry;
use thingcall_core::{Call, Codec, Conditions, Handler, Handlers, ProductKey};
use tokio::sync::{mpsc, watch};
use tracing::{Instrument, warn};

use crate::book::Book;
use crate::config::{Config, PluginConfig, PluginConfigs};
use crate::decide::{Decider, How, Same, Settings};
use crate::ended::Endings;
use crate::error::{LoadError, StartError};
use crate::files::Copies;
use crate::folders::{absolute, folder, kept_folder};
use crate::keep::Keeper;
use crate::kept::Kept;
use crate::load::Loader;
use crate::metrics::Metrics;
use crate::report::{Loaded, PluginState};
use crate::reserved::Told;
use crate::roster::Roster;
use crate::scan::{Folder, StillRefused};
use crate::start::{START_TIMEOUT, Starter};
use crate::tasks::Tasks;

/// The plugins of a server.
pub struct Plugins {
    roster: Arc<Roster>,
    keeper: Arc<Keeper>,
    loader: Arc<Loader>,
    folder: Arc<Folder>,
    endings: Arc<Endings>,
    metrics: Arc<Metrics>,
    tasks: Tasks,
    /// Whether every file that was there at the start has been loaded or refused.
    settled: watch::Receiver<bool>,
}

impl Plugins {
    /// As [`Self::begin`], and waits until all files are loaded or refused.
    ///
    /// # Errors
    /// As there.
    pub async fn start(
        config: Config,
        plugins: PluginConfigs,
        data: &Path,
        conditions: &Conditions,
        metering: &Registry,
    ) -> Result<Arc<Self>, StartError> {
        let plugins = Self::begin(config, plugins, data, conditions, metering).await?;
        plugins.settled().await;
        Ok(plugins)
    }

    /// Loads every file in the folder, and watches it if the configuration says so. A file that is refused is logged
    /// and listed, and does not stop the start; its claims stay reserved. `data` is the server's data folder. Each plugin
    /// with claims has one of these conditions.
    ///
    /// When this returns, each file was looked at, so that no call passes its plugin by; but plugins may still be created.
    ///
    /// # Errors
    /// If the metrics are registered already, or what is remembered of plugins cannot be read.
    pub async fn begin(
        config: Config,
        plugins: PluginConfigs,
        data: &Path,
        conditions: &Conditions,
        metering: &Registry,
    ) -> Result<Arc<Self>, StartError> {
        Self::begin_within(START_TIMEOUT, (config, plugins), data, conditions, metering).await
    }

    pub(crate) async fn begin_within(
        start_timeout: Duration,
        (config, plugins): (Config, PluginConfigs),
        data: &Path,
        conditions: &Conditions,
        metering: &Registry,
    ) -> Result<Arc<Self>, StartError> {
        let (keeping, tasks) = (kept_folder(data), Tasks::default());
        let metrics = Arc::new(Metrics::register(metering)?);
        let calls = thingcall_boundary::Metrics::register(metering)?;
        let kept = Kept::new(keeping.clone());
        let (endings, learned) = Endings::learn(keeping, &absolute(data).join("plugin-crash"));
        let endings = Arc::new(endings);
        endings.times().iter().for_each(|(name, times)| metrics.ended_server(name, *times));
        let (book, told) = (Book::remembering(kept.records()?), Told::new(conditions.clone(), metrics.clone()));
        let roster = Arc::new(Roster::new(book, plugins, told, metrics.clone(), tasks.clone()));
        let keeper = Keeper::new(kept, endings.clone(), roster.clone(), tasks.clone());
        let decider = Decider::new(config.clone(), keeper.clone(), endings.clone(), tasks.clone());
        let copies = Copies::new(absolute(data).join("plugin-images"));
        let learned = (endings.clone(), learned);
        let starter = Starter::new(config.clone(), copies, learned, (metrics.clone(), calls), tasks.clone());
        let starter = starter.within(start_timeout);
        let loader = Loader::new(keeper.clone(), decider, starter, metrics.clone(), tasks.clone());
        let folder = Folder::new(folder(&config, data), roster.clone(), loader.clone());
        let (done, settled) = watch::channel(false);
        let plugins = Arc::new(Self { roster, keeper, loader, folder, endings, metrics, tasks, settled });
        plugins.load_all(done).await;
        if config.watch {
            let folder = plugins.folder.clone();
            plugins.tasks.spawn(crate::watch::run(folder, plugins.tasks.clone()));
        }
        Ok(plugins)
    }

    /// Loads what is there at the start. Returns when it is decided about each file, and tells when all is done.
    async fn load_all(&self, done: watch::Sender<bool>) {
        let (undecided, mut decided) = mpsc::channel(1);
        let (folder, loader, roster) = (self.folder.clone(), self.loader.clone(), self.roster.clone());
        self.tasks.spawn(async move {
            let differing = folder.look(StillRefused::TryAgain);
            folder.apply(differing.into_keys().collect(), Some(undecided)).await;
            loader.several_at_once();
            warn_of_sections_without_plugin(&roster, folder.path());
            done.send_replace(true);
        });
        let _none = decided.recv().await;
        self.roster.publish(&self.roster.book());
    }

    /// Waits until every file that was there at the start is loaded or refused.
    pub async fn settled(&self) {
        // An error means that the task is gone: nothing is loaded any more.
        let mut settled = self.settled.clone();
        drop(settled.wait_for(|settled| *settled).await);
    }

    /// Loads a file, in the folder or not. What is active already is left alone.
    ///
    /// # Errors
    /// Why it is refused. What was active before still is.
    pub async fn load_file(&self, file: &Path) -> Result<Loaded, LoadError> {
        let (file, loader) = (self.folder.path_of(file), self.loader.clone());
        self.owned(async move { loader.load(&file, How::by_itself(), None).await }).await?
    }

    /// Loads a plugin's file again, also if it holds the same, with these settings; with `force`, also if it ended the
    /// server again and again.
    ///
    /// # Errors
    /// Why it is refused. What was active before still is, with the settings that it had.
    pub async fn reload(&self, name: &str, settings: Settings, force: bool) -> Result<Loaded, LoadError> {
        let file = self.roster.book().file_of(name).ok_or_else(|| LoadError::UnknownPlugin(name.to_owned()))?;
        let (how, loader) = (How { same: Same::Reload, force, settings }, self.loader.clone());
        self.owned(async move { loader.load(&file, how, None).await }).await?
    }

    /// From now on this is the section of a plugin that is not there, or was refused.
    pub fn set_section(&self, name: &str, section: Option<Box<PluginConfig>>) {
        self.roster.set_section(name, section);
    }

    /// Looks at all files again: loads what is new or changed, tries what was refused, retires what is gone.
    pub async fn rescan(&self) -> Vec<(PathBuf, Result<Loaded, LoadError>)> {
        let folder = self.folder.clone();
        let scan = async move {
            let differing = folder.look(StillRefused::TryAgain);
            folder.apply(differing.into_keys().collect(), None).await
        };
        self.owned(scan).await.unwrap_or_default()
    }

    /// Loads the file that ran before the one that was loaded last. The operator's own file is left as it is: it is
    /// loaded again once its content changes, or when the plugin is reloaded.
    ///
    /// # Errors
    /// If there is none, or why it is refused. What was active before still is.
    pub async fn rollback(&self, name: &str) -> Result<Loaded, LoadError> {
        let (name, loader) = (name.to_owned(), self.loader.clone());
        self.owned(async move { loader.load_before(&name).await }).await?
    }

    /// Frees the claims of a plugin that is not loaded, and removes what is kept of it. Plugins that were refused for
    /// its sake are loaded.
    ///
    /// # Errors
    /// If it is loaded, the configuration claims for it, or nobody has that name.
    pub async fn forget(&self, name: &str) -> Result<(), LoadError> {
        let (name, keeper, folder) = (name.to_owned(), self.keeper.clone(), self.folder.clone());
        self.owned(async move {
            keeper.keep_no_longer(&name).await;
            keeper.forget(&name)?;
            folder.apply(BTreeSet::new(), None).await;
            Ok(())
        })
        .await?
    }

    /// The active plugins by name, then the files that were refused, then plugins whose files are gone.
    pub fn list(&self) -> Vec<PluginState> {
        let mut list = self.roster.list();
        for state in &mut list {
            state.ended_server = state.name.as_ref().and_then(|name| self.endings.of(name));
        }
        list
    }

    /// Brings gauges up to date, before they are read.
    pub fn refresh_metrics(&self) {
        self.metrics.set_files_refused(self.roster.book().refused());
    }

    /// Retires all plugins. `false` if one did not let go: its threads may still run, so end the process by `_exit`.
    pub async fn shutdown(&self) -> bool {
        self.tasks.stop();
        self.roster.leave();
        self.tasks.wait().await
    }

    /// Runs work to its end even if nobody waits for it any more: half a load would leave a plugin that nobody ends.
    async fn owned<F>(&self, work: F) -> Result<F::Output, LoadError>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        self.tasks.spawn(work.in_current_span()).await.map_err(|error| LoadError::Internal(error.to_string()))
    }
}

#[cfg(test)]
impl Plugins {
    pub(crate) fn roster(&self) -> &Roster {
        &self.roster
    }

    pub(crate) fn keeper(&self) -> &Keeper {
        &self.keeper
    }

    pub(crate) fn tasks(&self) -> &Tasks {
        &self.tasks
    }
}

fn warn_of_sections_without_plugin(roster: &Roster, folder: &Path) {
    let book = roster.book();
    for name in roster.configs().keys().filter(|name| book.file_of(name).is_none()) {
        warn!(plugin = name, folder = %folder.display(), "there is a section for a plugin that is not there");
    }
}

impl Drop for Plugins {
    fn drop(&mut self) {
        self.tasks.stop();
    }
}

impl Handlers for Plugins {
    fn find(&self, call: &Call) -> Option<Arc<dyn Handler>> {
        self.roster.find(call)
    }

    fn codec(&self, product: &ProductKey) -> Option<Arc<dyn Codec>> {
        self.roster.codec(product)
    }
}

#[cfg(test)]
mod tests;
