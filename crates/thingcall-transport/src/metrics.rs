//! What every transport counts, under the same names, each with its own `transport` label.

use std::collections::HashMap;

use prometheus::{Gauge, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry};
use thingcall_core::{DeliverError, Sent, TransportName};

const PUBLISHED_HELP: &str = "Messages to devices, each counted once: sent (left, no acknowledgement waited for), acked \
    (by the broker, by the device behind the embedded one), nacked (refused by the broker), returned (nobody to give it \
    to), blocked (a full queue, or the broker takes none), failed (the way broke, or too large)";
const CONNECTS_HELP: &str = "Attempts to connect to the broker; for the embedded one, of devices to us";

macro_rules! label {
    ($(#[$doc:meta])* $name:ident { $($(#[$var_doc:meta])* $var:ident = $word:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$var_doc])* $var),* }

        impl $name {
            const WORDS: &[&'static str] = &[$($word),*];
        }
    };
}

label! {
    /// How an attempt to connect ended.
    ConnectResult {
        /// Connected.
        Ok = "ok",
        /// Nobody listens there, or it closed.
        Refused = "refused",
        /// The broker refused the credentials.
        Auth = "auth",
        /// The TLS handshake failed.
        Tls = "tls",
        /// No answer in time.
        Timeout = "timeout",
    }
}
label! {
    /// What became of a message to a device. Each is counted once, when its transport has done with it.
    PublishResult {
        /// It left, and no acknowledgement was waited for: QoS 0, or the device answered before.
        Sent = "sent",
        /// Whoever took it acknowledged it: the broker, and for the embedded one the device.
        Acked = "acked",
        /// The broker refused it.
        Nacked = "nacked",
        /// There is nobody to give it to.
        Returned = "returned",
        /// It did not leave: a queue was full, or the broker takes no messages for now.
        Blocked = "blocked",
        /// The way broke, or it was too large; it may have left.
        Failed = "failed",
    }
}
label! {
    /// What a device's message was.
    ReceivedKind {
        /// An answer to a call.
        Reply = "reply",
        /// A device came or went.
        Status = "status",
        /// Anything else.
        Other = "other",
    }
}

/// The counters of one transport.
#[derive(Debug, Clone)]
pub struct TransportMetrics {
    /// 1 when ready.
    pub up: IntGauge,
    /// When it last connected, in seconds since 1970.
    pub last_connect: IntGauge,
    /// From a publish to its acknowledgement.
    pub publish_ack_seconds: Histogram,
    /// Messages that wait to be sent.
    pub send_queue_length: IntGauge,
    /// How many may.
    pub send_queue_limit: IntGauge,
    connects: Vec<IntCounter>,
    published: Vec<IntCounter>,
    received: Vec<IntCounter>,
}

/// Messages that an external broker has not acknowledged.
#[derive(Debug, Clone)]
pub struct Unacknowledged {
    /// How many there are.
    pub length: IntGauge,
    /// How old the oldest is; 0 if there is none.
    pub oldest_seconds: Gauge,
}

impl Unacknowledged {
    /// Registers the gauges of one transport, and how many such messages there may be.
    ///
    /// # Errors
    /// If a transport of this name is registered already.
    pub fn register(registry: &Registry, transport: TransportName, max: usize) -> Result<Self, prometheus::Error> {
        let about = "Messages that were sent and that the broker has not acknowledged (AMQP: confirmed)";
        let length = IntGauge::with_opts(opts(transport, "unacknowledged_length", about))?;
        let limit = IntGauge::with_opts(opts(transport, "unacknowledged_limit", "How many of these there may be"))?;
        let about = "How old the oldest message is that the broker has not acknowledged, 0 if there is none";
        let oldest_seconds = Gauge::with_opts(opts(transport, "unacknowledged_oldest_seconds", about))?;
        limit.set(i64::try_from(max).unwrap_or(i64::MAX));
        registry.register(Box::new(length.clone()))?;
        registry.register(Box::new(limit))?;
        registry.register(Box::new(oldest_seconds.clone()))?;
        Ok(Self { length, oldest_seconds })
    }
}

fn opts(transport: TransportName, name: &str, help: &str) -> Opts {
    Opts::new(format!("thingcall_transport_{name}"), help)
        .const_labels(HashMap::from([("transport".to_owned(), transport.as_str().to_owned())]))
}

impl TransportMetrics {
    /// Registers the counters of one transport, all at zero.
    ///
    /// # Errors
    /// If a transport of this name is registered already.
    pub fn register(registry: &Registry, transport: TransportName) -> Result<Self, prometheus::Error> {
        let of = |name: &str, help: &str| opts(transport, name, help);
        let gauge = |name: &str, help: &str| -> Result<IntGauge, prometheus::Error> {
            let gauge = IntGauge::with_opts(of(name, help))?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        let counters = |name: &str, help: &str, label: &str, words: &[&str]| {
            let family = IntCounterVec::new(of(name, help), &[label])?;
            registry.register(Box::new(family.clone()))?;
            words.iter().map(|word| family.get_metric_with_label_values(&[word])).collect::<Result<Vec<_>, _>>()
        };
        let publish_ack_seconds = Histogram::with_opts(HistogramOpts {
            common_opts: of("publish_ack_seconds", "From a publish to its acknowledgement"),
            buckets: vec![0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5],
        })?;
        registry.register(Box::new(publish_ack_seconds.clone()))?;
        Ok(Self {
            up: gauge("up", "1 when ready: connected, subscribed, and probes come back")?,
            last_connect: gauge("last_connect_timestamp_seconds", "When it last connected")?,
            publish_ack_seconds,
            send_queue_length: gauge("send_queue_length", "Messages that wait to be sent")?,
            send_queue_limit: gauge("send_queue_limit", "How many messages may wait to be sent")?,
            connects: counters("connects_total", CONNECTS_HELP, "result", ConnectResult::WORDS)?,
            published: counters("published_total", PUBLISHED_HELP, "result", PublishResult::WORDS)?,
            received: counters("received_total", "Messages from devices", "kind", ReceivedKind::WORDS)?,
        })
    }

    /// Counts an attempt to connect.
    pub fn connected(&self, result: ConnectResult) {
        count(&self.connects, result as usize);
    }

    /// Counts a message to a device.
    pub fn published(&self, result: PublishResult) {
        count(&self.published, result as usize);
    }

    /// Begins to publish a message, and counts it when the value is dropped: as what became of it, or where nobody waits
    /// for that any more, as `left`.
    pub(crate) fn publishing(&self, left: PublishResult) -> Publishing<'_> {
        Publishing { metrics: self, result: left }
    }

    /// Counts a message from a device.
    pub fn received(&self, kind: ReceivedKind) {
        count(&self.received, kind as usize);
    }
}

impl PublishResult {
    /// What a delivery's end counts as.
    pub const fn of(end: &Result<Sent, DeliverError>) -> Self {
        match end {
            Ok(Sent::Acked) => Self::Acked,
            Ok(Sent::Sent | Sent::Kept) => Self::Sent,
            Err(DeliverError::QueueFull(_)) => Self::Blocked,
            Err(DeliverError::Offline) => Self::Returned,
            Err(DeliverError::Refused(_)) => Self::Nacked,
            Err(DeliverError::Down | DeliverError::Lost | DeliverError::TooLarge { .. }) => Self::Failed,
        }
    }
}

/// A message that is being published.
#[derive(Debug)]
pub(crate) struct Publishing<'a> {
    metrics: &'a TransportMetrics,
    result: PublishResult,
}

impl Publishing<'_> {
    /// This became of it.
    pub(crate) fn ends(&mut self, result: PublishResult) {
        self.result = result;
    }
}

impl Drop for Publishing<'_> {
    fn drop(&mut self) {
        self.metrics.published(self.result);
    }
}

fn count(counters: &[IntCounter], index: usize) {
    if let Some(counter) = counters.get(index) {
        counter.inc();
    }
}
