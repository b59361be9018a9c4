//! Which files there are, and what a change of them means for the plugins.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join_all;
use tracing::warn;

use crate::book::FILES_MAX;
use crate::decide::{How, Undecided};
use crate::error::LoadError;
use crate::files::Stamp;
use crate::folders::{absolute, list};
use crate::load::Loader;
use crate::report::Loaded;
use crate::roster::Roster;

/// What became of files.
pub(crate) type Results = Vec<(PathBuf, Result<Loaded, LoadError>)>;

/// What to do with refused files that did not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StillRefused {
    /// They stay refused.
    Leave,
    /// What was in their way may be gone.
    TryAgain,
}

/// The plugin folder, and what was loaded from elsewhere.
pub(crate) struct Folder {
    path: PathBuf,
    roster: Arc<Roster>,
    loader: Arc<Loader>,
    /// Whether it was said that there are more files than are looked at.
    too_many_said: AtomicBool,
}

impl Folder {
    pub(crate) fn new(path: PathBuf, roster: Arc<Roster>, loader: Arc<Loader>) -> Arc<Self> {
        Arc::new(Self { path, roster, loader, too_many_said: AtomicBool::new(false) })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A file as it stands in the book: one in the folder as the folder is written, another by its real folder.
    pub(crate) fn path_of(&self, file: &Path) -> PathBuf {
        let file = absolute(file);
        let (Some(parent), Some(name)) =
            (file.parent().and_then(|parent| parent.canonicalize().ok()), file.file_name())
        else {
            return file;
        };
        let ours = self.path.canonicalize().is_ok_and(|folder| folder == parent);
        if ours { self.path.join(name) } else { parent.join(name) }
    }

    /// The files that are not as they were when they were last read, and what is there now.
    pub(crate) fn look(&self, refused: StillRefused) -> BTreeMap<PathBuf, Option<Stamp>> {
        let listed = list(&self.path);
        let book = self.roster.book();
        let mut files: BTreeSet<_> = book.files().keys().cloned().collect();
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
            if refused == StillRefused::Leave && self.loader.is_busy(&file) {
                continue;
            }
            // What cannot be looked at may be there as ever.
            let Ok(stamp) = Stamp::of(&file) else { continue };
            let note = book.files().get(&file);
            let again = refused == StillRefused::TryAgain && note.is_some_and(|note| note.refusal.is_some());
            if again || stamp != note.and_then(|note| note.stamp) {
                differing.insert(file, stamp);
            }
        }
        differing
    }

    /// Loads those of these files that are there and retires the plugins of those that are gone. Each for itself: one
    /// that takes long holds up no other. `decided` is dropped by each file once it is decided what becomes of it.
    pub(crate) async fn apply(&self, files: BTreeSet<PathBuf>, decided: Option<Undecided>) -> Results {
        let (gone, here): (Vec<_>, Vec<_>) = files.into_iter().partition(|file| matches!(Stamp::of(file), Ok(None)));
        let loads = here.into_iter().map(|file| {
            let decided = decided.clone();
            async move {
                let result = self.loader.load(&file, How::by_itself(), decided).await;
                (file, result)
            }
        });
        let loads = join_all(loads);
        drop(decided);
        // They are decided after the others: what was renamed is found under its new name by then.
        let removals = join_all(gone.into_iter().map(|file| async move { self.loader.unload(&file).await }));
        let (loaded, _removed) = tokio::join!(biased; loads, removals);
        let mut results: BTreeMap<_, _> = loaded.into_iter().collect();
        // Who was in somebody's way may have gone, or changed its claims.
        let mut tried = BTreeSet::new();
        loop {
            let freed = self.roster.book().no_longer_in_conflict();
            let Some(file) = freed.into_iter().find(|file| !tried.contains(file)) else { break };
            let result = self.loader.load(&file, How::by_itself(), None).await;
            results.insert(file.clone(), result);
            tried.insert(file);
        }
        results.into_iter().collect()
    }
}

#[cfg(test)]
mod tests;
