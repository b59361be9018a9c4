//! Sees what changes in the plugin folder: at once where the system tells, and by a look every few seconds, for file
//! systems that do not tell and for folders that are not there yet.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use notify::event::{EventKind, ModifyKind, RenameMode};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::warn;

use crate::scan::{Folder, StillRefused};
use crate::settle::{SETTLE, Settling};
use crate::tasks::Tasks;

/// How often is looked without being told.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);
/// How many of the system's messages wait; one more tells nothing new, since all files are looked at.
const CHANGES_MAX: usize = 64;

/// Something happened in the folder.
#[derive(Debug)]
enum Change {
    /// Somebody writes, or removed something.
    Any,
    /// These were renamed to their place.
    Renamed(Vec<PathBuf>),
}

/// Watches until the plugins shut down.
pub(crate) async fn run(folder: Arc<Folder>, tasks: Tasks) {
    let (changes, mut incoming) = mpsc::channel(CHANGES_MAX);
    let mut eye = Eye { folder: folder.path().to_owned(), changes, open: None, blind: false };
    let mut settling = Settling::default();
    loop {
        eye.open();
        let mut renamed = BTreeSet::new();
        let wait = if settling.is_empty() { LOOK_INTERVAL } else { SETTLE / 2 };
        tokio::select! {
            () = tasks.stopped() => return,
            () = tokio::time::sleep(wait) => {}
            Some(change) = incoming.recv() => if let Change::Renamed(files) = change {
                renamed.extend(files);
            } else {
                // Whoever writes, writes more.
                tokio::time::sleep(SETTLE / 4).await;
            }
        }
        while let Ok(change) = incoming.try_recv() {
            if let Change::Renamed(files) = change {
                renamed.extend(files);
            }
        }
        let looking = folder.clone();
        let looked = tokio::task::spawn_blocking(move || looking.look(StillRefused::Leave)).await;
        let due = settling.look(Instant::now(), looked.unwrap_or_default(), &renamed);
        if !due.is_empty() {
            let folder = folder.clone();
            tasks.spawn(async move { folder.apply(due, None).await });
        }
    }
}

/// The system's watch on the folder, while there is a folder.
struct Eye {
    folder: PathBuf,
    changes: mpsc::Sender<Change>,
    /// With the folder it looks at: another may have come in its place.
    open: Option<((u64, u64), RecommendedWatcher)>,
    /// Whether it was said that the system does not tell.
    blind: bool,
}

impl Eye {
    fn open(&mut self) {
        let found = self.folder.metadata().ok().filter(std::fs::Metadata::is_dir);
        let Some(folder) = found.map(|found| (found.dev(), found.ino())) else {
            self.open = None;
            return;
        };
        if self.open.as_ref().is_some_and(|(watched, _)| *watched == folder) {
            return;
        }
        self.open = match self.watch() {
            Ok(watcher) => Some((folder, watcher)),
            Err(error) => {
                if !std::mem::replace(&mut self.blind, true) {
                    let seconds = LOOK_INTERVAL.as_secs();
                    warn!(folder = %self.folder.display(), %error, seconds, "plugin folder is looked at by the clock");
                }
                None
            }
        };
    }

    fn watch(&self) -> notify::Result<RecommendedWatcher> {
        let changes = self.changes.clone();
        let tell = move |event: notify::Result<Event>| {
            if let Some(change) = event.ok().and_then(change) {
                drop(changes.try_send(change));
            }
        };
        let mut watcher = notify::recommended_watcher(tell)?;
        watcher.watch(&self.folder, RecursiveMode::NonRecursive)?;
        Ok(watcher)
    }
}

/// What an event means here; reading, which we do ourselves, means nothing.
fn change(event: Event) -> Option<Change> {
    match event.kind {
        EventKind::Access(_) => None,
        EventKind::Modify(ModifyKind::Name(RenameMode::To)) => Some(Change::Renamed(event.paths)),
        // Both names, the new one last.
        EventKind::Modify(ModifyKind::Name(RenameMode::Both)) => {
            Some(Change::Renamed(event.paths.into_iter().skip(1).collect()))
        }
        EventKind::Any | EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_) | EventKind::Other => {
            Some(Change::Any)
        }
    }
}

#[cfg(test)]
mod tests;
