//! Devices that report a property at a fixed rate, whether earlier reports are answered or not, beside those that are called.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use rumqttc_v4::mqttbytes::v4::Publish;
use rumqttc_v4::{Packet, QoS};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use thingcall_core::DeviceKey;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::broker::Address;
use crate::device::{Connection, Device, Habit};
use crate::report::Report;

/// How many devices report.
pub(crate) const POSTERS: u32 = 50;
/// How long after the last report answers may come.
const LAST_ANSWERS: Duration = Duration::from_secs(10);
const TAKEN: i64 = 200;

/// What is reported beside the calls of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Posts {
    /// Reports a second.
    pub(crate) rate: u32,
    /// Whether a group reads them, so that each is written down before it is answered.
    pub(crate) written: bool,
}

/// What became of reports.
#[derive(Debug, Clone)]
pub(crate) struct Posted {
    sent: u64,
    unanswered: u64,
    seconds: f64,
    /// Those that were taken, and why others were not.
    answered: Report,
}

/// Devices that report until they are told to end.
pub(crate) struct Posting {
    running: JoinSet<anyhow::Result<(u64, u64, Report)>>,
    over: watch::Sender<bool>,
    began: Instant,
}

/// One device's.
struct Poster {
    connection: Connection,
    key: DeviceKey,
    began: Instant,
    /// The number of its next report among those of all, and how many there are of others between two of its own.
    next: u64,
    step: u64,
    rate: u32,
    sent: u64,
    waiting: BTreeMap<u64, Instant>,
    found: Report,
}

#[derive(Deserialize)]
struct Told<'a> {
    #[serde(borrow)]
    id: &'a str,
    code: i64,
}

impl Posting {
    /// Connects these devices and lets them report.
    ///
    /// # Errors
    /// If one cannot connect.
    pub(crate) async fn start(devices: Vec<Device>, broker: &Address, rate: u32) -> anyhow::Result<Self> {
        let mut connections = Vec::new();
        for device in devices {
            let answers = vec![format!("{}_reply", topic(&device.key))];
            let connection = Connection::open(&device, broker, Habit::Quick, answers).await;
            connections.push((connection.with_context(|| device.key.to_string())?, device.key));
        }
        let (began, (over, told)) = (Instant::now(), watch::channel(false));
        let (step, mut running) = (connections.len() as u64, JoinSet::new());
        for (next, (connection, key)) in (0..).zip(connections) {
            let (waiting, found) = (BTreeMap::new(), Report::new(Duration::from_secs(1))?);
            let poster = Poster { connection, key, began, next, step, rate, sent: 0, waiting, found };
            running.spawn(poster.run(told.clone()));
        }
        Ok(Self { running, over, began })
    }

    /// Ends it; what became of all reports, once the last answers came.
    ///
    /// # Errors
    /// If a device lost its connection.
    pub(crate) async fn stop(mut self) -> anyhow::Result<Posted> {
        let took = self.began.elapsed();
        self.over.send_replace(true);
        let mut posted = Posted { sent: 0, unanswered: 0, seconds: took.as_secs_f64(), answered: Report::new(took)? };
        while let Some(ended) = self.running.join_next().await {
            let (sent, unanswered, found) = ended??;
            posted.sent += sent;
            posted.unanswered += unanswered;
            posted.answered.add(&found)?;
        }
        Ok(posted)
    }
}

impl Posted {
    /// For eyes.
    pub(crate) fn text(&self, what: &str, cores: f64) -> String {
        let Self { sent, unanswered, answered, .. } = self;
        let taken = answered.text(what, "").replace("calls/s", "posts/s");
        format!("{taken}  {sent} sent, {unanswered} unanswered, server on {cores:.2} cores")
    }

    /// For scripts.
    #[expect(clippy::cast_precision_loss, reason = "a figure for eyes")]
    pub(crate) fn json(&self) -> Map<String, Value> {
        let answered = self.answered.json();
        let of = |name: &str| answered.get(name).cloned().unwrap_or_default();
        let members = [
            ("postsSentPerSecond", json!(self.sent as f64 / self.seconds)),
            ("postsTakenPerSecond", of("callsPerSecond")),
            ("postsRefused", of("failures")),
            ("postsUnanswered", json!(self.unanswered)),
            ("postP50Ms", of("p50Ms")),
            ("postP99Ms", of("p99Ms")),
        ];
        members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

impl Poster {
    async fn run(mut self, mut over: watch::Receiver<bool>) -> anyhow::Result<(u64, u64, Report)> {
        while !*over.borrow() {
            let due = self.due();
            tokio::select! {
                biased;
                read = self.connection.more() => read?,
                () = sleep_until(due) => {}
                _ = over.changed() => break,
            }
            self.hear()?;
            self.report()?;
            self.connection.flush().await?;
        }
        let until = Instant::now() + LAST_ANSWERS;
        while !self.waiting.is_empty() {
            match timeout_at(until, self.connection.more()).await {
                Ok(read) => read?,
                Err(_elapsed) => break,
            }
            self.hear()?;
        }
        Ok((self.sent, self.waiting.len() as u64, self.found))
    }

    fn due(&self) -> Instant {
        self.began + Duration::from_nanos(self.next.saturating_mul(1_000_000_000) / u64::from(self.rate))
    }

    /// Says all that is due.
    fn report(&mut self) -> anyhow::Result<()> {
        let now = Instant::now();
        while self.due() <= now {
            let (id, value) = (self.next, self.next % 2);
            let payload = format!(
                r#"{{"id":"{id}","version":"1.0","params":{{"Power":{value}}},"method":"thing.event.property.post"}}"#
            );
            let publish = Publish::from_bytes(topic(&self.key), QoS::AtMostOnce, Bytes::from(payload));
            self.connection.say(&Packet::Publish(publish))?;
            // It counts from when it was due.
            self.waiting.insert(id, self.due());
            self.next += self.step;
            self.sent += 1;
        }
        Ok(())
    }

    fn hear(&mut self) -> anyhow::Result<()> {
        while let Some(packet) = self.connection.take()? {
            let Packet::Publish(told) = packet else { continue };
            let Ok(Told { id, code }) = serde_json::from_slice(&told.payload) else { continue };
            let Some(due) = id.parse().ok().and_then(|id: u64| self.waiting.remove(&id)) else { continue };
            if code == TAKEN {
                self.found.took(due.elapsed());
            } else {
                self.found.failed(&code.to_string());
            }
        }
        Ok(())
    }
}

fn topic(device: &DeviceKey) -> String {
    format!("/sys/{}/{}/thing/event/property/post", device.product, device.name)
}
