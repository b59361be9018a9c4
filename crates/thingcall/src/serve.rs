//! `thingcall serve`: starts the server, says where it listens, and ends it in order.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context;
use prometheus::Registry;
use thingcall_core::{AccessKey, Section};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

use crate::addresses::Addresses;
use crate::config::{Config, Flag, Found, Reading, Shutdown};
use crate::exit::WrongUse;
use crate::notify::Notifier;
use crate::preflight::{Asks, preflight};
use crate::reconfigure::Origin;
use crate::server::Server;
use crate::tool::Place;
use crate::{files, logs, output, own_tls};

/// How often it is looked whether a certificate ends soon.
const FILES_EVERY: Duration = Duration::from_secs(60 * 60);

/// What a server listens on.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  thingcall serve\n  thingcall serve --config /etc/thingcall.toml\n  \
    THINGCALL__API__LISTEN=0.0.0.0:8080 thingcall serve --data /var/lib/thingcall\n\nPrints one line `ready api=... \
    mqtt=... metrics=... console=... gate=... amqp10=... stomp=...` when all listeners answer, of those that are configured, and every plugin is created \
    or refused; until then /healthz answers, and /readyz says which is still being created. SIGTERM and Ctrl-C let \
    waiting calls finish; a second one does not. SIGHUP has it read its configuration anew, as `thingcall reload` does. Every key: deploy/thingcall.example.toml.")]
pub(crate) struct Args {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    listening: Listening,
    /// Load plugins also if their file ended the server three times in a row while it was loaded
    #[arg(long)]
    force: bool,
    /// Its configuration, read once: a pipe has nothing more the second time.
    #[arg(skip)]
    reading: OnceLock<Box<Reading>>,
}

impl Args {
    /// How many threads the server is to run on, if nothing is wrong with its configuration: what is, is said when it starts.
    pub(crate) fn worker_threads(&self) -> Option<NonZeroUsize> {
        let reading = self.reading.get_or_init(|| Box::new(self.place.read(self.listening.flags())));
        reading.config.as_ref().filter(|_| reading.problems.0.is_empty())?.runtime.worker_threads
    }
}

/// Where a server listens, as flags say it.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(crate) struct Listening {
    /// Where the API listens [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    api: Option<SocketAddr>,
    /// Where devices connect to the embedded broker [default: 127.0.0.1:1883]
    #[arg(long, value_name = "ADDR")]
    mqtt: Option<SocketAddr>,
    /// Where /metrics, /healthz and /readyz are [default: 127.0.0.1:9464]
    #[arg(long, value_name = "ADDR")]
    metrics: Option<SocketAddr>,
    /// Where people look at pages [default: 127.0.0.1:8090]
    #[arg(long, value_name = "ADDR")]
    console: Option<SocketAddr>,
}

impl Listening {
    /// The keys that these flags stand for.
    pub(crate) fn flags(self) -> Vec<Flag> {
        let flags = [
            ("--api", "api.listen", self.api),
            ("--mqtt", "broker.listen", self.mqtt),
            ("--metrics", "metrics.listen", self.metrics),
            ("--console", "console.listen", self.console),
        ];
        let flag = |(name, key, address): (_, _, Option<SocketAddr>)| {
            address.map(|address| Flag { name, key, value: address.to_string() })
        };
        flags.into_iter().filter_map(flag).collect()
    }
}

/// Runs `thingcall serve` until a signal ends it. `strangers` are variables that look like ours.
pub(crate) async fn run(mut args: Args, strangers: &[Found]) -> anyhow::Result<ExitCode> {
    let flags = args.listening.flags();
    let mut reading = args.reading.take().map_or_else(|| args.place.read(flags.clone()), |reading| *reading);
    let wrong = !reading.is_unread_alone();
    let warnings = std::mem::take(&mut reading.warnings);
    let (mut config, listeners, doubts) = match Box::pin(preflight(reading, Asks::Server)).await.ready() {
        Ok(ready) => ready,
        // Not what may be otherwise at the next attempt.
        Err(refused) if wrong => return Err(WrongUse(refused.to_string()).into()),
        Err(refused) => return Err(refused.into()),
    };
    config.loader.force = args.force;
    let metering = Registry::new();
    logs::start(&config.log, &metering)?;
    for doubt in &doubts.0 {
        warn!("{doubt}");
    }
    for warning in warnings.0.iter().chain(strangers) {
        warn!("{warning}");
    }
    let certificates = AbortOnDropHandle::new(tokio::spawn(watch_files(config.clone())));
    let mut signals = Signals::new()?;
    let Shutdown { ready_pause, drain } = config.shutdown;
    // Each listener has a limit of its own; the system's, for all together, is often lower than their sum.
    files::share(&mut config, thingcall_listen::raise_open_files());

    // Taken before the start: sent meanwhile, it would end the program.
    let hangup = signal(SignalKind::hangup()).context("cannot take signals")?;
    let server = Box::pin(Server::begin(config, listeners, &metering)).await?;
    server.reloads.read_sections_in(args.place.config.clone());
    let notifier = Arc::<Notifier>::default();
    server.reconfiguring.read_in(Origin { place: args.place, flags, notifier: notifier.clone() });
    // Until the program ends.
    let telling = server.tell(&notifier);
    let reloading = tokio::spawn(server.reconfiguring.clone().at_each(hangup));
    if let Some(key) = &server.first_key {
        show(key);
    }

    let (was_ready, name) = tokio::select! {
        () = server.settled() => {
            output::line(ready(&server.addresses));
            notifier.ready();
            (true, signals.next().await)
        }
        name = signals.next() => (false, name),
    };
    // A person at a terminal has no load balancer that must see it first, and one that never saw it ready sends no calls.
    let ready_pause = if was_ready && name != "SIGINT" { ready_pause } else { Duration::ZERO };
    info!(signal = name, ready_pause = %humantime::format_duration(ready_pause), drain = %humantime::format_duration(drain), "stopping; a second signal stops at once");
    notifier.stopping();
    reloading.abort();
    drop(certificates);
    tokio::select! {
        stopped = server.stop(ready_pause, drain) => {
            drop(telling);
            Ok(stopped.exit(Ok(())))
        }
        _ = signals.next() => {
            // Waiting calls are given up as asked; what is written down is durable at any moment.
            output::note("stopped at once");
            thingcall_loader::exit_at_once(1)
        }
    }
}

/// Tells of certificates that come to their end while the server runs, for as long as it is polled.
async fn watch_files(config: Config) {
    let config = Arc::new(config);
    let mut told = None;
    loop {
        let this = config.clone();
        let doubts = move || {
            let of = |(name, section): (String, &dyn Section)| {
                section.doubts_of_files().into_iter().map(move |doubt| doubt.within(&name)).collect::<Vec<_>>()
            };
            this.sections().into_iter().flat_map(of).chain(own_tls::doubts(&this)).collect::<Vec<_>>()
        };
        let Ok(doubts) = tokio::task::spawn_blocking(doubts).await else { return };
        // Those of the start are told.
        let before = told.replace(doubts.clone()).unwrap_or_else(|| doubts.clone());
        for doubt in doubts.iter().filter(|doubt| !before.contains(doubt)) {
            warn!("{doubt}");
        }
        sleep(FILES_EVERY).await;
    }
}

/// The one line others wait for.
pub(crate) fn ready(addresses: &Addresses) -> String {
    let all = addresses.named().into_iter().map(|(name, address)| format!(" {name}={address}"));
    format!("ready{}", all.collect::<String>())
}

/// Shows the first key, once, on standard output alone: whoever reads it can call, and logs are read by many.
fn show(AccessKey { id, secret, .. }: &AccessKey) {
    let secret = secret.expose();
    match output::try_line(format_args!("AccessKeyId      {id}\nAccessKeySecret  {secret}")) {
        Ok(()) => output::note("The first access key is shown on standard output, this once. More: thingcall key add"),
        Err(error) => warn!(%error, id, "the first access key could not be shown; `thingcall key add` makes another"),
    }
}

/// The signals that end the program.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// From now on these signals do not end the program by themselves.
    ///
    /// # Errors
    /// If the system refuses.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let of = |kind| signal(kind).context("cannot take signals");
        Ok(Self { interrupt: of(SignalKind::interrupt())?, terminate: of(SignalKind::terminate())? })
    }

    /// The name of the next one.
    pub(crate) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}
