//! Which files there are, and what a change of them means for the plugins.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::future::join_all;
use tokio::sync::{OwnedMutexGuard, mpsc};
use tracing::{info, warn};

use crate::error::LoadError;
use crate::files::Stamp;
use crate::folders::{absolute, list};
use crate::load::How;
use crate::lock::lock;
use crate::metrics;
use crate::plugins::Inner;
use crate::report::Loaded;

/// How many files are looked at.
pub(crate) const FILES_MAX: usize = 256;

/// What became of files.
pub(crate) type Results = Vec<(PathBuf, Result<Loaded, LoadError>)>;

/// Held by those for whom it is not decided yet what becomes of their file.
pub(crate) type Undecided = mpsc::Sender<Infallible>;

/// What to do with refused files that did not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// They stay refused.
    Leave,
    /// What was in their way may be gone.
    TryAgain,
}

impl Inner {
    /// A file as it stands in the book: one in the folder as the folder is written, another by its real folder.
    pub(crate) fn path_of(&self, file: &Path) -> PathBuf {
        let file = absolute(file);
        let (Some(parent), Some(name)) =
            (file.parent().and_then(|parent| parent.canonicalize().ok()), file.file_name())
        else {
            return file;
        };
        let ours = self.folder.canonicalize().is_ok_and(|folder| folder == parent);
        if ours { self.folder.join(name) } else { parent.join(name) }
    }

    /// The files that are not as they were when they were last read, and what is there now.
    pub(crate) fn look(&self, refused: Refused) -> BTreeMap<PathBuf, Option<Stamp>> {
        let listed = list(&self.folder);
        let book = self.book();
        let mut files: BTreeSet<_> = book.files.keys().cloned().collect();
        for file in listed {
            if files.len() < FILES_MAX || files.contains(&file) {
                files.insert(file);
            } else if !self.too_many_said.swap(true, Ordering::Relaxed) {
                warn!(file = %file.display(), FILES_MAX, "there are more plugin files than are looked at");
            }
        }
        let mut differing = BTreeMap::new();
        for file in files {
            // It is looked at again when that is done.
            if refused == Refused::Leave && self.is_busy(&file) {
                continue;
            }
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

    /// Loads those of these files that are there and retires the plugins of those that are gone. Each for itself: one
    /// that takes long holds up no other. `decided` is dropped by each file once it is decided what becomes of it.
    pub(crate) async fn apply(self: &Arc<Self>, files: BTreeSet<PathBuf>, decided: Option<Undecided>) -> Results {
        let (gone, here): (Vec<_>, Vec<_>) = files.into_iter().partition(|file| matches!(Stamp::of(file), Ok(None)));
        let loads = here.into_iter().map(|file| {
            let decided = decided.clone();
            async move {
                let result = self.load(&file, How::by_itself(), decided).await;
                (file, result)
            }
        });
        let loads = join_all(loads);
        drop(decided);
        // They are decided after the others: what was renamed is found under its new name by then.
        let removals = join_all(gone.into_iter().map(|file| async move { self.remove(&file).await }));
        let (loaded, _removed) = tokio::join!(biased; loads, removals);
        let mut results: BTreeMap<_, _> = loaded.into_iter().collect();
        // Who was in somebody's way may have gone, or changed its claims.
        let mut tried = BTreeSet::new();
        loop {
            let freed = self.book().no_longer_in_conflict();
            let Some(file) = freed.into_iter().find(|file| !tried.contains(file)) else { break };
            let result = self.load(&file, How::by_itself(), None).await;
            results.insert(file.clone(), result);
            tried.insert(file);
        }
        results.into_iter().collect()
    }

    /// Forgets a file that is gone, and retires its plugin.
    async fn remove(self: &Arc<Self>, file: &Path) {
        let _turn = self.turn(file).await;
        let _deciding = self.deciding.lock().await;
        let mut book = self.book();
        book.files.remove(file);
        let names = book.names_in(file);
        let old: Vec<_> = names.iter().filter_map(|name| book.active.remove(name)).collect();
        self.publish(&book);
        drop(book);
        for old in old {
            self.count_active(&old, metrics::Active::No);
            info!(
                plugin = old.wish.name,
                file = %file.display(),
                "plugin removed; its claims stay reserved until it is back, or `thingcall plugin forget` frees them"
            );
            self.retire(old);
        }
    }

    /// Waits until nothing else is done with this file.
    pub(crate) async fn turn(&self, file: &Path) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = lock(&self.turns);
            // Nobody waits for those.
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
            turns.entry(file.to_owned()).or_default().clone()
        };
        turn.lock_owned().await
    }

    /// Whether something is done with this file.
    fn is_busy(&self, file: &Path) -> bool {
        lock(&self.turns).get(file).is_some_and(|turn| turn.try_lock().is_err())
    }
}

#[cfg(test)]
mod tests;
