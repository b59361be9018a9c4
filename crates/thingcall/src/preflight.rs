//! All that can be told before a server does anything: what is wrong with its configuration, and with what it needs around it.
//!
//! **Invariants:** `serve` and `check` come through here, so that `check` fails wherever `serve` would. Nothing is made,
//! written or run; sockets are bound, and let go of unless the server takes them.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use thingcall_broker::Sockets;
use thingcall_consumers::Sockets as ConsumerSockets;
use thingcall_core::Problem;
use tokio::net::{TcpListener, TcpSocket};

use crate::addresses::Addresses;
use crate::config::{Config, Found, Place, Problems, Reading, Sources, in_force, transports_in_words};
use crate::logs;
use crate::own_tls;

/// Connections that wait to be accepted.
const BACKLOG: u32 = 4096;
/// The operator's listener has few places, and who comes waits for all who came before: silent sockets must not be many.
const BACKLOG_OF_OPERATOR: u32 = 32;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asks {
    /// A server that will start: it needs its ports and its data folder for itself.
    Server,
    /// A person: a server may run on this data folder, and has its ports by right.
    Person,
}

/// What was found.
#[derive(Default)]
pub(crate) struct Preflight {
    /// The configuration and its sockets, if nothing stands against a start.
    pub ready: Option<(Config, Listeners)>,
    /// Why a server would not start.
    pub problems: Problems,
    /// It would start, and some calls would fail.
    pub doubts: Problems,
}

/// Sockets that are bound before anything else is done.
pub(crate) struct Listeners {
    pub api: TcpListener,
    pub metrics: TcpListener,
    pub console: Option<TcpListener>,
    pub gate: Option<TcpListener>,
    pub embedded: Option<Sockets>,
    pub consumers: ConsumerSockets,
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub(crate) struct NotReady(Problems);

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server cannot start{}", self.0)
    }
}

impl Preflight {
    /// What a server needs.
    ///
    /// # Errors
    /// Why it cannot start.
    pub(crate) fn ready(self) -> Result<(Config, Listeners, Problems), NotReady> {
        match self.ready {
            Some((config, listeners)) => Ok((config, listeners, self.doubts)),
            None => Err(NotReady(self.problems)),
        }
    }
}

/// Looks at everything.
pub(crate) async fn preflight(reading: Reading, asks: Asks) -> Preflight {
    let Reading { config, mut problems, sources, .. } = reading;
    let Some(mut config) = config else { return Preflight { problems, ..Preflight::default() } };
    config.in_force = in_force(&sources);
    let mut around = Around { config: &config, sources: &sources, asks, problems: Vec::new(), doubts: Vec::new() };
    around.look_at_files().await;
    let listeners = around.bind();
    let Around { problems: found, doubts, .. } = around;
    // Where a value is wrong, its default was looked at.
    let wrong: Vec<_> = problems.0.iter().map(|found| found.problem.key.clone()).collect();
    let of_wrong = |found: &Found| wrong.contains(&found.problem.key);
    problems.0.extend(found.into_iter().filter(|found| !of_wrong(found)));
    problems.sort();
    let mut doubts = Problems(doubts);
    doubts.sort();
    let ready = if problems.0.is_empty() { listeners.map(|listeners| (config, listeners)) } else { None };
    Preflight { ready, problems, doubts }
}

/// Binds what this configuration names.
///
/// # Errors
/// What cannot be bound, by key.
pub(crate) fn bind(config: &Config) -> Result<Listeners, thingcall_core::Problems> {
    let sources = Sources::default();
    let asks = Asks::Server;
    let mut around = Around { config, sources: &sources, asks, problems: Vec::new(), doubts: Vec::new() };
    let listeners = around.bind();
    let problems = || thingcall_core::Problems(around.problems.iter().map(|found| found.problem.clone()).collect());
    listeners.ok_or_else(problems)
}

/// What is around a configuration.
struct Around<'a> {
    config: &'a Config,
    sources: &'a Sources,
    asks: Asks,
    problems: Vec<Found>,
    doubts: Vec<Found>,
}

impl Around<'_> {
    fn problem(&mut self, problem: Problem) {
        self.problems.push(self.sources.find(problem));
    }

    async fn look_at_files(&mut self) {
        let config = self.config;
        let variable = logs::problem_of_environment();
        let found = variable.map(|(name, problem)| Found { place: Place::Variable(name.to_owned()), problem });
        self.problems.extend(found);
        for (name, section) in config.sections() {
            let problems = section.problems_of_files();
            problems.into_iter().for_each(|problem| self.problem(problem.within(&name)));
            let doubts = section.doubts_of_files().into_iter().map(|doubt| self.sources.find(doubt.within(&name)));
            self.doubts.extend(doubts);
        }
        own_tls::problems(config).into_iter().for_each(|problem| self.problem(problem));
        self.doubts.extend(own_tls::doubts(config).into_iter().map(|doubt| self.sources.find(doubt)));
        if config.data.as_os_str().is_empty() {
            self.problem(Problem::new("data", "empty", "a folder's name, such as thingcall-data"));
        }
        let store = thingcall_store::look(&config.store, &config.data).await;
        store.problems.into_iter().for_each(|problem| self.problem(problem));
        if self.asks == Asks::Server && thingcall_store::is_served(&config.store, &config.data) {
            let why = "another thingcall server uses it";
            self.problem(Problem::file("data", &config.data, why, "a data folder of its own, or none that runs there"));
        }
        let transports = config.transports();
        for (name, users) in store.transports.into_iter().filter(|(name, _)| !transports.contains(name)) {
            let key = format!("transport of {}", users.join(", "));
            let right = format!("the name of a transport that is configured: {}", transports_in_words(&transports));
            let place = match &config.store.url {
                None => Place::File(config.data.join(&config.store.file), None),
                Some(url) => self.sources.find(Problem::new("store.url", url, "")).place,
            };
            self.doubts.push(Found { place, problem: Problem::new(key, name, right) });
        }
        let problems = thingcall_loader::problems_of_folders(&config.loader, &config.data);
        problems.into_iter().for_each(|problem| self.problem(problem));
        // A server looks when it loads them, and says the same in its log, in `/readyz` and in metrics.
        if self.asks == Asks::Person {
            let plugins = thingcall_loader::look(&config.loader, &config.plugins, &config.data);
            let refused = plugins.refused.into_iter();
            self.doubts.extend(refused.map(|(file, problem)| Found { place: Place::File(file, None), problem }));
            self.doubts.extend(plugins.absent.into_iter().map(|problem| self.sources.find(problem)));
        }
    }

    fn bind(&mut self) -> Option<Listeners> {
        let config = self.config;
        let api = self.listener("api.listen", "--api ADDR", config.api.listen);
        let metrics = self.listener("metrics.listen", "--metrics ADDR", config.metrics.listen);
        let console = config.console.enabled.then_some(config.console.listen);
        let console = console.map(|listen| self.listener("console.listen", "--console ADDR", listen));
        let gate = config.gate.listen.map(|listen| self.listener("gate.listen", "another", listen));
        let broker = config.broker.enabled.then_some(&config.broker);
        let embedded = broker.map(|broker| {
            let tls = broker.tls.as_ref().map(|tls| self.listener("broker.tls.listen", "another", tls.listen));
            let websocket = broker.websocket.as_ref();
            let websocket = websocket.map(|it| self.listener("broker.websocket.listen", "another", it.listen));
            let tcp = self.listener("broker.listen", "--mqtt ADDR", broker.listen);
            (tcp, tls, websocket)
        });
        let embedded = match embedded {
            None => None,
            Some((tcp, tls, websocket)) => Some(Sockets { tcp: tcp?, tls: all(tls)?, websocket: all(websocket)? }),
        };
        let consumers = self.bind_for_consumers();
        Some(Listeners {
            api: api?,
            metrics: metrics?,
            console: all(console)?,
            gate: all(gate)?,
            embedded,
            consumers: consumers?,
        })
    }

    fn bind_for_consumers(&mut self) -> Option<ConsumerSockets> {
        let subscription = &self.config.subscription;
        let tls = subscription.tls.as_ref();
        let (amqp, stomp) = (tls.and_then(|tls| tls.amqp_listen), tls.and_then(|tls| tls.stomp_listen));
        let mut socket = |key, listen: Option<SocketAddr>| listen.map(|listen| self.listener(key, "another", listen));
        let amqp = socket("subscription.tls.amqp_listen", amqp);
        let stomp = socket("subscription.tls.stomp_listen", stomp);
        let plain_amqp = socket("subscription.plain_amqp_listen", subscription.plain_amqp_listen);
        let plain_stomp = socket("subscription.plain_stomp_listen", subscription.plain_stomp_listen);
        let (amqp, stomp) = (all(amqp)?, all(stomp)?);
        Some(ConsumerSockets { amqp, stomp, plain_amqp: all(plain_amqp)?, plain_stomp: all(plain_stomp)? })
    }

    fn listener(&mut self, key: &'static str, change: &str, address: SocketAddr) -> Option<TcpListener> {
        let backlog = if key == "metrics.listen" { BACKLOG_OF_OPERATOR } else { BACKLOG };
        let error = match listen(address, backlog) {
            Ok(listener) => return Some(listener),
            Err(error) => error,
        };
        let is = |kind| error.kind() == kind;
        if is(ErrorKind::AddrInUse) && self.is_ours(key, address) {
            return None;
        }
        let right = if is(ErrorKind::AddrNotAvailable) {
            "an address of this machine, or 0.0.0.0 for all".to_owned()
        } else if is(ErrorKind::PermissionDenied) {
            "a port that this user may have, such as one above 1023".to_owned()
        } else {
            format!("an address that is free: end what listens there, or choose {change}")
        };
        self.problem(Problem::new(key, format_args!("{address} ({error})"), right));
        None
    }

    /// Whether it is the server of this data folder that listens there.
    fn is_ours(&self, key: &str, address: SocketAddr) -> bool {
        if self.asks == Asks::Server {
            return false;
        }
        let Ok(Some(server)) = Addresses::of_server(&self.config.data) else { return false };
        let consumers = [server.amqp10, server.stomp, server.amqp10_plain, server.stomp_plain];
        let ports = [Some(server.api), Some(server.metrics), server.console, server.mqtt, server.gate]
            .into_iter()
            .chain(consumers);
        let ports = ports.flatten();
        // A server does not leave word of its other two.
        let other = ["broker.tls.listen", "broker.websocket.listen"].contains(&key);
        other || ports.into_iter().any(|own| own.port() == address.port())
    }
}

/// `None` if there should be one and is none.
fn all(listener: Option<Option<TcpListener>>) -> Option<Option<TcpListener>> {
    match listener {
        None => Some(None),
        Some(None) => None,
        Some(Some(listener)) => Some(Some(listener)),
    }
}

fn listen(address: SocketAddr, backlog: u32) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(backlog)
}
