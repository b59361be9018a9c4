//! Waits until a file that changes has changed.
//!
//! **Invariant:** a file is due when it was the same for [`SETTLE`], or at once when it was renamed to its place: then
//! it was written elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::Instant;

use crate::files::Stamp;

/// How long a file must stay the same.
pub(crate) const SETTLE: Duration = Duration::from_millis(250);

/// Files that change.
#[derive(Debug, Default)]
pub(crate) struct Settling {
    /// What was there last, and since when.
    files: BTreeMap<PathBuf, (Option<Stamp>, Instant)>,
}

impl Settling {
    /// Takes the files that are not as they were when they were read, and those that were renamed to their place.
    /// Returns those that are due.
    pub(crate) fn look(
        &mut self,
        now: Instant,
        differing: BTreeMap<PathBuf, Option<Stamp>>,
        renamed: &BTreeSet<PathBuf>,
    ) -> BTreeSet<PathBuf> {
        let mut due = BTreeSet::new();
        let mut still = BTreeMap::new();
        for (file, stamp) in differing {
            let since = match self.files.get(&file) {
                Some((before, since)) if *before == stamp => *since,
                Some(_) | None => now,
            };
            let moved_here = stamp.is_some() && renamed.contains(&file);
            if moved_here || now.duration_since(since) >= SETTLE {
                due.insert(file);
            } else {
                still.insert(file, (stamp, since));
            }
        }
        self.files = still;
        due
    }

    /// Whether nothing is waited for.
    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}

#[cfg(test)]
mod tests;
