//! All plugins of a server: which are active, and how they come and go.
//!
//! **Invariant:** what becomes of files is decided one after the other; their code runs beside each other, and neither
//! calls nor other loads wait for it. A generation that leaves the table is retired by a task that [`Plugins::shutdown`]
//! waits for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use prometheus::{IntGauge, IntGaugeVec, Opts, Registry};
use thingcall_core::{Call, Codec, Conditions, Handler, Handlers, ProductKey};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, error, info, info_span, warn};

use crate::book::{Active, Book};
use crate::config::{Config, PluginConfigs};
use crate::ended::{Endings, Learned};
use crate::error::{LoadError, StartError};
use crate::files::Copies;
use crate::folders::{absolute, folder, kept_folder};
use crate::keep::ToKeep;
use crate::kept::Kept;
use crate::load::{How, Same, Settings};
use crate::metrics::{self, Metrics};
use crate::report::{Loaded, PluginState};
use crate::reserved::{Reserved, Told, reserved};
use crate::routes::{Routes, Wish};
use crate::scan::Refused;

/// How long callers that found a handler may take to use it; longer than any synchronous call lasts.
const LEASE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a plugin's constructors and its `create` may take.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// The plugins of a server.
pub struct Plugins {
    pub(crate) inner: Arc<Inner>,
    /// Whether every file that was there at the start has been loaded or refused.
    settled: watch::Receiver<bool>,
}

/// What tasks share.
pub(crate) struct Inner {
    pub(crate) config: Config,
    pub(crate) configs: ArcSwap<PluginConfigs>,
    /// The plugin folder.
    pub(crate) folder: PathBuf,
    pub(crate) copies: Arc<Copies>,
    pub(crate) kept: Arc<Kept>,
    /// What could not be written down yet, by plugin. Held while something is written.
    pub(crate) unkept: tokio::sync::Mutex<BTreeMap<String, ToKeep>>,
    pub(crate) endings: Arc<Endings>,
    pub(crate) metrics: Arc<Metrics>,
    /// What is counted of their calls.
    pub(crate) calls: Arc<thingcall_boundary::Metrics>,
    routes: ArcSwap<Routes>,
    book: Mutex<Book>,
    /// Held while it is decided what becomes of a file. Never while its code runs, or a call is answered.
    pub(crate) deciding: tokio::sync::Mutex<()>,
    /// Held, by file, by those who do something with it.
    pub(crate) turns: Mutex<BTreeMap<PathBuf, Arc<tokio::sync::Mutex<()>>>>,
    /// Whether one of several plugins ended the server while they were loaded: then `alone` finds out which.
    pub(crate) one_by_one: AtomicBool,
    pub(crate) alone: tokio::sync::Mutex<()>,
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
    stuck: AtomicBool,
    /// Whether it was said that there are more files than are looked at.
    pub(crate) too_many_said: AtomicBool,
    pub(crate) start_timeout: Duration,
    refused: IntGauge,
    pub(crate) told: Mutex<Told>,
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
        let refused = IntGauge::new("thingcall_plugin_files_refused", "Plugin files that are refused as they are now")?;
        metering.register(Box::new(refused.clone()))?;
        let absent =
            Opts::new("thingcall_plugin_refused", "1 while a plugin with claims is not loaded: its calls fail");
        let absent = IntGaugeVec::new(absent, &["plugin"])?;
        metering.register(Box::new(absent.clone()))?;
        let keeping = kept_folder(data);
        let kept = Arc::new(Kept::new(keeping.clone()));
        let (endings, learned) = Endings::learn(keeping, &absolute(data).join("plugin-crash"));
        let book = Book::remembering(kept.records()?);
        let inner = Arc::new(Inner {
            folder: folder(&config, data),
            copies: Arc::new(Copies::new(absolute(data).join("plugin-images"))),
            metrics: Arc::new(Metrics::register(metering)?),
            calls: Arc::new(thingcall_boundary::Metrics::register(metering)?),
            routes: ArcSwap::default(),
            book: Mutex::new(book),
            kept,
            unkept: tokio::sync::Mutex::default(),
            endings: Arc::new(endings),
            told: Mutex::new(Told::new(conditions.clone(), absent)),
            deciding: tokio::sync::Mutex::default(),
            turns: Mutex::default(),
            one_by_one: AtomicBool::new(learned == Learned::OneOfSeveral),
            alone: tokio::sync::Mutex::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            stuck: AtomicBool::new(false),
            too_many_said: AtomicBool::new(false),
            start_timeout,
            refused,
            config,
            configs: ArcSwap::from_pointee(plugins),
        });
        inner.endings.times().iter().for_each(|(name, times)| inner.metrics.ended_server(name, *times));
        if let Err(error) = inner.copies.clean() {
            warn!(%error, "copies of plugins that an earlier process left cannot be removed");
        }
        let settled = inner.load_all().await;
        if inner.config.watch {
            inner.tasks.spawn(crate::watch::run(inner.clone()));
        }
        Ok(Arc::new(Self { inner, settled }))
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
        let file = file.to_owned();
        self.owned(|inner| async move {
            let file = inner.path_of(&file);
            inner.load(&file, How::by_itself(), None).await
        })
        .await?
    }

    /// Loads a plugin's file again, also if it holds the same, with these settings; with `force`, also if it ended the
    /// server again and again.
    ///
    /// # Errors
    /// Why it is refused. What was active before still is, with the settings that it had.
    pub async fn reload(&self, name: &str, settings: Settings, force: bool) -> Result<Loaded, LoadError> {
        let name = name.to_owned();
        self.owned(|inner| async move {
            let file = inner.book().file_of(&name);
            let how = How { same: Same::Reload, force, settings };
            inner.load(&file.ok_or(LoadError::UnknownPlugin(name))?, how, None).await
        })
        .await?
    }

    /// Looks at all files again: loads what is new or changed, tries what was refused, retires what is gone.
    pub async fn rescan(&self) -> Vec<(PathBuf, Result<Loaded, LoadError>)> {
        let scan = |inner: Arc<Inner>| async move {
            let differing = inner.look(Refused::TryAgain);
            inner.apply(differing.into_keys().collect(), None).await
        };
        self.owned(scan).await.unwrap_or_default()
    }

    /// Loads the file that ran before the one that was loaded last. The operator's own file is left as it is: it is
    /// loaded again once its content changes, or when the plugin is reloaded.
    ///
    /// # Errors
    /// If there is none, or why it is refused. What was active before still is.
    pub async fn rollback(&self, name: &str) -> Result<Loaded, LoadError> {
        let name = name.to_owned();
        self.owned(|inner| async move { inner.load_before(&name).await }).await?
    }

    /// Frees the claims of a plugin that is not loaded, and removes what is kept of it. Plugins that were refused for
    /// its sake are loaded.
    ///
    /// # Errors
    /// If it is loaded, the configuration claims for it, or nobody has that name.
    pub async fn forget(&self, name: &str) -> Result<(), LoadError> {
        let name = name.to_owned();
        self.owned(|inner| async move {
            inner.keep_no_longer(&name).await;
            inner.forget(&name)?;
            inner.apply(BTreeSet::new(), None).await;
            Ok(())
        })
        .await?
    }

    /// The active plugins by name, then the files that were refused, then plugins whose files are gone.
    pub fn list(&self) -> Vec<PluginState> {
        let book = self.inner.book();
        let mut list = book.list(&reserved(&book, &self.inner.configs.load()));
        for state in &mut list {
            state.ended_server = state.name.as_ref().and_then(|name| self.inner.endings.of(name));
        }
        list
    }

    /// Brings gauges up to date, before they are read.
    pub fn refresh_metrics(&self) {
        let refused = self.inner.book().refused();
        self.inner.refused.set(i64::try_from(refused).unwrap_or(i64::MAX));
    }

    /// Retires all plugins. `false` if one did not let go: its threads may still run, so end the process by `_exit`.
    pub async fn shutdown(&self) -> bool {
        let inner = &self.inner;
        inner.stop.cancel();
        {
            let all = std::mem::take(&mut inner.book().active);
            inner.routes.store(Arc::default());
            // What is being created finds out by `stop`, under the lock of the book.
            for active in all.into_values() {
                inner.count_active(&active, metrics::Active::No);
                inner.retire(active);
            }
        }
        inner.tasks.close();
        inner.tasks.wait().await;
        !inner.stuck.load(Ordering::Relaxed)
    }

    /// Runs work to its end even if nobody waits for it any more: half a load would leave a plugin that nobody ends.
    async fn owned<T, F>(&self, work: impl FnOnce(Arc<Inner>) -> F) -> Result<T, LoadError>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let work = work(self.inner.clone());
        self.inner.tasks.spawn(work.in_current_span()).await.map_err(|error| LoadError::Internal(error.to_string()))
    }
}

impl Drop for Plugins {
    fn drop(&mut self) {
        self.inner.stop.cancel();
    }
}

impl Handlers for Plugins {
    fn find(&self, call: &Call) -> Option<Arc<dyn Handler>> {
        self.inner.routes.load().find(call)
    }

    fn codec(&self, product: &ProductKey) -> Option<Arc<dyn Codec>> {
        self.inner.routes.load().codec(product)
    }
}

impl Inner {
    /// The book. Never held across an await.
    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts the book's plugins into the table, in one step, and what those claim that are not loaded.
    pub(crate) fn publish(&self, book: &Book) {
        if self.stop.is_cancelled() {
            return;
        }
        let reserved = reserved(book, &self.configs.load());
        let absent: Vec<_> = reserved.iter().map(Reserved::member).collect();
        self.routes.store(Arc::new(Routes::of(book.members().chain(&absent))));
        self.told.lock().unwrap_or_else(PoisonError::into_inner).tell(book, &reserved);
    }

    /// Loads what is there at the start. Returns when it is decided about each file, and what tells when all is done.
    async fn load_all(self: &Arc<Self>) -> watch::Receiver<bool> {
        let (done, settled) = watch::channel(false);
        let (undecided, mut decided) = mpsc::channel(1);
        let inner = self.clone();
        self.tasks.spawn(async move {
            let differing = inner.look(Refused::TryAgain);
            inner.apply(differing.into_keys().collect(), Some(undecided)).await;
            inner.one_by_one.store(false, Ordering::Relaxed);
            inner.warn_of_sections_without_plugin();
            done.send_replace(true);
        });
        let _none = decided.recv().await;
        self.publish(&self.book());
        settled
    }

    /// Forgets a plugin that is not loaded.
    fn forget(&self, name: &str) -> Result<(), LoadError> {
        let mut book = self.book();
        if book.active.contains_key(name) || book.starting.contains_key(name) {
            return Err(LoadError::StillLoaded(name.to_owned()));
        }
        if self.configs.load().get(name).is_some_and(|section| section.claims.is_some() || section.codecs.is_some()) {
            return Err(LoadError::Configured(name.to_owned()));
        }
        if !book.remembered.contains_key(name) {
            return Err(LoadError::UnknownPlugin(name.to_owned()));
        }
        self.kept.forget(name)?;
        self.endings.forget(name);
        book.remembered.remove(name);
        self.publish(&book);
        info!(plugin = name, "plugin forgotten: its calls go to the device, or to a plugin with a wider claim");
        Ok(())
    }

    /// Says in metrics whether this version of a plugin is the active one.
    pub(crate) fn count_active(&self, plugin: &Active, active: metrics::Active) {
        let manifest = &plugin.image.manifest;
        self.metrics.set_active(&manifest.name, &manifest.version, manifest.abi, active);
    }

    /// Ends a generation that left the table.
    pub(crate) fn retire(self: &Arc<Self>, old: Active) {
        let inner = self.clone();
        let Active { generation, wish: Wish { name, .. }, number, idle, member, .. } = old;
        drop(member);
        let span = info_span!("retire", plugin = name, generation = number);
        let work = async move {
            // Callers that found it in the table may only now begin.
            if tokio::time::timeout(LEASE_TIMEOUT, idle).await.is_err() {
                info!("calls of a replaced plugin go on");
            }
            if generation.retire().await {
                info!("plugin retired");
            } else {
                error!("a plugin's destroy does not return");
                inner.note_stuck();
            }
        };
        self.tasks.spawn(work.instrument(span));
    }

    /// Some plugin's code does not come back.
    pub(crate) fn note_stuck(&self) {
        self.stuck.store(true, Ordering::Relaxed);
    }

    fn warn_of_sections_without_plugin(&self) {
        let book = self.book();
        for name in self.configs.load().keys().filter(|name| book.file_of(name).is_none()) {
            warn!(plugin = name, folder = %self.folder.display(), "there is a section for a plugin that is not there");
        }
    }
}

#[cfg(test)]
mod tests;
