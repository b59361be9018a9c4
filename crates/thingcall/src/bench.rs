//! `thingcall bench`: how many calls a second, and how long each takes.
//!
//! Closed loop (`--in-flight`) finds the throughput; open loop (`--rate`) finds the latency, since calls then come
//! whether earlier ones are answered or not. Server, devices and load share this machine: compare only figures of one
//! run, and the server's with the reference's.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use crate::cli::WrongUse;
use crate::output::{self, Output};
use crate::server::Stopped;
use crate::simulate::Address;
use crate::tool::Place;

mod amqp;
mod bare;
mod handlers;
mod load;
mod report;
mod series;
mod target;
mod wire;

use report::Report;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum What {
    /// Signed HTTP calls through a server
    Calls,
    /// The bare way to the devices, without HTTP, signature and checks
    Reference,
    /// Both, one after the other
    Both,
    /// The engine alone with a device that answers at once: the built-in handler, one in the server, and `--plugin`
    Handlers,
}

/// Which broker the devices are on.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Broker {
    Embedded,
    At(Address),
    Amqp(Rabbit),
}

/// A RabbitMQ, and the user that server, devices and reference are.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rabbit {
    place: String,
    username: String,
    password: String,
}

impl Rabbit {
    /// Without the user.
    fn url(&self) -> String {
        format!("amqp://{}", self.place)
    }

    /// As lapin reads it.
    fn uri(&self) -> String {
        format!("amqp://{}:{}@{}/%2f", self.username, self.password, self.place)
    }

    fn of(rest: &str) -> Self {
        let rest = rest.trim_end_matches('/');
        let (user, place) = rest.rsplit_once('@').unwrap_or(("guest:guest", rest));
        let (username, password) = user.split_once(':').unwrap_or((user, ""));
        Self { place: place.to_owned(), username: username.to_owned(), password: password.to_owned() }
    }
}

impl std::str::FromStr for Broker {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "embedded" {
            return Ok(Self::Embedded);
        }
        match text.strip_prefix("amqp://") {
            Some(rest) => Ok(Self::Amqp(Rabbit::of(rest))),
            None => text.parse().map(Self::At),
        }
    }
}

/// What to measure, where and how.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  thingcall bench                                   throughput through the embedded \
    broker\n  thingcall bench --rate 500                        latency at 500 calls a second\n  thingcall bench both \
    --broker mqtt://127.0.0.1:1883\n  thingcall bench --url http://127.0.0.1:8080 --data thingcall-data\n  \
    thingcall bench --plugin libecho.so --inline --rounds 41 --seconds 1\n  thingcall bench both --broker \
    amqp://guest:guest@127.0.0.1:5672"
)]
pub(crate) struct Args {
    /// What is measured
    #[arg(value_enum, default_value = "calls")]
    what: What,
    /// Measure this server; its devices are registered in the store in --data [default: a server of its own]
    #[arg(long)]
    url: Option<String>,
    /// Measure a server of its own, in this process, which is the default
    #[arg(long = "self", conflicts_with = "url")]
    own: bool,
    /// Where the devices are: embedded, mqtt://HOST:PORT, or amqp://USER:PASSWORD@HOST:PORT for devices that speak AMQP
    #[arg(long, default_value = "embedded")]
    broker: Broker,
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
    /// Measure with this plugin for the service too, on a second server of its own, in turns with the first
    #[arg(long, value_name = "FILE", conflicts_with = "url")]
    plugin: Option<PathBuf>,
    /// And with the plugin on the server's threads, on a third
    #[arg(long, requires = "plugin")]
    inline: bool,
    /// How often each is measured; with more than one, medians are compared
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    place: Place,
}

/// The plan of one measurement.
#[derive(Debug, Clone, Copy)]
struct Plan {
    in_flight: u32,
    rate: Option<u32>,
    warm_up: Duration,
    measured: Duration,
}

/// Runs `thingcall bench`.
pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let measured = Duration::from_secs(args.seconds);
    let plan = Plan { in_flight: args.in_flight, rate: args.rate, warm_up: measured / 5, measured };
    if args.what == What::Handlers {
        let plugin = args.plugin.as_deref();
        let plugin = plugin.ok_or_else(|| WrongUse("handlers needs --plugin FILE".to_owned()))?;
        handlers::run(plugin, &args.output).await?;
        return Ok(ExitCode::SUCCESS);
    }
    if args.what != What::Calls && args.url.is_some() {
        return Err(WrongUse("the reference runs without a server; leave --url out".to_owned()).into());
    }
    let stopped = if args.what == What::Reference { Stopped::Wholly } else { series::run(&args, plan).await? };
    if args.what != What::Calls {
        let report = bare::measure(&args, plan).await?;
        print(&args, "reference", plan, &report);
    }
    Ok(stopped.exit(Ok(())))
}

fn print(args: &Args, what: &str, plan: Plan, report: &Report) {
    let broker = match &args.broker {
        Broker::Embedded => "embedded".to_owned(),
        Broker::At(address) => address.to_string(),
        Broker::Amqp(rabbit) => rabbit.url(),
    };
    if !args.output.json {
        return output::line(report.text(what, &broker));
    }
    let mut object = report.json();
    object.insert("what".to_owned(), json!(what));
    object.insert("broker".to_owned(), json!(broker));
    object.insert("inFlight".to_owned(), json!(plan.in_flight));
    object.insert("rate".to_owned(), json!(plan.rate));
    object.insert("devices".to_owned(), json!(args.devices));
    output::line(serde_json::Value::Object(object));
}

/// When the calls of one measurement are due and which of them count. Shared by all that make calls.
#[derive(Debug)]
struct Pace {
    start: Instant,
    counted_from: Instant,
    end: Instant,
    rate: Option<u32>,
    next: std::sync::atomic::AtomicU64,
}

impl Pace {
    fn new(plan: Plan) -> Arc<Self> {
        let start = Instant::now();
        let counted_from = start + plan.warm_up;
        let end = counted_from + plan.measured;
        Arc::new(Self { start, counted_from, end, rate: plan.rate, next: 0.into() })
    }

    /// Waits until the next call is due; its number and when it was due. `None` when the time is over.
    ///
    /// A call that was due before somebody was free to make it counts from when it was due: queueing is part of what
    /// is measured, the coarse timer of this process is not.
    async fn next(&self) -> Option<(u64, Instant)> {
        let number = self.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let now = Instant::now();
        let at = match self.rate {
            None => now,
            Some(rate) => {
                let nanos = u128::from(number) * 1_000_000_000 / u128::from(rate);
                let due = self.start + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
                if due > self.end {
                    return None;
                }
                if due > now {
                    tokio::time::sleep_until(due).await;
                    Instant::now()
                } else {
                    due
                }
            }
        };
        (at < self.end).then_some((number, at))
    }

    fn counts(&self, at: Instant) -> bool {
        at >= self.counted_from
    }
}
