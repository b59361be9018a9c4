//! Room for what devices say in their own bytes while it is translated: so many at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;
use tracing::warn;

/// The translations under way.
pub(crate) struct Translations {
    room: Arc<Semaphore>,
    running: TaskTracker,
}

impl Translations {
    pub(crate) fn new(replies_max: usize) -> Self {
        Self { room: Arc::new(Semaphore::new(replies_max)), running: TaskTracker::new() }
    }

    /// Room for one more, if there is.
    pub(crate) fn room(&self) -> Option<OwnedSemaphorePermit> {
        self.room.clone().try_acquire_owned().ok()
    }

    /// Runs one.
    pub(crate) fn spawn(&self, translation: impl Future<Output = ()> + Send + 'static) {
        drop(self.running.spawn(translation));
    }

    /// How many are under way.
    pub(crate) fn under_way(&self) -> usize {
        self.running.len()
    }

    /// Waits for those under way, at most `within`.
    pub(crate) async fn finish(&self, within: Duration) {
        self.running.close();
        if tokio::time::timeout(within, self.running.wait()).await.is_err() {
            warn!(replies = self.running.len(), "replies were not translated in time");
        }
    }
}
