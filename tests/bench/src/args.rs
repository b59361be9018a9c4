//! The command line: what to measure, where and how.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::bail;

use crate::broker::Broker;
use crate::device::Habit;
use crate::pace::Plan;
use crate::peer::Peer;
use crate::requests::{Qos, Signature};
use crate::rest::Taking;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum What {
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
    /// Reports of devices alone, --posts of them a second: where nobody reads them, and where each is written down
    Posts,
    /// Messages that wait are read by --consumers over AMQP 1.0, from thingcall and from --rabbit
    Messages,
    /// What --consumers that are connected and get nothing add to the memory of thingcall and --rabbit
    Idle,
    /// Calls as devices, products and services grow, at --broker, by one connection that answers for all devices
    Growth,
    /// Twice as many calls as go, with a quiet product beside, and what comes after: who is refused, and how fast
    Overload,
    /// The engine alone with a device that answers at once: the built-in handler, one in the server, and `--plugin`
    Handlers,
    /// Nothing: the devices alone, for a program that is measured with --peer, until Ctrl-C
    Devices,
    /// The server behind `echo`
    #[value(hide = true)]
    EchoServer,
}

/// How many calls a second, and how long each takes
///
/// Closed loop (--in-flight) finds the throughput; open loop (--rate) finds the latency, since calls then come whether
/// earlier ones are answered or not.
#[derive(Debug, clap::Parser)]
#[command(
    name = "bench",
    max_term_width = 100,
    after_help = "Examples:\n  bench                                   throughput through the embedded broker\n  \
    bench --rate 500                        latency at 500 calls a second\n  \
    bench both --broker mqtt://127.0.0.1:1883 --rounds 5\n  \
    bench --url http://127.0.0.1:8080 --data thingcall-data     a server that runs already\n  \
    bench --plugin libecho.so --inline --rounds 41 --seconds 1\n  \
    bench both --broker amqp://guest:guest@127.0.0.1:5672\n  \
    bench calls peers --broker mqtt://127.0.0.1:1883 --peer mine=http://127.0.0.1:3000,PID --with mine=PGID\n\n\
    Several are measured in turns. Servers and references are started for their turn and ended after it; what --with names \
    is stopped (SIGSTOP) while others have theirs. The processor time is that of the server's own process, and of a peer's \
    where its PID is given."
)]
pub(crate) struct Args {
    /// What is measured
    #[arg(value_enum, default_value = "calls")]
    pub what: Vec<What>,
    /// The thingcall that is measured [default: the one beside this program]
    #[arg(long, value_name = "FILE")]
    pub program: Option<PathBuf>,
    /// Measure the server that runs at this URL [default: one of its own, in a process of its own]
    #[arg(long, requires = "data")]
    pub url: Option<String>,
    /// The data folder of the server at --url, in whose store the devices are registered
    #[arg(long, value_name = "DIR", requires = "url")]
    pub data: Option<PathBuf>,
    /// Its process, whose processor time is told
    #[arg(long, value_name = "PID", requires = "url")]
    pub server_pid: Option<u32>,
    /// Another program that does the same work: it takes POST / with {"device":"sim-0001","param1":1}
    #[arg(long = "peer", value_name = "NAME=URL[,PID...]")]
    pub peers: Vec<Peer>,
    /// Process groups that take part in NAME's turns alone: in all others they are stopped. NAME is `calls`, `reference`
    /// and so on, a peer's, or a broker as --broker says it without a user
    #[arg(long = "with", value_name = "NAME=PGID[,PGID...]")]
    pub taking: Vec<Taking>,
    /// Where the devices are: embedded, mqtt://HOST:PORT, or amqp://USER:PASSWORD@HOST:PORT for devices that speak AMQP
    #[arg(long, default_value = "embedded")]
    pub broker: Broker,
    /// Where those of the reference are [default: as --broker]
    #[arg(long, value_name = "BROKER")]
    reference_broker: Option<Broker>,
    /// How many calls wait for their answer at once
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    in_flight: u32,
    /// Calls a second, whether earlier ones are answered or not [default: as many as go]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: Option<u32>,
    /// Without --rate: for how many calls a second requests are signed before the clock starts
    #[arg(long, value_name = "N", default_value_t = 40_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    signed_per_second: u32,
    /// How long, after a warm-up of a fifth of it
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// How many devices
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub devices: u32,
    /// The quality of service that calls ask for, and the reference publishes with
    #[arg(long, value_enum, default_value = "0")]
    pub qos: Qos,
    /// Devices write each packet by itself and leave Nagle's algorithm on, as device SDKs do
    #[arg(long)]
    like_sdk: bool,
    /// Call an asynchronous service: its answer is a MessageId, and the call is durable by then
    #[arg(long = "async")]
    pub asynchronous: bool,
    /// How calls are signed
    #[arg(long, value_enum, default_value = "acs3")]
    pub signature: Signature,
    /// Measure with this plugin for the service too, on a second server of its own, in turns with the first
    #[arg(long, value_name = "FILE", conflicts_with_all = ["url", "asynchronous"])]
    pub plugin: Option<PathBuf>,
    /// And with the plugin on the server's threads, on a third
    #[arg(long, requires = "plugin")]
    pub inline: bool,
    /// Measure with a PostgreSQL in place of SQLite too, on servers of their own in turns with the first: with what is shared
    /// in it or in a Redis, and three such instances. Starts Debian's postgresql and redis-server
    #[arg(long, conflicts_with = "url")]
    pub shared: bool,
    /// Measure with no records of calls, and with records of all, on servers of their own in turns with the first
    #[arg(long, conflicts_with = "url")]
    pub records: bool,
    /// Measure on one worker thread, on two and so on, and three instances on a PostgreSQL beside one, in turns with the first
    #[arg(long, conflicts_with = "url")]
    pub scaling: bool,
    /// So many reports of properties a second beside the calls, from further devices, in turns with calls alone: where nobody
    /// reads them, and where each is written to the log
    #[arg(long, value_name = "N", conflicts_with = "url", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub posts: Option<u32>,
    #[command(flatten)]
    pub reading: Flags,
    /// How often each is measured; with more than one, medians are compared
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rounds: u32,
    /// Print JSON, one object a line
    #[arg(long)]
    pub json: bool,
}

impl Args {
    pub(crate) fn reference_broker(&self) -> &Broker {
        self.reference_broker.as_ref().unwrap_or(&self.broker)
    }

    pub(crate) fn habit(&self) -> Habit {
        if self.like_sdk { Habit::LikeSdk } else { Habit::Quick }
    }

    pub(crate) fn plan(&self) -> Plan {
        let measured = Duration::from_secs(self.seconds);
        let (in_flight, rate, signed_per_second) = (self.in_flight, self.rate, self.signed_per_second);
        Plan { in_flight, rate, signed_per_second, warm_up: measured / 5, measured }
    }

    /// What is to be measured in turns, each once.
    ///
    /// # Errors
    /// If flags do not fit each other.
    pub(crate) fn contenders(&self) -> anyhow::Result<Vec<What>> {
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
        let alone =
            [What::Handlers, What::Devices, What::Messages, What::Idle, What::Growth, What::Overload, What::EchoServer];
        if all.iter().any(|one| alone.contains(one)) {
            bail!("handlers, devices, messages, idle, growth and overload go alone");
        }
        if all.contains(&What::Posts) && self.posts.is_none() {
            bail!("`posts` needs --posts: how many a second");
        }
        if (self.shared || self.scaling) && self.broker == Broker::Embedded {
            bail!("--shared and --scaling need --broker: the embedded one is for one instance alone");
        }
        if all.contains(&What::Peers) == self.peers.is_empty() {
            bail!("`peers` and --peer NAME=URL go together");
        }
        Ok(all)
    }
}

/// The flags of `messages` and `idle`.
#[derive(Debug, clap::Args)]
pub(crate) struct Flags {
    /// How many messages wait before `messages` begins
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub messages: u64,
    /// How many read them, or are `idle`
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub consumers: u32,
    /// A certificate for localhost, PEM: measure with TLS too
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Its key
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// A RabbitMQ with its plugin for AMQP 1.0 beside it, where guest may do all
    #[arg(long, value_name = "HOST:PORT", requires = "rabbit_pid")]
    pub rabbit: Option<String>,
    /// The same with TLS, with the certificate of --tls-cert
    #[arg(long, value_name = "HOST:PORT", requires_all = ["tls_cert", "rabbit"])]
    pub rabbit_tls: Option<String>,
    /// Its process
    #[arg(long, value_name = "PID")]
    pub rabbit_pid: Option<u32>,
}
