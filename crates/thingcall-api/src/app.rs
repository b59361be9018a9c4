//! What requests are answered with, shared by all connections.
//!
//! **Invariant:** whoever is judged by its signature is counted, once. What is shared with other instances is watched as
//! long as there is a front.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use enum_map::EnumMap;
use hyper::http::request::Parts;
use prometheus::{IntGauge, Registry};
use thingcall_core::{AccessKey, AuditLog, CallRecords, Keys, OnceTokens, Refusals, Registrar, Tracer};
use thingcall_tsl::Directory;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use crate::auth::Authenticator;
use crate::calls::{Batch, CallDesk, Calls};
use crate::clock::Clock;
use crate::config::Config;
use crate::events::EventDesk;
use crate::fleets::{FleetDesk, Fleets};
use crate::gateway::GatewayError;
use crate::incoming::Incoming;
use crate::metrics::{Metrics, fullness};
use crate::once::Once;
use crate::quota::{Accounts, Each, QuotaLimits, Retuned, SharedAccounts};
use crate::recorded::RecordDesk;
use crate::shared::{SharedMetrics, SharedParts};
use crate::shared_nonces::SharedSet;
use crate::subscribing::{Subscribing, SubscriptionDesk};

/// The front, without its listener.
pub(crate) struct App {
    pub(crate) config: Config,
    pub(crate) desk: CallDesk,
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) subscriptions: Option<SubscriptionDesk>,
    pub(crate) records: RecordDesk,
    pub(crate) fleets: Option<FleetDesk>,
    pub(crate) events: Option<EventDesk>,
    pub(crate) registrar: Option<Arc<dyn Registrar>>,
    pub(crate) once: Option<Arc<Once>>,
    pub(crate) metrics: Metrics,
    pub(crate) audit: Arc<dyn AuditLog>,
    pub(crate) tracer: Option<Arc<dyn Tracer>>,
    /// How many refusals of each key are noted there.
    pub(crate) refusals: Refusals,
    auth: Authenticator,
    _watches: Vec<AbortOnDropHandle<()>>,
}

/// What the front is made of.
pub(crate) struct AppParts {
    pub(crate) calls: Arc<dyn Calls>,
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) subscribing: Option<Subscribing>,
    pub(crate) fleets: Option<Fleets>,
    pub(crate) registrar: Option<Arc<dyn Registrar>>,
    pub(crate) records: Arc<dyn CallRecords>,
    pub(crate) keys: Arc<dyn Keys>,
    pub(crate) tokens: Option<Arc<dyn OnceTokens>>,
    pub(crate) audit: Arc<dyn AuditLog>,
    pub(crate) tracer: Option<Arc<dyn Tracer>>,
    pub(crate) clock: Clock,
    pub(crate) shared: SharedParts,
}

impl App {
    pub(crate) fn new(config: Config, parts: AppParts, registry: &Registry) -> Result<Self, prometheus::Error> {
        let tracer = parts.tracer.clone();
        let AppParts {
            calls,
            directory,
            subscribing,
            registrar,
            records,
            fleets,
            keys,
            tokens,
            audit,
            clock,
            shared,
            ..
        } = parts;
        let once = tokens.map(|tokens| Once::new(tokens, registry)).transpose()?.map(Arc::new);
        let records = RecordDesk { records, directory: directory.clone() };
        let events = subscribing.as_ref().map(|keeps| EventDesk::new(keeps, keys.clone(), &config, registry));
        let events = events.transpose()?;
        let fleets = fleets.map(|fleets| FleetDesk::new(fleets, directory.clone()));
        let subscriptions = subscribing.map(|keeps| SubscriptionDesk::new(keeps, directory.clone()));
        let shared_metrics = SharedMetrics::register(registry)?;
        let timings = (config.clock_skew, shared.ask_timeout);
        let set = shared.nonces.map(|nonces| Arc::new(SharedSet::new(nonces, timings, &shared_metrics)));
        let mut watches: Vec<_> = set.iter().map(|set| watched(set.clone().watch(clock.clone()))).collect();
        let auth = Authenticator::new(keys, &config, clock, set);

        let nonces = auth.fullest();
        let about = ("key_nonces", "Nonces remembered of the access key that has most");
        fullness::register(registry, about, config.nonces_max.get(), move || fullest(&nonces))?;
        let accounts = Accounts::new();
        let all = shared.quota.map(|quota| {
            let instances = shared.instances.unwrap_or_else(|| Arc::new(|| NonZeroU32::MIN));
            let max = NonZeroU32::new(config.calls_per_second_max).unwrap_or(NonZeroU32::MIN);
            let (reach, counted) = ((instances, shared.ask_timeout), accounts.clone());
            let all = SharedAccounts::new(max, quota, reach, counted, &shared_metrics);
            watches.push(watched(all.clone().settle()));
            all
        });
        let quotas = Arc::new(quotas(&config, accounts, all, registry)?);
        let desk = CallDesk::new(calls, quotas, config.result);
        let metrics = Metrics::register(registry)?;
        let front = Self {
            desk,
            directory,
            subscriptions,
            records,
            fleets,
            events,
            registrar,
            once,
            auth,
            metrics,
            audit,
            tracer,
            refusals: Refusals::default(),
            config,
            _watches: watches,
        };
        Ok(front)
    }

    /// Waits until what is signed now can be told from what was sent to any instance before; at most so long.
    pub(crate) async fn begun(&self, within: Duration) {
        self.auth.begun(within).await;
    }

    /// The key that signed this request.
    pub(crate) async fn admit(&self, incoming: &Incoming<'_>) -> Result<Arc<AccessKey>, GatewayError> {
        let mut admitted = incoming.params.check().and_then(|()| self.auth.admit(incoming));
        if let (Ok(request), Some(set)) = (&admitted, self.auth.shared())
            && let Err(why) = request.confirm(set).await
        {
            admitted = Err(why);
        }
        admitted
            .map(|request| request.key)
            .inspect(|_| self.metrics.admitted())
            .inspect_err(|why| self.metrics.refused(why))
    }

    /// Refuses a request whose head alone says already that it will be.
    pub(crate) fn foresee(&self, head: &Parts) -> Result<(), GatewayError> {
        let incoming = Incoming::read(Instant::now(), head, &[]);
        self.auth.foresee(&incoming).inspect_err(|why| self.metrics.refused(why))
    }
}

/// What calls are taken from, and actions for many devices, these at each instance by itself.
fn quotas(
    config: &Config,
    accounts: Accounts,
    shared: Option<Arc<SharedAccounts>>,
    registry: &Registry,
) -> Result<QuotaLimits, prometheus::Error> {
    let counted: EnumMap<Batch, Accounts> = EnumMap::from_fn(|_| Accounts::new());
    let batches = EnumMap::from_fn(|batch: Batch| {
        let each = match batch {
            Batch::Service => Each::ThingsService,
            Batch::Properties => Each::DevicesProperty,
            Batch::Broadcast => Each::Broadcast,
            Batch::BroadcastToAll => Each::BroadcastToAll,
        };
        Retuned::new(batch.max(config), each, counted[batch].clone(), None)
    });
    let (broadcasts_limit, to_all_limit) = show_broadcasts(config, &counted, registry)?;
    let counted = [Batch::Service, Batch::Properties].map(|batch| counted[batch].clone());
    let busiest = move || counted.iter().map(Accounts::calls_per_second).fold(0.0, f64::max);
    let about = (
        "account_batch_calls_per_second",
        "Actions for many devices a second, of the account and the action that had most, since they were last asked for",
    );
    let batches_limit = fullness::register(registry, about, config.batch_calls_per_second_max as usize, busiest)?;
    let (busiest, limit) = (accounts.clone(), config.calls_per_second_max as usize);
    let about =
        ("account_calls_per_second", "Calls a second of the account that made most, since they were last asked for");
    let calls_limit = fullness::register(registry, about, limit, move || busiest.calls_per_second())?;
    let calls = Retuned::new(config.calls_per_second_max, Each::Call, accounts, shared);
    Ok(QuotaLimits { calls, batches, calls_limit, batches_limit, broadcasts_limit, to_all_limit })
}

/// Shows how much of their limits broadcasts use.
fn show_broadcasts(
    config: &Config,
    accounts: &EnumMap<Batch, Accounts>,
    registry: &Registry,
) -> Result<(IntGauge, IntGauge), prometheus::Error> {
    let about = (
        "account_broadcasts_per_second",
        "PubBroadcast with a topic a second, of the account that had most, since they were last asked for",
    );
    let (counted, max) = (accounts[Batch::Broadcast].clone(), config.broadcasts_per_second_max as usize);
    let of_topics = fullness::register(registry, about, max, move || counted.calls_per_second())?;
    let about = (
        "account_broadcasts_to_all_per_minute",
        "PubBroadcast to all devices of a product a minute, of the account that had most, since they were last asked for",
    );
    let (counted, max) = (accounts[Batch::BroadcastToAll].clone(), config.broadcasts_to_all_per_minute_max as usize);
    let to_all = fullness::register(registry, about, max, move || counted.calls_per_second() * 60.0)?;
    Ok((of_topics, to_all))
}

fn watched(task: impl Future<Output = ()> + Send + 'static) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(task))
}

/// How many the key has that has most.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn fullest(read: &impl Fn() -> usize) -> f64 {
    read() as f64
}
