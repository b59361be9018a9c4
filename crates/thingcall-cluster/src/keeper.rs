//! Keeps an instance's leases: asks the store as the rule says, and tells [`Slots`] what is held.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus::Registry;
use thingcall_core::{Conditions, Instance, LeaseError, Leases, Slots, Weight};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::metrics::Metrics;
use crate::rule::{Rule, Standing};
use crate::seen::Seen;
use crate::{Holder, first};

mod asking;
mod task;

use task::Task;

/// What a keeper works with.
pub struct KeeperParts<'a> {
    /// Where slots are leased.
    pub leases: Arc<dyn Leases>,
    /// Where it is told what is held.
    pub slots: Slots,
    /// What is told of this instance.
    pub me: Instance,
    /// The slot that is asked for first.
    pub wanted: Option<u8>,
    /// Gets the condition `lease`.
    pub conditions: &'a Conditions,
    /// Where it counts.
    pub metering: &'a Registry,
}

/// Keeps an instance's leases until it is stopped.
pub struct Keeper {
    stop: CancellationToken,
    draining: CancellationToken,
    holder: watch::Sender<Option<Arc<dyn Holder>>>,
    own: watch::Receiver<Option<u8>>,
    until: Arc<Mutex<Option<Instant>>>,
    metrics: Arc<Metrics>,
    task: TaskTracker,
}

impl Keeper {
    /// Leases a slot, and renews it from now on. Nothing is told to be held before [`Self::serve`].
    ///
    /// # Errors
    /// Why there is no slot; or that the metrics are registered already.
    pub async fn start(parts: KeeperParts<'_>) -> Result<Self, LeaseError> {
        let KeeperParts { leases, slots, me, wanted, conditions, metering } = parts;
        let metrics = Metrics::register(metering).map_err(|error| LeaseError::Store(error.to_string()))?;
        let (metrics, condition) = (Arc::new(metrics), conditions.add("lease", Weight::Required));
        let (lease, asked) = first::lease(&*leases, &me, wanted).await?;
        if wanted.is_some_and(|wanted| wanted != lease.slot) {
            warn!(
                wanted,
                slot = lease.slot,
                "the slot of engine.instance_slot is held by another instance; this one is as good"
            );
        }
        info!(slot = lease.slot, name = me.name, "slot leased");
        let (holder, holders) = watch::channel(None);
        let (own_sender, own) = watch::channel(None);
        let (until, stop, draining) = (Arc::default(), CancellationToken::new(), CancellationToken::new());
        let mut task = Task {
            leases,
            slots,
            me,
            condition,
            metrics: metrics.clone(),
            began: asked,
            rule: Rule::new(wanted),
            seen: Seen::default(),
            holders,
            own: own_sender,
            until: Arc::clone(&until),
            draining: draining.clone(),
            running: JoinSet::new(),
            asking: false,
            told: Standing::Sure,
            why: String::new(),
        };
        task.rule.taken(lease, Duration::ZERO);
        task.rests_on_it();
        let tracker = TaskTracker::new();
        tracker.spawn(task.run(stop.clone()));
        Ok(Self { stop, draining, holder, own, until, metrics, task: tracker })
    }

    /// From now on slots are held, and taken over from instances that died. Returns when the own one is.
    pub async fn serve(&self, holder: Arc<dyn Holder>) {
        self.holder.send_replace(Some(holder));
        // It ends only with the task, and that with `stop`.
        let mut own = self.own.clone();
        let _held = own.wait_for(Option::is_some).await;
    }

    /// From now on no slot is taken over: this instance ends.
    pub fn drain(&self) {
        self.draining.cancel();
    }

    /// Brings the gauge up to date that runs down by itself. To be called at each scrape.
    pub fn refresh_metrics(&self) {
        let until = *self.until.lock().unwrap_or_else(PoisonError::into_inner);
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        self.metrics.left.set(left.unwrap_or_default().as_secs_f64());
    }

    /// How many instances live, this one among them, as was last heard from the store.
    pub fn living(&self) -> impl Fn() -> NonZeroU32 + Send + Sync + 'static {
        let metrics = self.metrics.clone();
        move || u32::try_from(metrics.instances.get()).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN)
    }

    /// Holds nothing any more, and gives all slots back: others may have them at once. Within 2 s.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.task.close();
        self.task.wait().await;
    }
}

#[cfg(test)]
mod tests;
