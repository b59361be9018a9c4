//! `thingcall bench`: how many calls a second, and how long each takes.
//!
//! Closed loop (`--in-flight`) finds the throughput; open loop (`--rate`) finds the latency, since calls then come
//! whether earlier ones are answered or not. Server, devices and load share this machine: compare only figures of one
//! run, and the server's with the reference's.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;

use crate::exit::WrongUse;
use crate::output::Output;
use crate::serve::Signals;
use crate::tool::Place;

mod broker;
mod pace;
mod turns;

mod load;
mod report;
mod wire;

mod child;
mod cpu;
mod target;
mod through;

mod amqp;
mod bare;

mod device;
mod devices;
mod echo;
mod peer;

mod handlers;

use broker::Broker;
use load::Signature;
use pace::Plan;
use peer::Peer;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum What {
    /// Signed HTTP calls through a server
    Calls,
    /// The bare way to the devices, without HTTP, signature and checks
    Reference,
    /// The same as `calls reference`
    Both,
    /// The same HTTP requests to a server that answers at once, as many bytes: what HTTP alone costs
    Echo,
    /// The programs of --peer
    Peers,
    /// The engine alone with a device that answers at once: the built-in handler, one in the server, and `--plugin`
    Handlers,
    /// Nothing: the devices alone, for a program that is measured with --peer, until Ctrl-C
    Devices,
    /// The server behind `echo`
    #[value(hide = true)]
    EchoServer,
}

/// The quality of service of calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum Qos {
    /// At most once
    #[default]
    #[value(name = "0")]
    Zero,
    /// At least once
    #[value(name = "1")]
    One,
}

impl Qos {
    const fn digit(self) -> &'static str {
        match self {
            Self::Zero => "0",
            Self::One => "1",
        }
    }

    const fn delivery(self) -> thingcall_core::Qos {
        match self {
            Self::Zero => thingcall_core::Qos::AtMostOnce,
            Self::One => thingcall_core::Qos::AtLeastOnce,
        }
    }
}

/// What to measure, where and how.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  thingcall bench                                   throughput through the embedded \
    broker\n  thingcall bench --rate 500                        latency at 500 calls a second\n  thingcall bench both \
    --broker mqtt://127.0.0.1:1883 --rounds 5\n  thingcall bench --data thingcall-data              the server that runs there\n  \
    thingcall bench --plugin libecho.so --inline --rounds 41 --seconds 1\n  thingcall bench both --broker \
    amqp://guest:guest@127.0.0.1:5672\n  thingcall bench calls peers --broker mqtt://127.0.0.1:1883 --peer \
    mine=http://127.0.0.1:3000,PID\n\nSeveral are measured in turns, each of them started for its turn and ended after \
    it. The processor time is\nthat of the server's own process, and of a peer's where its PID is given."
)]
pub(crate) struct Args {
    /// What is measured
    #[arg(value_enum, default_value = "calls")]
    what: Vec<What>,
    /// Measure the server of this data folder, in whose store the devices are registered [default: a server of its own]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Measure the server of this configuration's data folder
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Measure the server at this URL; its store is the one in --data [default: thingcall-data]
    #[arg(long)]
    url: Option<String>,
    /// Its process, whose processor time is told
    #[arg(long, value_name = "PID", requires = "url")]
    server_pid: Option<u32>,
    /// Measure a server of its own, in a process of its own, which is the default
    #[arg(long = "self", conflicts_with_all = ["url", "data", "config"])]
    own: bool,
    /// Another program that does the same work: it takes POST / with {"device":"sim-0001","param1":1}
    #[arg(long = "peer", value_name = "NAME=URL[,PID...]")]
    peers: Vec<Peer>,
    /// Where the devices are: embedded (or that of the server in --data), mqtt://HOST:PORT, or amqp://USER:PASSWORD@HOST:PORT for devices that speak AMQP
    #[arg(long, default_value = "embedded")]
    broker: Broker,
    /// Where those of the reference are [default: as --broker]
    #[arg(long, value_name = "BROKER")]
    reference_broker: Option<Broker>,
    /// How many calls wait for their answer at once
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    in_flight: u32,
    /// Calls a second, whether earlier ones are answered or not [default: as many as go]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: Option<u32>,
    /// How long, after a warm-up of a fifth of it
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// How many devices
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    devices: u32,
    /// The quality of service that calls ask for, and the reference publishes with
    #[arg(long, value_enum, default_value = "0")]
    qos: Qos,
    /// Devices write each packet by itself and leave Nagle's algorithm on, as device SDKs do
    #[arg(long)]
    like_sdk: bool,
    /// Call an asynchronous service: its answer is a MessageId, and the call is durable by then
    #[arg(long = "async")]
    asynchronous: bool,
    /// How calls are signed
    #[arg(long, value_enum, default_value = "acs3")]
    signature: Signature,
    /// Measure with this plugin for the service too, on a second server of its own, in turns with the first
    #[arg(long, value_name = "FILE", conflicts_with_all = ["url", "data", "config", "asynchronous"])]
    plugin: Option<PathBuf>,
    /// And with the plugin on the server's threads, on a third
    #[arg(long, requires = "plugin")]
    inline: bool,
    /// How often each is measured; with more than one, medians are compared
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    #[command(flatten)]
    output: Output,
}

impl Args {
    fn reference_broker(&self) -> &Broker {
        self.reference_broker.as_ref().unwrap_or(&self.broker)
    }

    /// The server's, from the flags alone: a variable that is set for other commands must not turn a load on a server in
    /// use.
    fn place(&self) -> Place {
        Place { config: self.config.clone(), data: self.data.clone() }
    }

    fn habit(&self) -> device::Habit {
        if self.like_sdk { device::Habit::LikeSdk } else { device::Habit::Quick }
    }

    /// What is to be measured, each once.
    fn contenders(&self) -> anyhow::Result<Vec<What>> {
        let mut all = Vec::new();
        for what in &self.what {
            let both = [What::Calls, What::Reference];
            let named = if *what == What::Both { &both[..] } else { std::slice::from_ref(what) };
            for what in named {
                if !all.contains(what) {
                    all.push(*what);
                }
            }
        }
        if all.contains(&What::Peers) == self.peers.is_empty() {
            bail!(WrongUse("`peers` and --peer NAME=URL go together".to_owned()));
        }
        Ok(all)
    }
}

/// Runs `thingcall bench`.
pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::new()?;
    tokio::select! {
        measured = measure(&args) => measured.map(|()| ExitCode::SUCCESS),
        // Dropped with all it started: processes and scratch folders.
        name = signals.next() => bail!("ended by {name}"),
    }
}

async fn measure(args: &Args) -> anyhow::Result<()> {
    let measured = Duration::from_secs(args.seconds);
    let plan = Plan { in_flight: args.in_flight, rate: args.rate, warm_up: measured / 5, measured };
    match args.what.as_slice() {
        [What::Handlers] => {
            let plugin = args.plugin.as_deref();
            let plugin = plugin.ok_or_else(|| WrongUse("handlers needs --plugin FILE".to_owned()))?;
            handlers::run(plugin, &args.output).await
        }
        [What::Devices] => devices::run(args).await,
        [What::EchoServer] => echo::serve().await,
        what if what.iter().any(|one| matches!(one, What::Handlers | What::Devices | What::EchoServer)) => {
            bail!(WrongUse("handlers and devices go alone".to_owned()))
        }
        _ => turns::run(args, &args.contenders()?, plan).await,
    }
}
