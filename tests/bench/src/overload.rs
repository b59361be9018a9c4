//! Twice as many calls as go, then half as many: who is refused, as what, how fast, and for how long after.
//!
//! Beside the calls of one account to one product there are few to another product, and few of another account. Calls come when
//! they are due, on as many connections as a turn has; one for which none is free a tenth of a second later is not made, and
//! counted so: the load keeps no queue of its own, which would be taken for the server's. How long an answer takes counts from
//! when its request was sent.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use hdrhistogram::Histogram;
use serde_json::{Map, Value, json};
use thingcall_api::sign::Signer;
use thingcall_core::AccessKey;
use thingcall_store::{NewKey, Store};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use crate::args::Args;
use crate::broker::{Address, Broker};
use crate::child::Child;
use crate::load::{self, Expected};
use crate::pace::Plan;
use crate::registered::{Called, IDENTIFIER, Size, fill, scratch};
use crate::requests::{Form, Requests, Service};
use crate::rest::Resting;
use crate::wire::Wire;
use crate::{device, output, target, wire};

/// No quota, which would refuse before anything is full; and room for as many calls as go in some hundredths of a second.
const CONFIGURATION: &str =
    "[api]\ncalls_per_second_max = 0\nnonces_max = 100000000\n[engine]\npending_calls_max = 256\n";
/// How many are in flight to find how many go: no more than find room.
const SATURATING: u32 = 128;
const QUIET_CONNECTIONS: u32 = 16;
/// Calls a second of each quiet one.
const QUIET_RATE: u32 = 50;
/// Later than this a call is not made.
const LATE_MAX: Duration = Duration::from_millis(100);
/// An answer after this is a late one.
const ANSWERED_IN_TIME: Duration = Duration::from_millis(50);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// Measures as often as is asked.
///
/// # Errors
/// What could not be started or measured.
pub(crate) async fn run(args: &Args) -> anyhow::Result<()> {
    let Broker::At(broker) = &args.broker else {
        bail!("overload needs --broker mqtt://HOST:PORT that lets everybody do everything");
    };
    let resting = Resting(&args.taking);
    for _ in 0..args.rounds {
        resting.turn_of(&["calls", &args.broker.to_string()])?;
        let found = round(args, broker).await?;
        print(args, found);
    }
    Ok(())
}

/// A server with two products and two accounts.
struct Ground {
    server: Child,
    address: String,
    /// Keys of the two accounts.
    keys: [AccessKey; 2],
    /// Devices of the two products.
    devices: [Vec<Called>; 2],
}

async fn round(args: &Args, broker: &Address) -> anyhow::Result<Map<String, Value>> {
    let folder = scratch()?;
    let data = folder.path().join("data");
    let store = Store::open(thingcall_store::Config::default(), &data).await?;
    let account = |name: &str| NewKey { account: name.to_owned(), ..NewKey::default() };
    let keys = [store.add_key(account("noisy")).await?, store.add_key(account("quiet")).await?];
    let all = fill(&store, Size { devices: args.devices * 2, products: 2, ..Size::default() }).await?;
    store.close().await;
    let first = all.first().context("devices")?.product.clone();
    let (noisy, quiet) = all.into_iter().partition(|one| one.product == first);
    let configuration = target::configuration(&args.broker) + CONFIGURATION;
    let server = target::start(args, &configuration, &data).await?;
    let answering = device::answer_for_all(broker).await?;
    let address = wire::address_of(&format!("http://{}", server.said("api")?))?;
    let ground = Ground { server, address, keys, devices: [noisy, quiet] };
    let found = ground.measure(args).await;
    drop(answering);
    ground.server.stop().await;
    found
}

impl Ground {
    fn requests(&self, args: &Args, (key, product): (usize, usize), plan: Plan) -> anyhow::Result<Requests> {
        let (key, devices) = (self.keys.get(key).context("a key")?, self.devices.get(product).context("devices")?);
        let signer = Signer { key_id: key.id.clone(), secret: key.secret.clone(), security_token: None };
        let service = Service { signer, signature: args.signature, identifier: IDENTIFIER, qos: args.qos };
        Requests::once_each(&Form::Service(service), &self.address, devices, plan)
    }

    async fn measure(&self, args: &Args) -> anyhow::Result<Map<String, Value>> {
        let plan = args.plan();
        let (addresses, pids) = ([self.address.clone()], self.server.id());
        let first = Plan { in_flight: SATURATING, ..plan };
        let saturating = (self.requests(args, (0, 0), first)?, Expected::Result);
        let saturated = load::measure(&addresses, saturating, first, &pids).await?.per_second();
        let rate = whole(saturated * 2.0).max(1);
        let (noisy, quiet) = (Wave::of(rate, plan), Wave::of(QUIET_RATE, plan));
        // A noisy account at a noisy product; the same at a quiet one; a quiet account at the noisy one.
        let sources = [
            (noisy, plan.in_flight, self.requests(args, (0, 0), noisy.plan(plan))?),
            (quiet, QUIET_CONNECTIONS, self.requests(args, (0, 1), quiet.plan(plan))?),
            (quiet, QUIET_CONNECTIONS, self.requests(args, (1, 0), quiet.plan(plan))?),
        ];
        let mut ready = Vec::new();
        for (wave, connections, requests) in sources {
            let mut wires = Vec::new();
            for _ in 0..connections {
                wires.push(Wire::connect(&self.address).await?);
            }
            ready.push((wave, wires, Arc::new(requests)));
        }
        let start = Instant::now();
        let running: Vec<_> =
            ready.into_iter().map(|(wave, wires, requests)| calls(wave, start, wires, &requests)).collect();
        let mut tallies = Vec::new();
        for source in running {
            tallies.push(ended(source).await?);
        }
        let [noisy, product, account] =
            <[Tally; 3]>::try_from(tallies).map_err(|_| anyhow::anyhow!("three sources"))?;
        Ok(figures(saturated, plan, [&noisy, &product, &account]))
    }
}

/// So many calls a second for a time, then a quarter of them for as long.
#[derive(Debug, Clone, Copy)]
struct Wave {
    rate: u32,
    warm_up: Duration,
    high: Duration,
}

impl Wave {
    fn of(rate: u32, plan: Plan) -> Self {
        Self { rate, warm_up: plan.warm_up, high: plan.warm_up + plan.measured }
    }

    /// For which as many requests are made.
    fn plan(self, plan: Plan) -> Plan {
        Plan { rate: Some(self.rate), warm_up: Duration::ZERO, measured: self.high + self.high / 4, ..plan }
    }

    /// When the call of this number is due after the beginning, if it is.
    fn due(self, number: u64) -> Option<Duration> {
        let high = self.calls_in(self.high);
        let nanos = |calls: u64, rate: u32| Duration::from_nanos(calls * 1_000_000_000 / u64::from(rate.max(1)));
        if number < high {
            return Some(nanos(number, self.rate));
        }
        let due = self.high + nanos((number - high) * 4, self.rate);
        (due < self.high * 2).then_some(due)
    }

    fn calls_in(self, time: Duration) -> u64 {
        u64::try_from(time.as_millis()).unwrap_or(u64::MAX) * u64::from(self.rate) / 1000
    }
}

/// What became of the calls of one source.
struct Tally {
    accepted: Histogram<u64>,
    refused: Histogram<u64>,
    codes: BTreeMap<String, u64>,
    failed: u64,
    not_made: u64,
    /// When the last call was sent, after the load fell, that was refused or answered late.
    last_bad: Option<Duration>,
}

impl Tally {
    fn new() -> anyhow::Result<Self> {
        let histogram = || Histogram::new_with_bounds(1, 60_000_000, 3);
        let (accepted, refused) = (histogram()?, histogram()?);
        Ok(Self { accepted, refused, codes: BTreeMap::new(), failed: 0, not_made: 0, last_bad: None })
    }

    fn add(&mut self, other: &Self) -> anyhow::Result<()> {
        self.accepted.add(&other.accepted)?;
        self.refused.add(&other.refused)?;
        for (code, count) in &other.codes {
            *self.codes.entry(code.clone()).or_default() += count;
        }
        self.failed += other.failed;
        self.not_made += other.not_made;
        self.last_bad = self.last_bad.max(other.last_bad);
        Ok(())
    }

    /// Notes a call that was sent so long after the beginning, and why it was not done, if it was not.
    fn note(&mut self, wave: Wave, (sent, took): (Duration, Duration), why: Option<&str>) {
        if sent >= wave.high {
            if why.is_some() || took > ANSWERED_IN_TIME {
                self.last_bad = self.last_bad.max(Some(sent));
            }
            return;
        }
        if sent < wave.warm_up {
            return;
        }
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        match why {
            None => self.accepted.saturating_record(micros),
            Some(code) => {
                *self.codes.entry(code.to_owned()).or_default() += 1;
                if is_refusal(code) { self.refused.saturating_record(micros) } else { self.failed += 1 }
            }
        }
    }
}

fn is_refusal(code: &str) -> bool {
    code == "iot.messagebroker.RateLimit" || code.starts_with("Throttling")
}

/// Begins to make the calls of one source.
fn calls(wave: Wave, start: Instant, wires: Vec<Wire>, requests: &Arc<Requests>) -> JoinSet<anyhow::Result<Tally>> {
    let next = Arc::new(AtomicU64::new(0));
    let mut running = JoinSet::new();
    for wire in wires {
        running.spawn(caller(wave, start, wire, (requests.clone(), next.clone())));
    }
    running
}

async fn ended(mut running: JoinSet<anyhow::Result<Tally>>) -> anyhow::Result<Tally> {
    let mut all = Tally::new()?;
    while let Some(part) = running.join_next().await {
        all.add(&part??)?;
    }
    Ok(all)
}

async fn caller(
    wave: Wave,
    start: Instant,
    mut wire: Wire,
    (requests, next): (Arc<Requests>, Arc<AtomicU64>),
) -> anyhow::Result<Tally> {
    let mut tally = Tally::new()?;
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let Some(due) = wave.due(number) else { return Ok(tally) };
        sleep_until(start + due).await;
        let sent = start.elapsed();
        if sent > due + LATE_MAX {
            tally.not_made += u64::from((wave.warm_up..wave.high).contains(&due));
            continue;
        }
        let (request, param) = requests.of(number)?;
        let answered = timeout(ANSWER_TIMEOUT, wire.ask(request)).await;
        let (status, body) = answered.context("no answer for 20 s")?.context("a connection of the load ended")?;
        let why = Expected::Result.failure(status, body, param);
        tally.note(wave, (sent, start.elapsed().saturating_sub(sent)), why.as_deref());
    }
}

fn figures(saturated: f64, plan: Plan, [noisy, product, account]: [&Tally; 3]) -> Map<String, Value> {
    let seconds = plan.measured.as_secs_f64();
    let per_second = |count: u64| json!(whole(number(count) / seconds));
    let ms = |of: &Histogram<u64>, quantile: f64| json!(number(of.value_at_quantile(quantile)) / 1000.0);
    let made = noisy.accepted.len() + noisy.refused.len() + noisy.failed;
    // The load falls when warm-up and measurement are over.
    let fell = plan.warm_up + plan.measured;
    let recovered = [noisy, product, account].iter().filter_map(|tally| tally.last_bad).max();
    let recovered = recovered.map_or(0.0, |last| last.saturating_sub(fell).as_secs_f64());
    let figures = [
        ("what", json!("overload")),
        ("saturatedPerSecond", json!(whole(saturated))),
        ("madePerSecond", per_second(made)),
        ("notMadePerSecond", per_second(noisy.not_made)),
        ("acceptedPerSecond", per_second(noisy.accepted.len())),
        ("acceptedP50Ms", ms(&noisy.accepted, 0.5)),
        ("acceptedP99Ms", ms(&noisy.accepted, 0.99)),
        ("refusedShare", json!(number(noisy.refused.len()) / number(made.max(1)))),
        ("refusedP99Ms", ms(&noisy.refused, 0.99)),
        ("failed", json!(noisy.failed + product.failed + account.failed)),
        ("codes", json!(noisy.codes)),
        ("recoveredSeconds", json!(recovered)),
        ("quietProductCalls", json!(product.accepted.len())),
        ("quietProductRefused", json!(product.refused.len())),
        ("quietProductNotMade", json!(product.not_made)),
        ("quietProductP99Ms", ms(&product.accepted, 0.99)),
        ("quietAccountCalls", json!(account.accepted.len())),
        ("quietAccountRefused", json!(account.refused.len())),
        ("quietAccountNotMade", json!(account.not_made)),
        ("quietAccountP99Ms", ms(&account.accepted, 0.99)),
    ];
    figures.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn print(args: &Args, figures: Map<String, Value>) {
    if args.json {
        return output::object(figures);
    }
    for (name, value) in figures {
        output::line(format_args!("{name:<20} {value}"));
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure for eyes")]
fn number(count: u64) -> f64 {
    count as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate")]
fn whole(rate: f64) -> u32 {
    rate as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_come_at_their_rate_and_then_at_a_quarter_of_it() {
        let wave = Wave { rate: 1000, warm_up: Duration::ZERO, high: Duration::from_secs(2) };
        let ms = |number| wave.due(number).map(|due| due.as_millis());
        assert_eq!([ms(0), ms(1999), ms(2000), ms(2001), ms(2499)], [0, 1999, 2000, 2004, 3996].map(Some));
        assert_eq!(ms(2500), None);
    }

    #[test]
    fn only_a_limit_that_is_reached_is_a_refusal() {
        let wave = Wave { rate: 1, warm_up: Duration::from_secs(1), high: Duration::from_secs(3) };
        let mut tally = Tally::new().unwrap();
        let at = |seconds| (Duration::from_secs(seconds), Duration::from_millis(1));
        tally.note(wave, at(0), Some("warm-up"));
        tally.note(wave, at(1), Some("iot.messagebroker.RateLimit"));
        tally.note(wave, at(2), Some("iot.messagebroker.TIMEOUT"));
        tally.note(wave, at(2), None);
        tally.note(wave, at(3), Some("iot.messagebroker.RateLimit"));
        tally.note(wave, at(4), None);
        assert_eq!((tally.accepted.len(), tally.refused.len(), tally.failed), (1, 1, 1));
        assert_eq!(tally.last_bad, Some(Duration::from_secs(3)));
    }
}
