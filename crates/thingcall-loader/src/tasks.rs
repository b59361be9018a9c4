//! What goes on beside calls, and what a shutdown waits for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};
use tokio_util::task::TaskTracker;
use tracing::{Instrument, error, info, info_span};

use crate::book::Active;

/// How long callers that found a handler may take to use it; longer than any synchronous call lasts.
const LEASE_TIMEOUT: Duration = Duration::from_secs(10);

/// The tasks of the plugins of a server.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
    stuck: Arc<AtomicBool>,
}

impl Tasks {
    /// Runs work that a shutdown waits for.
    pub(crate) fn spawn<F>(&self, work: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        self.tracker.spawn(work)
    }

    /// Ends a generation that left the table.
    pub(crate) fn retire(&self, old: Active) {
        let tasks = self.clone();
        let Active { generation, wish, number, idle, member, .. } = old;
        drop(member);
        let span = info_span!("retire", plugin = wish.name, generation = number);
        let work = async move {
            // Callers that found it in the table may only now begin.
            if tokio::time::timeout(LEASE_TIMEOUT, idle).await.is_err() {
                info!("calls of a replaced plugin go on");
            }
            if generation.retire().await {
                info!("plugin retired");
            } else {
                error!("a plugin's destroy does not return");
                tasks.note_stuck();
            }
        };
        self.spawn(work.instrument(span));
    }

    /// Some plugin's code does not come back.
    pub(crate) fn note_stuck(&self) {
        self.stuck.store(true, Ordering::Relaxed);
    }

    /// From now on nothing new begins.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    /// Whether that was said.
    pub(crate) fn stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Waits until that is said.
    pub(crate) fn stopped(&self) -> WaitForCancellationFuture<'_> {
        self.stop.cancelled()
    }

    /// Waits for all of them. Says whether all plugins let go.
    pub(crate) async fn wait(&self) -> bool {
        self.tracker.close();
        self.tracker.wait().await;
        !self.stuck.load(Ordering::Relaxed)
    }

    /// How many there are.
    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.tracker.len()
    }
}
