//! What requests are answered with, shared by all connections.
//!
//! **Invariant:** whoever is judged by its signature is counted, once. What is shared with other instances is watched as
//! long as there is a front.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use enum_map::EnumMap;
use hyper::http::request::Parts;
use prometheus::Registry;
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
use crate::quota::{Accounts, Each, Quota, SharedAccounts};
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

        let accounts = Accounts::new();
        show(&config, &auth, &accounts, registry)?;
        let quota = match (NonZeroU32::new(config.calls_per_second_max), shared.quota) {
            (None, _) => Quota::None,
            (Some(max), None) => Quota::own(max, Each::Call, accounts),
            (Some(max), Some(quota)) => {
                let instances = shared.instances.unwrap_or_else(|| Arc::new(|| NonZeroU32::MIN));
                let all = SharedAccounts::new(max, quota, (instances, shared.ask_timeout), accounts, &shared_metrics);
                watches.push(watched(all.clone().settle()));
                Quota::Shared(all)
            }
        };
        let batches = batch_quotas(&config, registry)?;
        let desk = CallDesk::new(calls, quota, batches, config.result);
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

/// What actions for many devices are taken from, each instance by itself.
fn batch_quotas(config: &Config, registry: &Registry) -> Result<EnumMap<Batch, Quota>, prometheus::Error> {
    let accounts: EnumMap<Batch, Accounts> = EnumMap::from_fn(|_| Accounts::new());
    let quotas = EnumMap::from_fn(|batch: Batch| {
        let (max, each) = match batch {
            Batch::Service => (config.batch_calls_per_second_max, Each::ThingsService),
            Batch::Properties => (config.batch_calls_per_second_max, Each::DevicesProperty),
            Batch::Broadcast => (config.broadcasts_per_second_max, Each::Broadcast),
            Batch::BroadcastToAll => (config.broadcasts_to_all_per_minute_max, Each::BroadcastToAll),
        };
        let own = |max| Quota::own(max, each, accounts[batch].clone());
        NonZeroU32::new(max).map_or(Quota::None, own)
    });
    show_broadcasts(config, &accounts, registry)?;
    let Some(max) = NonZeroU32::new(config.batch_calls_per_second_max) else { return Ok(quotas) };
    let counted = [Batch::Service, Batch::Properties].map(|batch| accounts[batch].clone());
    let busiest = move || counted.iter().map(Accounts::calls_per_second).fold(0.0, f64::max);
    let about = (
        "account_batch_calls_per_second",
        "Actions for many devices a second, of the account and the action that had most, since they were last asked for",
    );
    fullness::register(registry, about, max.get() as usize, busiest)?;
    Ok(quotas)
}

/// Shows how much of their limits broadcasts use.
fn show_broadcasts(
    config: &Config,
    accounts: &EnumMap<Batch, Accounts>,
    registry: &Registry,
) -> Result<(), prometheus::Error> {
    if config.broadcasts_per_second_max > 0 {
        let about = (
            "account_broadcasts_per_second",
            "PubBroadcast with a topic a second, of the account that had most, since they were last asked for",
        );
        let counted = accounts[Batch::Broadcast].clone();
        let max = config.broadcasts_per_second_max as usize;
        fullness::register(registry, about, max, move || counted.calls_per_second())?;
    }
    if config.broadcasts_to_all_per_minute_max > 0 {
        let about = (
            "account_broadcasts_to_all_per_minute",
            "PubBroadcast to all devices of a product a minute, of the account that had most, since they were last asked for",
        );
        let counted = accounts[Batch::BroadcastToAll].clone();
        let max = config.broadcasts_to_all_per_minute_max as usize;
        fullness::register(registry, about, max, move || counted.calls_per_second() * 60.0)?;
    }
    Ok(())
}

fn watched(task: impl Future<Output = ()> + Send + 'static) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(task))
}

/// Shows how much of its limits is used up.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn show(
    config: &Config,
    auth: &Authenticator,
    accounts: &Accounts,
    registry: &Registry,
) -> Result<(), prometheus::Error> {
    let fullest = auth.fullest();
    let about = ("key_nonces", "Nonces remembered of the access key that has most");
    fullness::register(registry, about, config.nonces_max.get(), move || fullest() as f64)?;
    if config.calls_per_second_max == 0 {
        return Ok(());
    }
    let (accounts, limit) = (accounts.clone(), config.calls_per_second_max as usize);
    let about =
        ("account_calls_per_second", "Calls a second of the account that made most, since they were last asked for");
    fullness::register(registry, about, limit, move || accounts.calls_per_second())
}
