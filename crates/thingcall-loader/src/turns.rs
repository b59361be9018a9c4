//! One after the other for each file: who does something with it has its turn.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tokio::sync::OwnedMutexGuard;

use crate::lock::lock;

/// The files with which something is done.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<BTreeMap<PathBuf, Arc<tokio::sync::Mutex<()>>>>);

impl Turns {
    /// Waits until nothing else is done with this file.
    pub(crate) async fn of(&self, file: &Path) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = lock(&self.0);
            // Nobody waits for those.
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
            turns.entry(file.to_owned()).or_default().clone()
        };
        turn.lock_owned().await
    }

    /// Whether something is done with this file.
    pub(crate) fn is_taken(&self, file: &Path) -> bool {
        lock(&self.0).get(file).is_some_and(|turn| turn.try_lock().is_err())
    }
}
