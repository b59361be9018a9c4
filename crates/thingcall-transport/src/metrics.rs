//! What every transport counts, under the same names, each with its own `transport` label.

use enum_map::{Enum, EnumMap};
use prometheus::{Gauge, Histogram, IntCounter, IntGauge, Registry};
use strum::IntoStaticStr;
use thingcall_core::{DeliverError, Sent, TransportName};
use thingcall_metrics::Maker;

const ACK_SECONDS: &[f64] = &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5];
const PUBLISHED_HELP: &str = "Messages to devices, each counted once: sent (left, no acknowledgement waited for), acked \
    (by the broker, by the device behind the embedded one), nacked (refused by the broker), returned (nobody to give it \
    to), blocked (a full queue, or the broker takes none), failed (the way broke, or too large)";
const EARLY_ACKS_HELP: &str = "Replies to asynchronous calls that were acknowledged to the broker (the embedded one: to \
    the device) before the store had them, since it did not write for 2 s or too many waited: a crash now would lose them";
const PUBLISH_ACK_HELP: &str = "From a message's leaving to its acknowledgement, by whoever took it: MQTT's PUBACK, AMQP's \
    confirmation, for the embedded broker the PUBACK of the device; also where the device's answer came first, and of probes. At \
    QoS 0 MQTT acknowledges nothing, so such messages are not in it";
const CONNECTS_HELP: &str = "Attempts to connect to the broker; for the embedded one, of devices to us";

/// How an attempt to connect ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum ConnectResult {
    /// Connected.
    Ok,
    /// Nobody listens there, or it closed.
    Refused,
    /// The broker refused the credentials.
    Auth,
    /// The TLS handshake failed.
    Tls,
    /// No answer in time.
    Timeout,
}

/// What became of a message to a device. Each is counted once, when its transport has done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum PublishResult {
    /// It left, and no acknowledgement was waited for: QoS 0, or the device answered before.
    Sent,
    /// Whoever took it acknowledged it: the broker, and for the embedded one the device.
    Acked,
    /// The broker refused it.
    Nacked,
    /// There is nobody to give it to.
    Returned,
    /// It did not leave: a queue was full, or the broker takes no messages for now.
    Blocked,
    /// The way broke, or it was too large; it may have left.
    Failed,
}

/// What a device's message was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum ReceivedKind {
    /// An answer to a call.
    Reply,
    /// A device came or went.
    Status,
    /// A device said something by itself.
    Post,
    /// Anything else.
    Other,
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
    /// 1 while what devices report is heard.
    pub posts_up: IntGauge,
    /// Replies that were acknowledged to whoever sent them before the store had them, since it stood still.
    pub early_acks: IntCounter,
    connects: EnumMap<ConnectResult, IntCounter>,
    published: EnumMap<PublishResult, IntCounter>,
    received: EnumMap<ReceivedKind, IntCounter>,
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
        let make = Maker::of(registry, "transport", transport.as_str());
        make.limit("transport_unacknowledged_limit", "How many of these there may be", max)?;
        Ok(Self {
            length: make.gauge(
                "transport_unacknowledged_length",
                "Messages that were sent and that the broker has not acknowledged (AMQP: confirmed)",
            )?,
            oldest_seconds: make.fraction(
                "transport_unacknowledged_oldest_seconds",
                "How old the oldest message is that the broker has not acknowledged, 0 if there is none",
            )?,
        })
    }
}

impl TransportMetrics {
    /// Registers the counters of one transport, all at zero.
    ///
    /// # Errors
    /// If a transport of this name is registered already.
    pub fn register(registry: &Registry, transport: TransportName) -> Result<Self, prometheus::Error> {
        let make = Maker::of(registry, "transport", transport.as_str());
        let up = "1 when ready: connected, subscribed, and probes come back";
        Ok(Self {
            up: make.gauge("transport_up", up)?,
            last_connect: make.gauge("transport_last_connect_timestamp_seconds", "When it last connected")?,
            publish_ack_seconds: make.histogram("transport_publish_ack_seconds", PUBLISH_ACK_HELP, ACK_SECONDS)?,
            send_queue_length: make.gauge("transport_send_queue_length", "Messages that wait to be sent")?,
            send_queue_limit: make.gauge("transport_send_queue_limit", "How many messages may wait to be sent")?,
            posts_up: make.gauge("transport_posts_up", "1 while what devices say by themselves is heard")?,
            early_acks: make.counter("transport_early_acks_total", EARLY_ACKS_HELP)?,
            connects: make.counters("transport_connects_total", CONNECTS_HELP, ["result"])?,
            published: make.counters("transport_published_total", PUBLISHED_HELP, ["result"])?,
            received: make.counters("transport_received_total", "Messages from devices", ["kind"])?,
        })
    }

    /// Counts an attempt to connect.
    pub fn connected(&self, result: ConnectResult) {
        self.connects[result].inc();
    }

    /// Counts a message to a device.
    pub fn published(&self, result: PublishResult) {
        self.published[result].inc();
    }

    /// Begins to publish a message, and counts it when the value is dropped: as what became of it, or where nobody waits
    /// for that any more, as `left`.
    pub(crate) fn publishing(&self, left: PublishResult) -> Publishing<'_> {
        Publishing { metrics: self, result: left }
    }

    /// Counts a message from a device.
    pub fn received(&self, kind: ReceivedKind) {
        self.received[kind].inc();
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
