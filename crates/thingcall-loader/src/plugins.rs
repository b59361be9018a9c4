//! All plugins of a server: which are active, and how they come and go.
//!
//! **Invariant:** loads happen one after the other; calls never wait for one. A generation that leaves the table is
//! retired by a task that [`Plugins::shutdown`] waits for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use prometheus::Registry;
use thingcall_core::{Call, Codec, Handler, Handlers, ProductKey};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, error, info, info_span, warn};

use crate::book::{Active, Book};
use crate::config::{Config, PluginConfigs};
use crate::error::{LoadError, StartError};
use crate::files::{Copies, Stamp};
use crate::load::Same;
use crate::metrics::Metrics;
use crate::report::{Loaded, PluginState};
use crate::routes::Routes;
use crate::watch;

/// How many files of the folder are looked at.
pub(crate) const FILES_MAX: usize = 256;
/// How long callers that found a handler may take to use it; longer than any synchronous call lasts.
const LEASE_TIMEOUT: Duration = Duration::from_secs(10);

/// The plugins of a server.
pub struct Plugins {
    inner: Arc<Inner>,
}

/// What tasks share.
pub(crate) struct Inner {
    pub(crate) config: Config,
    pub(crate) configs: PluginConfigs,
    /// The plugin folder.
    pub(crate) folder: PathBuf,
    pub(crate) copies: Arc<Copies>,
    pub(crate) metrics: Arc<Metrics>,
    routes: ArcSwap<Routes>,
    book: Mutex<Book>,
    /// Held for each change of the book as a whole. Never while a call is answered.
    loading: tokio::sync::Mutex<()>,
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
    stuck: AtomicBool,
}

/// What became of files.
type Results = Vec<(PathBuf, Result<Loaded, LoadError>)>;

impl Plugins {
    /// Loads every file in the folder, and watches it if the configuration says so. A file that is refused is logged
    /// and listed, and does not stop the start. `data` is the server's data folder.
    ///
    /// # Errors
    /// If the metrics are registered already.
    pub async fn start(
        config: Config,
        plugins: PluginConfigs,
        data: &Path,
        metering: &Registry,
    ) -> Result<Arc<Self>, StartError> {
        let folder = config.folder.clone().unwrap_or_else(|| data.join("plugins"));
        let inner = Arc::new(Inner {
            folder: normal(&folder),
            copies: Arc::new(Copies::new(data.join("plugin-images"))),
            metrics: Arc::new(Metrics::register(metering)?),
            routes: ArcSwap::default(),
            book: Mutex::default(),
            loading: tokio::sync::Mutex::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            stuck: AtomicBool::new(false),
            config,
            configs: plugins,
        });
        if let Err(error) = inner.copies.clean() {
            warn!(%error, "copies of plugins that an earlier process left cannot be removed");
        }
        let plugins = Arc::new(Self { inner });
        plugins.rescan().await;
        plugins.inner.warn_of_sections_without_plugin();
        if plugins.inner.config.watch {
            plugins.inner.tasks.spawn(watch::run(plugins.inner.clone()));
        }
        Ok(plugins)
    }

    /// Loads a file, in the folder or not. What is active already is left alone.
    ///
    /// # Errors
    /// Why it is refused. What was active before still is.
    pub async fn load_file(&self, file: &Path) -> Result<Loaded, LoadError> {
        let file = normal(file);
        self.owned(|inner| async move {
            let _loading = inner.loading.lock().await;
            inner.load(&file, Same::Keep).await
        })
        .await?
    }

    /// Loads a plugin's file again, also if it holds the same.
    ///
    /// # Errors
    /// Why it is refused. What was active before still is.
    pub async fn reload(&self, name: &str) -> Result<Loaded, LoadError> {
        let name = name.to_owned();
        self.owned(|inner| async move {
            let _loading = inner.loading.lock().await;
            let file = inner.book().file_of(&name);
            inner.load(&file.ok_or(LoadError::UnknownPlugin(name))?, Same::Reload).await
        })
        .await?
    }

    /// Looks at all files again: loads what is new or changed, tries what was refused, retires what is gone.
    pub async fn rescan(&self) -> Vec<(PathBuf, Result<Loaded, LoadError>)> {
        let scan = |inner: Arc<Inner>| async move {
            let differing = inner.look(Refused::TryAgain);
            inner.apply(differing.into_keys().collect()).await
        };
        self.owned(scan).await.unwrap_or_default()
    }

    /// The active plugins by name, then the files that were refused.
    pub fn list(&self) -> Vec<PluginState> {
        self.inner.book().list()
    }

    /// Brings gauges up to date, before they are read.
    pub fn refresh_metrics(&self) {}

    /// Retires all plugins. `false` if one did not let go: its threads may still run, so end the process by `_exit`.
    pub async fn shutdown(&self) -> bool {
        let inner = &self.inner;
        inner.stop.cancel();
        {
            let _loading = inner.loading.lock().await;
            let all = std::mem::take(&mut inner.book().active);
            inner.routes.store(Arc::default());
            all.into_values().for_each(|active| inner.retire(active));
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

/// What to do with refused files that did not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// They stay refused.
    Leave,
    /// What was in their way may be gone.
    TryAgain,
}

impl Inner {
    /// The book. Never held across an await.
    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts the book's plugins into the table, in one step.
    pub(crate) fn publish(&self, book: &Book) {
        self.routes.store(Arc::new(Routes::of(book.members())));
    }

    /// The files that are not as they were when they were last read, and what is there now.
    pub(crate) fn look(&self, refused: Refused) -> BTreeMap<PathBuf, Option<Stamp>> {
        let listed = watch::list(&self.folder);
        let book = self.book();
        let known: BTreeSet<_> = book.files.keys().cloned().chain(listed).collect();
        let mut differing = BTreeMap::new();
        for file in known {
            // What cannot be looked at may be there as ever.
            let Ok(stamp) = Stamp::of(&file) else { continue };
            let note = book.files.get(&file);
            let again = refused == Refused::TryAgain && note.is_some_and(|note| note.refusal.is_some());
            if again || stamp != note.and_then(|note| note.stamp) {
                differing.insert(file, stamp);
            }
        }
        differing
    }

    /// Loads those of these files that are there and retires the plugins of those that are gone.
    pub(crate) async fn apply(self: &Arc<Self>, files: BTreeSet<PathBuf>) -> Results {
        let _loading = self.loading.lock().await;
        let mut results = BTreeMap::new();
        let (mut here, mut gone) = (Vec::new(), Vec::new());
        for file in files {
            if matches!(Stamp::of(&file), Ok(None)) { gone.push(file) } else { here.push(file) }
        }
        for file in here {
            let result = self.load(&file, Same::Keep).await;
            results.insert(file, result);
        }
        let mut freed = gone.iter().filter(|file| self.remove(file)).count() > 0;
        freed |= results.values().any(|result| result.as_ref().is_ok_and(|loaded| loaded.changed));
        // Who was in somebody's way may have gone, or changed its claims. Each round loads one at least.
        while std::mem::take(&mut freed) {
            for file in self.in_conflict() {
                let result = self.load(&file, Same::Keep).await;
                freed |= result.is_ok();
                results.insert(file, result);
            }
        }
        results.into_iter().collect()
    }

    /// The files that were refused because of other plugins.
    fn in_conflict(&self) -> Vec<PathBuf> {
        let book = self.book();
        let conflict = |error: &LoadError| matches!(error, LoadError::Conflict(_));
        let files =
            book.files.iter().filter(|(_, note)| note.refusal.as_ref().is_some_and(|refusal| conflict(&refusal.error)));
        files.map(|(file, _)| file.clone()).collect()
    }

    /// Forgets a file that is gone, and retires its plugin. Says whether there was one.
    fn remove(self: &Arc<Self>, file: &Path) -> bool {
        let mut book = self.book();
        book.files.remove(file);
        let names = book.names_in(file);
        let old: Vec<_> = names.iter().filter_map(|name| book.active.remove(name)).collect();
        if old.is_empty() {
            return false;
        }
        self.publish(&book);
        drop(book);
        for old in old {
            info!(plugin = old.wish.name, file = %file.display(), "plugin removed");
            self.retire(old);
        }
        true
    }

    /// Ends a generation that left the table.
    pub(crate) fn retire(self: &Arc<Self>, old: Active) {
        let inner = self.clone();
        let Active { generation, wish: crate::routes::Wish { name, .. }, number, idle, member, .. } = old;
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
        for name in self.configs.keys().filter(|name| book.file_of(name).is_none()) {
            warn!(plugin = name, folder = %self.folder.display(), "there is a section for a plugin that is not there");
        }
    }
}

/// A path as it stands in the book: absolute, its folder without links.
fn normal(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    match (absolute.parent().and_then(|parent| parent.canonicalize().ok()), absolute.file_name()) {
        (Some(parent), Some(name)) => parent.join(name),
        _ => absolute,
    }
}

#[cfg(test)]
mod tests;
