//! The engine: its parts, and how it starts and stops.

use std::sync::{Arc, Weak};
use std::time::Duration;

use prometheus::Registry as Metering;
use thingcall_core::{
    CallError, CallRecords, DeviceKey, Handlers, Journal, KeptCalls, Outcome, Presence, Slots, Tracer, Transport,
    TransportName, UnixMillis,
};
use thingcall_metrics::{Exemplars, Maker, gauge_of};
use thingcall_tsl::Registry;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::broadcasts::Broadcasts;
use crate::dropped::{DroppedMessages, LastDropped};
use crate::failures::Failures;
use crate::fleet_metrics::FleetMetrics;
use crate::hands::Hands;
use crate::ids::IdSource;
use crate::lag::Lag;
use crate::lanes::Lanes;
use crate::late::{LateReplies, Surroundings};
use crate::metrics::{Metrics, ProductLabel};
use crate::pending::PendingCalls;
use crate::reports::{Posts, Reports};
use crate::router::Router;
use crate::top::{Top, TopBy, TopOf};
use crate::translations::Translations;
use crate::transports::Transports;
use crate::turns::Turns;
use crate::unawaited::Unawaited;
use crate::watches::DeviceWatches;
use crate::{Config, Stage};

/// How long calls that were cut off may take to tell their callers.
const CUT_OFF_TIME: Duration = Duration::from_millis(500);

/// Takes calls and answers them. Shared by the fronts, the transports (as their [`thingcall_core::ReplySink`]) and the
/// program.
pub struct Engine {
    pub(crate) config: Config,
    pub(crate) registry: Arc<dyn Registry>,
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) router: Router,
    pub(crate) transports: Transports,
    pub(crate) ids: IdSource,
    pub(crate) slots: Slots,
    pub(crate) pending: PendingCalls,
    pub(crate) lag: Lag,
    pub(crate) late: LateReplies,
    pub(crate) raw: Translations,
    pub(crate) posts: Posts,
    pub(crate) turns: Turns,
    pub(crate) hands: Hands,
    pub(crate) lanes: Lanes,
    pub(crate) broadcasts: Broadcasts,
    pub(crate) unawaited: Unawaited,
    pub(crate) fleet: FleetMetrics,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) dropped: Arc<DroppedMessages>,
    pub(crate) failures: Arc<Failures>,
    pub(crate) top: Arc<Top>,
    pub(crate) watches: Arc<DeviceWatches>,
    pub(crate) records: Arc<dyn CallRecords>,
    /// Who takes what is recorded of traces, where anybody does.
    pub(crate) tracer: Option<Arc<dyn Tracer>>,
    /// Which calls are kept there.
    pub(crate) kept: KeptCalls,
    /// Itself, for what outlives the function that began it.
    pub(crate) me: Weak<Self>,
    /// Holds a token for each call that runs; closed when no new ones are taken.
    running: TaskTracker,
}

/// What an engine works with.
pub struct EngineParts {
    /// Finds devices, products and models.
    pub registry: Arc<dyn Registry>,
    /// Keeps asynchronous calls.
    pub journal: Arc<dyn Journal>,
    /// Who handles calls beside the built-in path.
    pub handlers: Arc<dyn Handlers>,
    /// The slots of call ids that are held: whose ids new calls get, and whose replies are ours.
    pub slots: Slots,
    /// Who hears what devices report.
    pub reports: Reports,
    /// Keeps records of calls that have ended.
    pub records: Arc<dyn CallRecords>,
    /// Takes what is recorded of traces; where nobody does, there are none.
    pub tracer: Option<Arc<dyn Tracer>>,
}

impl Engine {
    /// Makes an engine; it reaches devices once transports are attached. What it does then needs a running tokio.
    ///
    /// # Errors
    /// If its metrics are registered already.
    pub fn new(config: Config, parts: EngineParts, metering: &Metering) -> Result<Arc<Self>, prometheus::Error> {
        let make = Maker::new(metering);
        let metrics = Arc::new(Metrics::register(make, &config)?);
        let watches = Arc::<DeviceWatches>::default();
        let dropped = DroppedMessages::register(make, config.dropped_devices_max.get(), watches.clone())?;
        let dropped = Arc::new(dropped);
        let failures = Arc::new(Failures::register(make, config.recent_failures_max.get())?);
        let top = Arc::new(Top::register(make, config.shown.top_bytes_max.get())?);
        let lanes = Lanes::register(make, &config)?;
        let fleet = FleetMetrics::register(make)?;
        let broadcasts = Broadcasts::register(make, &config)?;
        let unawaited = Unawaited::register(make, &config)?;
        let EngineParts { registry, journal, handlers, slots, reports, records, tracer } = parts;
        let posts = Posts::register(make, config.posts_max(), reports)?;
        let around = Surroundings {
            journal: journal.clone(),
            registry: registry.clone(),
            metrics: metrics.clone(),
            dropped: dropped.clone(),
            failures: failures.clone(),
            top: top.clone(),
            tracer: tracer.clone(),
        };
        Ok(Arc::new_cyclic(|engine| Self {
            me: engine.clone(),
            raw: Translations::new(config.raw_replies_max.get()),
            posts,
            registry,
            journal,
            router: Router::new(handlers),
            transports: Transports::new(config.default_transport),
            ids: IdSource::new(),
            slots,
            pending: PendingCalls::new(config.pending_calls_max.get(), config.recent_calls_max.get()),
            lag: Lag::default(),
            late: LateReplies::new(config.late_replies_max.get(), around),
            turns: Turns::default(),
            hands: Hands::default(),
            lanes,
            broadcasts,
            unawaited,
            fleet,
            metrics,
            dropped,
            failures,
            top,
            watches,
            kept: records.kept(),
            tracer,
            records,
            running: TaskTracker::new(),
            config,
        }))
    }

    /// Adds a way to devices.
    pub fn attach(&self, transport: Arc<dyn Transport>) {
        self.transports.attach(transport);
    }

    /// Tells the transports that other slots are held than before: to be called after each change of [`Slots`], and where a
    /// slot is taken over, once the records of its calls are loaded.
    pub fn slots_changed(&self) {
        self.transports.slots_changed();
    }

    /// What each transport knows of a device's connection now.
    pub fn presence(&self, device: &DeviceKey) -> Vec<(TransportName, Presence)> {
        self.transports.presence(device)
    }

    /// Who watches what happens to devices.
    pub const fn watches(&self) -> &Arc<DeviceWatches> {
        &self.watches
    }

    /// For how long a call that failed or was slow counts among those of [`Self::top`].
    pub const TOP_WINDOW: Duration = Top::WINDOW;

    /// The devices and products that fail, are silent or slow most often, at most so many of each.
    pub fn top(&self, by: TopBy, max: usize) -> TopOf {
        self.top.most(by, max)
    }

    /// How long a call took, and from how long on one is slow.
    pub(crate) const fn took(&self, took: Duration) -> (Duration, Duration) {
        (took, self.config.slow_call)
    }

    /// The histograms that keep traces of some calls.
    pub fn exemplars(&self) -> Exemplars {
        self.metrics.exemplars.clone()
    }

    /// How long a synchronous caller waits.
    pub fn reply_timeout(&self) -> Duration {
        self.config.reply_timeout
    }

    /// Counts a call that a front refused before it came here.
    pub fn count_refused(&self, outcome: Outcome) {
        self.metrics.call_ended(ProductLabel::OTHER, None, None, outcome);
    }

    /// Counts a front's own share of a call.
    pub fn stage_took(&self, stage: Stage, took: Duration) {
        self.metrics.stage_took(stage, took);
    }

    /// The last message of a device that led to nothing, as far as it is remembered.
    pub fn last_dropped(&self, device: &DeviceKey) -> Option<LastDropped> {
        self.dropped.last(device)
    }

    /// Brings gauges up to date that are not kept on the path of a call. To be called at each scrape.
    pub fn refresh_metrics(&self) {
        let started = self.pending.oldest().map(|at| {
            let age = i64::try_from(at.elapsed().as_secs()).unwrap_or(i64::MAX);
            (UnixMillis::now().0 / 1000).saturating_sub(age)
        });
        self.metrics.oldest.set(started.unwrap_or(0));
        self.metrics.recent.set(gauge_of(self.pending.remembered()));
        self.metrics.late.set(gauge_of(self.late.len()));
        self.metrics.raw.set(gauge_of(self.raw.under_way()));
        self.top.refresh();
        self.posts.refresh_metrics();
        self.lanes.sweep();
        self.unawaited.sweep();
    }

    /// Takes no new calls, and waits until the running ones have ended and their results are written; at most
    /// `within`. Then ends those that still wait for their device, and says how many there were. Where transports are
    /// attached that told their broker of each reply they took, [`Self::end_calls`] and [`Self::finish`].
    pub async fn drain(&self, within: Duration) -> usize {
        let left = self.end_calls(within).await;
        self.finish(within).await;
        left
    }

    /// Takes no new calls, and waits until the running ones have ended; at most `within`. Then ends those that still wait
    /// for their device, and says how many there were. Replies to asynchronous calls are heard as before.
    pub async fn end_calls(&self, within: Duration) -> usize {
        self.running.close();
        let ended = tokio::time::timeout(within, self.running.wait()).await;
        let left = if ended.is_ok() { 0 } else { self.running.len() };
        if left > 0 {
            self.pending.cut_off();
            // A call that waits for something else than its device ends with its caller's connection.
            let _ended = tokio::time::timeout(CUT_OFF_TIME, self.running.wait()).await;
        }
        left
    }

    /// Takes no more replies, and waits until those that came are written; at most `within`. To be called once no transport
    /// hears any more: what one took is with nobody else.
    pub async fn finish(&self, within: Duration) {
        self.raw.finish(within).await;
        self.posts.finish(within).await;
        self.late.finish(within).await;
    }

    /// The slots are lost: ends the calls that wait, since nobody hears what answers them. To be called after
    /// [`Slots::let_go_of_all`], from which on none is taken.
    pub fn lease_lost(&self) {
        self.pending.lease_lost();
    }

    /// How many calls are under way.
    pub fn running(&self) -> usize {
        self.running.len()
    }

    /// Whether no new calls are taken any more.
    pub(crate) fn is_draining(&self) -> bool {
        self.running.is_closed()
    }

    /// Notes that a call runs, until the token is dropped.
    pub(crate) fn enter(&self) -> Result<TaskTrackerToken, CallError> {
        // The token first: a drain that begins now waits for it.
        let token = self.running.token();
        if self.running.is_closed() { Err(CallError::Draining) } else { Ok(token) }
    }
}
