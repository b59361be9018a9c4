//! The wiring: every part, in the order in which one needs the other; and the way back.
//!
//! **Invariant:** when [`Server::start`] returns, every listener answers. [`Server::stop`] takes no new calls first,
//! gives those that wait their answer, and only then takes away what they need.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use prometheus::Registry as Metering;
use thingcall_broker::Broker;
use thingcall_consumers::Endpoint;
use thingcall_core::{AccessKey, UnixMillis};
use thingcall_engine::Engine;
use thingcall_listen::{NotEnded, Serving};
use thingcall_loader::Plugins;
use thingcall_store::{Before, Dismissed, Store};
use thingcall_subscription::words::PlatformWords;
use thingcall_traces::Tracing;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::task::AbortOnDropHandle;
use tracing::{debug, info, warn};

use crate::addresses::{Addresses, Leaving};
use crate::brokers::{self, Brokers};
use crate::config::Config;
use crate::console;
use crate::consumers;
use crate::fleets::FleetCalling;
use crate::front;
use crate::instance::{self, Membership};
use crate::notify::Notifier;
use crate::observe::Observed;
use crate::operator;
use crate::output;
use crate::own_tls::Certificates;
use crate::path;
use crate::preflight::Listeners;
use crate::readiness::Readiness;
use crate::reconfigure::Reconfiguring;
use crate::registrar::Registrations;
use crate::reloads::Reloads;
use crate::ways::Ways;

/// What is left of a stop for connections to close, after the calls have had their time.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long consumers may take to read why their connections end; each has 5 s to read it and 2 s to go.
const CONSUMERS_TIMEOUT: Duration = Duration::from_secs(8);
/// How soon a device that could not be looked up is looked up again.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How long plugins may take to let go: their calls have ended by then, and the loader gives `destroy` 5 s.
const PLUGINS_TIMEOUT: Duration = Duration::from_secs(7);

/// How long a stop waits for spans to be sent.
const TRACES_TIMEOUT: Duration = Duration::from_secs(2);

/// A running server.
pub(crate) struct Server {
    /// What is registered.
    pub store: Arc<Store>,
    /// The path of calls.
    pub engine: Arc<Engine>,
    /// Where it listens.
    pub addresses: Addresses,
    /// The same, for commands beside it.
    left: Leaving,
    /// The plugins, as operators reload them.
    pub reloads: Arc<Reloads>,
    /// The configuration, as they have it read anew.
    pub reconfiguring: Arc<Reconfiguring>,
    /// The access key made at this start, if there was none.
    pub first_key: Option<AccessKey>,
    plugins: Arc<Plugins>,
    membership: Arc<Membership>,
    brokers: Brokers,
    ways: Ways,
    traces: Tracing,
    endpoint: Option<Endpoint>,
    fleets: FleetCalling,
    observed: Observed,
    front: Serving,
    metrics: Serving,
    console: Option<Serving>,
    kicker: JoinHandle<()>,
    /// Looks at certificates.
    _certificates: Certificates,
    /// Asks ways to devices whether they are open.
    _asking: AbortOnDropHandle<()>,
}

impl Server {
    /// Starts everything on these sockets, and waits for the plugins too.
    ///
    /// # Errors
    /// What could not be started, and what to change.
    pub(crate) async fn start(config: Config, listeners: Listeners, metering: &Metering) -> anyhow::Result<Self> {
        let server = Box::pin(Self::begin(config, listeners, metering)).await?;
        server.settled().await;
        Ok(server)
    }

    /// Starts everything. Plugins may still be created when this returns: calls of theirs fail, and `/readyz` says so.
    ///
    /// # Errors
    /// What could not be started, and what to change.
    pub(crate) async fn begin(config: Config, listeners: Listeners, metering: &Metering) -> anyhow::Result<Self> {
        let readiness = Readiness::new(metering)?;
        let store = Store::open(config.store(), &config.data).await?;
        store.tell_in(Arc::new(PlatformWords));
        let before = store.claim(readiness.conditions()).await?;
        let claimed_at = UnixMillis::now();
        store.show_metrics(metering)?;
        let me = instance::describe(&config, listeners.api.local_addr()?, listeners.metrics.local_addr()?);
        store.records_as(&me.name);
        let membership = Membership::begin(me, &config, &store, readiness.conditions(), metering).await?;
        let membership = Arc::new(membership);
        if config.broker.enabled && config.store.url.is_some() {
            // No other instance lives: its broker's devices are gone with it.
            store.nobody_is_online().await;
        }
        let (loader, sections) = (config.loader.clone(), config.plugins.clone());
        let plugins = Plugins::begin(loader, sections, &config.data, readiness.conditions(), metering).await?;
        if before == Before::Another && config.remembers_alone() {
            next_second(claimed_at).await;
        }
        let shared = (store, plugins.clone(), membership.clone());
        match Self::wire(config, listeners, shared, (metering, readiness)).await {
            Ok(server) => Ok(server),
            Err(error) => {
                membership.leave().await;
                if let_go(&plugins).await {
                    return Err(error);
                }
                output::note(format_args!("thingcall: {error:#}"));
                thingcall_loader::exit_at_once(1)
            }
        }
    }

    async fn wire(
        config: Config,
        Listeners { api, metrics, console, gate, embedded, consumers: sockets }: Listeners,
        (store, plugins, membership): (Arc<Store>, Arc<Plugins>, Arc<Membership>),
        (metering, readiness): (&Metering, Readiness),
    ) -> anyhow::Result<Self> {
        let (engine, traces) = path::start(&config, (&store, &plugins), membership.slots(), metering)?;
        let certificates = Certificates::start(&config, metering)?;
        let registrar = Registrations::begin(&store, &config.registration, metering)?;
        let parts = brokers::BrokerNeeds {
            config: &config,
            store: &store,
            engine: &engine,
            registrar: &registrar,
            certificates: &certificates,
            slots: membership.slots(),
            metering,
            readiness: &readiness,
        };
        let brokers = Brokers::start(&parts, gate, embedded)?;
        let endpoint = consumers::start(&config, &store, &readiness, sockets, metering)?;
        let ways = Ways::start(&config, &brokers, &store, traces.tracer(), metering).await?;
        let needs = (endpoint.as_ref(), registrar, &*membership);
        let front = front::begun(&config, (&store, &engine), needs, (&readiness, traces.tracer()), metering).await?;
        let observed = observe(readiness.clone(), (&engine, &store, &plugins, &membership), metering)?;
        let reloads = Reloads::new(plugins.clone(), metering)?;
        let addresses = reached(&config, &brokers, endpoint.as_ref(), (&api, &metrics, console.as_ref()))?;
        // Last of all: a key that is made before something fails would never be shown.
        let first_key = store.first_key(config.first_key.wanted()).await?;
        membership.serve(&engine, &store, &plugins).await?;
        let reconfiguring = Reconfiguring::new(&config, &reloads, front.quotas(), &store);
        let around = ((&engine, &store), (&membership, &plugins));
        let operator = operator::all(&config, &reconfiguring, around, (&observed, metering))?;
        let asks = console::asks(
            (&config, &membership, &addresses),
            (&front, &reconfiguring),
            &operator,
            (&observed, &store, &engine),
        );
        let console = console::serve(&config, (console, certificates.of("console")), asks, metering)?;
        let fleets = FleetCalling::start(&engine, &store);
        readiness.serves();
        Ok(Self {
            _asking: AbortOnDropHandle::new(tokio::spawn(readiness.follow())),
            kicker: tokio::spawn(kick(store.clone(), brokers.embedded())),
            front: front.serve_tls(api, certificates.of("api")),
            metrics: observed.serve(metrics, (&config.metrics, certificates.of("operator")), operator),
            console,
            store,
            engine,
            left: Leaving::start(&config.data, &addresses),
            addresses,
            reloads,
            reconfiguring,
            first_key: first_key.filter(|_| !config.first_key.is_given()),
            plugins,
            membership,
            brokers,
            ways,
            traces,
            endpoint,
            fleets,
            observed,
            _certificates: certificates,
        })
    }

    /// Tells the service manager how it is, and that it lives, for as long as what is returned is kept.
    pub(crate) fn tell(&self, notifier: &Arc<Notifier>) -> AbortOnDropHandle<()> {
        let (readiness, engine) = (self.observed.readiness().clone(), self.engine.clone());
        AbortOnDropHandle::new(tokio::spawn(notifier.clone().follow(readiness, engine)))
    }

    /// Waits until every plugin that was there at the start is loaded or refused.
    pub(crate) async fn settled(&self) {
        self.plugins.settled().await;
    }

    /// Says that it ends and takes calls for `ready_pause` more; then takes none, lets those that wait have their answer
    /// for at most `within`, and closes everything.
    pub(crate) async fn stop(self, ready_pause: Duration, within: Duration) -> Stopped {
        self.observed.drain();
        self.membership.drain();
        sleep(ready_pause).await;
        self.front.drain();
        drop(self.console);
        self.fleets.stop(within).await;
        let left = self.engine.end_calls(within).await;
        if left > 0 {
            warn!(calls = left, "calls had no answer in time; they were ended");
        }
        match self.front.stop(CLOSE_TIMEOUT).await {
            Ok(()) => {}
            Err(NotEnded::Failed(error)) => warn!(%error, "the front failed"),
            Err(NotEnded::Cut(_)) => warn!("callers kept their connections open; they were closed"),
        }
        self.kicker.abort();
        if let Some(endpoint) = self.endpoint {
            endpoint.stop(CONSUMERS_TIMEOUT).await;
        }
        self.ways.stop().await;
        self.brokers.stop(CLOSE_TIMEOUT).await;
        // Nothing comes any more; what came is written, and what waits at a broker is heard by whoever has the slot next.
        self.engine.finish(CLOSE_TIMEOUT).await;
        let destroyed = let_go(&self.plugins).await;
        self.traces.stop(TRACES_TIMEOUT).await;
        // What is written of this instance's calls is in the store before others may have its slots.
        self.store.flush().await;
        self.membership.leave().await;
        // Before the store, whose lock keeps the next server away.
        drop(self.left);
        self.store.close().await;
        drop(self.metrics);
        info!("stopped");
        if destroyed { Stopped::Wholly } else { Stopped::PluginsRun }
    }
}

/// Waits until this second is over. Requests tell their time in whole seconds, and the server before this one, whose nonces
/// are gone, may have taken some in it.
async fn next_second(UnixMillis(now): UnixMillis) {
    let left = u64::try_from(MILLIS - now.rem_euclid(MILLIS)).unwrap_or(0);
    sleep(Duration::from_millis(left)).await;
}

/// Of a second.
const MILLIS: i64 = 1000;

/// What a stop left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Stopped {
    /// Nothing.
    Wholly,
    /// Threads of a plugin whose `destroy` did not return. The program must end by [`Stopped::exit`].
    PluginsRun,
}

impl Stopped {
    /// The end of the program: its exit status, 0 or 1.
    ///
    /// Where threads of a plugin still run, it ends here: an orderly end would run the destructors of libraries beside
    /// them.
    pub(crate) fn exit(self, success: Result<(), ()>) -> ExitCode {
        match self {
            Self::Wholly if success.is_ok() => ExitCode::SUCCESS,
            Self::Wholly => ExitCode::FAILURE,
            Self::PluginsRun => thingcall_loader::exit_at_once(i32::from(success.is_err())),
        }
    }
}

/// Takes the plugins away; `false` if threads of one still run.
async fn let_go(plugins: &Plugins) -> bool {
    let destroyed = timeout(PLUGINS_TIMEOUT, plugins.shutdown()).await.unwrap_or(false);
    if !destroyed {
        warn!("a plugin did not let go; the program ends beside its threads");
    }
    destroyed
}

/// Where it listens: the API, and what operators ask.
fn reached(
    config: &Config,
    brokers: &Brokers,
    endpoint: Option<&Endpoint>,
    (api, metrics, console): (&TcpListener, &TcpListener, Option<&TcpListener>),
) -> std::io::Result<Addresses> {
    Ok(Addresses {
        api: api.local_addr()?,
        mqtt: brokers.mqtt_address(),
        gate: brokers.gate_address(),
        metrics: metrics.local_addr()?,
        console: console.map(TcpListener::local_addr).transpose()?,
        ..consumers::with(Addresses::configured(config), endpoint)
    })
}

fn observe(
    readiness: Readiness,
    (engine, store, plugins, membership): (&Arc<Engine>, &Arc<Store>, &Arc<Plugins>, &Arc<Membership>),
    metering: &Metering,
) -> Result<Observed, prometheus::Error> {
    let (engine, store, plugins, membership) = (engine.clone(), store.clone(), plugins.clone(), membership.clone());
    let exemplars = engine.exemplars();
    let refresh = move || {
        engine.refresh_metrics();
        store.refresh_metrics();
        plugins.refresh_metrics();
        membership.refresh_metrics();
    };
    Observed::new((metering.clone(), exemplars), readiness, Box::new(refresh))
}

/// Closes the connections of devices that may not be connected any more, whoever changed that.
async fn kick(store: Arc<Store>, broker: Option<Arc<Broker>>) {
    loop {
        let dismissed = store.dismissed().await;
        let Some(broker) = &broker else { continue };
        match dismissed {
            Dismissed::These(devices) => {
                for device in &devices {
                    broker.kick(device).await;
                    debug!(%device, "may not be connected any more");
                }
                let devices = devices.len();
                info!(devices, "connections closed, where there were any: devices were disabled or removed");
            }
            Dismissed::PerhapsAny => {
                let devices = kick_unwelcome(broker).await;
                info!(devices, "connections closed: more was changed than is known, so each was looked at");
            }
        }
    }
}

/// Looks at all connections, and again at those that cannot be decided now.
async fn kick_unwelcome(broker: &Broker) -> usize {
    let mut kicked = 0;
    loop {
        let looked = broker.kick_unwelcome().await;
        kicked += looked.kicked;
        if looked.undecided == 0 {
            return kicked;
        }
        sleep(LOOK_AGAIN_AFTER).await;
    }
}
