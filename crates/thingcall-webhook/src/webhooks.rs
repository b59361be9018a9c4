//! All targets of the configuration.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use prometheus::Registry;
use thingcall_core::{JournalError, MessageLog, Problem, Tracer, Wanted};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::config::Config;
use crate::metrics::Families;
use crate::name::TargetName;
use crate::poster::Poster;
use crate::pump::Pump;

/// Targets, by name.
pub type Targets = BTreeMap<TargetName, Config>;

/// Why webhooks do not start.
#[derive(Debug, thiserror::Error)]
pub enum NotStarted {
    /// What is wrong with one.
    #[error("webhooks.{0}.{1}")]
    Wrong(TargetName, Problem),
    /// The log cannot be written.
    #[error(transparent)]
    Log(#[from] JournalError),
    /// A metric.
    #[error(transparent)]
    Metrics(#[from] prometheus::Error),
}

/// The tasks that send.
pub struct Webhooks {
    stopping: CancellationToken,
    tasks: TaskTracker,
}

impl Webhooks {
    /// Sends what is for these targets from now on, and what earlier runs left. For a target that is none any more nothing more is
    /// written; what waits for it stays until it is too old, or [`MessageLog::remove_reader`].
    ///
    /// # Errors
    /// What is wrong with a target, or with the log.
    pub async fn start(
        targets: &Targets,
        log: Arc<dyn MessageLog>,
        tracer: Option<Arc<dyn Tracer>>,
        registry: &Registry,
    ) -> Result<Self, NotStarted> {
        let (stopping, tasks) = (CancellationToken::new(), TaskTracker::new());
        let families = Families::register(registry)?;
        for reader in log.readers().await? {
            let Some(gone) = TargetName::of_reader(&reader).filter(|name| !targets.contains_key(name)) else {
                continue;
            };
            log.set_reader(&reader, Wanted::default()).await?;
            info!(webhook = %gone, "a webhook that had messages is not configured any more: there are no new ones for it");
        }
        for (name, config) in targets {
            let poster = Poster::new(config).map_err(|problem| NotStarted::Wrong(name.clone(), problem))?;
            let poster = poster.traced(tracer.clone());
            log.set_reader(&name.reader(), config.wanted()).await?;
            let metrics = families.of(name, config);
            let pump = Pump::new(name.clone(), config.clone(), (log.clone(), poster), metrics, stopping.clone());
            tasks.spawn(pump.run());
        }
        tasks.close();
        Ok(Self { stopping, tasks })
    }

    /// Ends them. What a target has not taken is given back.
    pub async fn stop(self, within: Duration) {
        self.stopping.cancel();
        if timeout(within, self.tasks.wait()).await.is_err() {
            warn!("webhooks took too long to end; what they had is sent again");
        }
    }
}
