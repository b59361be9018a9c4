//! Results of asynchronous calls, or messages of every kind, from the log to an exchange of a broker, or its topics.
//!
//! **Invariants:** a result is called published only after the broker confirmed it; one device's results leave in the
//! order in which its calls ended, and its messages in that of the log, but for what a crash left. What was confirmed and not
//! yet noted is published again after a crash, under the same message id and with the same words.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use enum_map::{Enum, EnumMap};
use futures::{StreamExt, stream};
use prometheus::{IntCounter, IntGauge, Registry as Metering};
use strum::IntoStaticStr;
use thingcall_core::{DeviceKey, JournalError, Message, PeerText};
use thingcall_metrics::Maker;
use thingcall_transport::Backoff;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

mod message;
mod reader;

pub(crate) use message::{ToExchange, ToRabbit, ToTopics};
pub(crate) use reader::LogResults;

/// How many results are read at once.
const BATCH_RESULTS: usize = 256;
/// How many of them are published side by side, each of another device. Commands share the connection, and must find
/// room on it also while a backlog is worked off.
const PUBLISHING_DEVICES_MAX: usize = 32;
/// How long nothing is looked for unless something ended. Another process may end a call, and tells nobody.
const LOOK_EVERY: Duration = Duration::from_secs(2);
const PAUSE_MIN: Duration = Duration::from_millis(400);
const PAUSE_MAX: Duration = Duration::from_secs(20);
/// What a stop leaves for the results that are on their way.
const STOP_TIME: Duration = Duration::from_secs(2);
/// And then for noting which of them were confirmed.
const NOTE_TIME: Duration = Duration::from_secs(1);

/// What is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Feed {
    /// Results of asynchronous calls.
    Results,
    /// Messages of every kind, on an exchange.
    Messages,
    /// The same on topics of MQTT.
    Topics,
}

impl Feed {
    /// Its word in names of readers and in logs.
    fn as_str(self) -> &'static str {
        self.into()
    }
}

/// How many results wait to be published.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Backlog {
    /// Those that wait.
    due: u64,
    /// Those given up just now, since too many waited.
    given_up: u64,
}

/// Keeps results until they are published.
#[async_trait]
pub(crate) trait Outbox: Send + Sync {
    /// The oldest results that are due, at most `max`, in the order in which their calls ended.
    async fn due(&self, max: usize) -> Result<Vec<Message>, JournalError>;

    /// These are published, and due no more.
    fn published(&self, places: &[i64]);

    /// How many may be due.
    fn due_max(&self) -> usize;

    /// Gives up the oldest where there are more than [`Self::due_max`].
    async fn trim(&self) -> Result<Backlog, JournalError>;

    /// Returns when something may have become due since the last look.
    async fn changed(&self);

    /// What is due is for whoever publishes next.
    async fn let_go(&self);
}

/// Takes one result to where it is wanted.
#[async_trait]
pub(crate) trait ResultSink: Send + Sync {
    /// Returns when it is kept there.
    async fn publish(&self, result: &Message) -> Published;
}

/// What became of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Published {
    /// It is there.
    Yes,
    /// It is there, and nobody wants it.
    Unwanted,
    /// It is not there, or may not be; it is tried again.
    NotYet(String),
    /// It can never be.
    Never(String),
}

/// The task that publishes.
pub(crate) struct Publishing {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// Publishes what is due, and what becomes due from now on.
///
/// # Errors
/// If the metrics are registered already.
pub(crate) fn start(
    feed: Feed,
    outbox: Arc<dyn Outbox>,
    sink: Arc<dyn ResultSink>,
    metering: &Metering,
) -> anyhow::Result<Publishing> {
    let counts = Counts::register(feed, metering, outbox.due_max())?;
    let stop = CancellationToken::new();
    let pump = Pump { feed, outbox, sink, counts };
    let task = tokio::spawn(pump.run(stop.clone()));
    Ok(Publishing { stop, task })
}

impl Publishing {
    /// Ends it, within 3 s. What is due stays due.
    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        if timeout(STOP_TIME + NOTE_TIME, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}

/// What becomes of a result.
#[derive(Debug, Clone, Copy, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
enum Became {
    Published,
    Unwanted,
    Delayed,
    Lost,
}

struct Counts {
    became: EnumMap<Became, IntCounter>,
    due: IntGauge,
}

impl Counts {
    fn register(feed: Feed, metering: &Metering, due_max: usize) -> Result<Self, prometheus::Error> {
        let make = Maker::new(metering);
        let (name, what) = match feed {
            Feed::Results => ("results", "Results of asynchronous calls"),
            Feed::Messages => ("exchange_messages", "Messages for the exchange of every kind"),
            Feed::Topics => ("mqtt_messages", "Messages for topics of MQTT"),
        };
        make.limit(&format!("{name}_due_limit"), "How many of these there may be", due_max)?;
        Ok(Self {
            became: make.counters(&format!("{name}_total"), &format!("{what}, by what became of them"), ["result"])?,
            due: make.gauge(&format!("{name}_due"), &format!("{what} that wait to be published"))?,
        })
    }
}

struct Pump {
    feed: Feed,
    outbox: Arc<dyn Outbox>,
    sink: Arc<dyn ResultSink>,
    counts: Counts,
}

/// How a round went.
#[derive(Debug, PartialEq, Eq)]
enum Round {
    /// There is more.
    Full,
    /// All that was due is published.
    Done,
    /// Something is to be tried again.
    Delayed(String),
}

impl Pump {
    async fn run(self, stop: CancellationToken) {
        let mut backoff = Backoff::new(PAUSE_MIN, PAUSE_MAX);
        let mut told = false;
        let mut weighed: Option<Instant> = None;
        while !stop.is_cancelled() {
            let round = self.round(&stop).await;
            // A broker that is there and slower than the calls lets the backlog grow just as one that is away.
            if weighed.is_none_or(|at| at.elapsed() >= LOOK_EVERY) || round != Round::Full {
                self.weigh(&round).await;
                weighed = Some(Instant::now());
            }
            if let Round::Delayed(why) = round {
                if !std::mem::replace(&mut told, true) {
                    warn!(of = self.feed.as_str(), why = %PeerText::new(&why), "messages cannot be published; they are kept and tried again");
                }
                tokio::select! { () = stop.cancelled() => {}, () = sleep(backoff.next_wait()) => {} }
                continue;
            }
            backoff.begin_anew();
            if std::mem::take(&mut told) {
                info!(of = self.feed.as_str(), "messages are published again");
            }
            if round == Round::Done {
                tokio::select! {
                    () = stop.cancelled() => {}
                    _ = timeout(LOOK_EVERY, self.outbox.changed()) => {}
                }
            }
        }
        self.outbox.let_go().await;
    }

    /// Publishes what is due now, up to [`BATCH_RESULTS`].
    async fn round(&self, stop: &CancellationToken) -> Round {
        let due = match self.outbox.due(BATCH_RESULTS).await {
            Ok(due) => due,
            Err(error) => return Round::Delayed(error.to_string()),
        };
        if due.is_empty() {
            return Round::Done;
        }
        let full = due.len() >= BATCH_RESULTS;
        let mut devices: BTreeMap<DeviceKey, Vec<Message>> = BTreeMap::new();
        for result in due {
            devices.entry(result.device.clone()).or_default().push(result);
        }
        // Shared, so that what was confirmed is noted also where a stop cuts the rest off.
        let places = Mutex::new(Vec::new());
        let mut running = stream::iter(devices.into_values())
            .map(|results| self.publish_in_order(results, &places, stop))
            .buffer_unordered(PUBLISHING_DEVICES_MAX);
        let mut delayed = None;
        let all = async {
            while let Some(failed) = running.next().await {
                delayed = delayed.take().or(failed);
            }
        };
        tokio::select! { () = all => {}, () = time_is_up(stop) => {} }
        drop(running);
        let places = places.into_inner().unwrap_or_else(PoisonError::into_inner);
        self.outbox.published(&places);
        match delayed {
            Some(why) => Round::Delayed(why),
            None if full => Round::Full,
            None => Round::Done,
        }
    }

    /// Says how many wait, and gives up the oldest of too many.
    async fn weigh(&self, round: &Round) {
        // All that was due is published: nothing to count.
        if *round == Round::Done {
            self.counts.due.set(0);
            return;
        }
        match self.outbox.trim().await {
            Ok(Backlog { due, given_up }) => {
                self.counts.due.set(i64::try_from(due).unwrap_or(i64::MAX));
                self.counts.became[Became::Lost].inc_by(given_up);
            }
            Err(error) => error!(of = self.feed.as_str(), %error, "messages that wait cannot be counted"),
        }
    }

    /// One device's results, until one has to be tried again: says why. Those that need not be are put into `places`.
    async fn publish_in_order(
        &self,
        results: Vec<Message>,
        places: &Mutex<Vec<i64>>,
        stop: &CancellationToken,
    ) -> Option<String> {
        for result in results {
            if stop.is_cancelled() {
                break;
            }
            match self.sink.publish(&result).await {
                Published::Yes => self.counts.became[Became::Published].inc(),
                Published::Unwanted => self.counts.became[Became::Unwanted].inc(),
                Published::Never(why) => {
                    self.counts.became[Became::Lost].inc();
                    error!(id = %result.id, device = %result.device, why = %PeerText::new(&why), "a message cannot be published; it is given up");
                }
                Published::NotYet(why) => {
                    self.counts.became[Became::Delayed].inc();
                    return Some(why);
                }
            }
            places.lock().unwrap_or_else(PoisonError::into_inner).push(result.place);
        }
        None
    }
}

/// Returns when a stop waits no longer for what is on its way.
async fn time_is_up(stop: &CancellationToken) {
    stop.cancelled().await;
    sleep(STOP_TIME).await;
}

#[cfg(test)]
mod tests;
