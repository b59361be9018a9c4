//! What the engine counts. Every series exists from the start, and no label holds an id.

use std::time::Duration;

use enum_map::{Enum, EnumMap};
use prometheus::{Histogram, IntCounter, IntGauge};
use strum::IntoStaticStr;
use thingcall_core::{CallMode, DeviceKey, Outcome, ProductKey, Repair, Sent, TransportKind};
use thingcall_metrics::{Exemplars, Maker, TraceId, Traced, gauge_of};
use thingcall_tsl::ViolationKind;

use crate::Config;
use crate::room::NoRoom;

mod calls;
mod products;

use calls::Calls;
pub(crate) use products::ProductLabel;
use products::Products;

const CALL_SECONDS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 7.0, 8.0, 10.0];
const STAGE_SECONDS: &[f64] = &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5];
const LATE_SECONDS: &[f64] = &[0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0];
const PAYLOAD_BYTES: &[f64] = &[256.0, 1024.0, 4096.0, 16_384.0, 65_536.0, 262_144.0];

/// The server's own share of a call, by stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Stage {
    /// Checking the signature.
    Auth,
    /// Checking the request against registry and model.
    Validate,
    /// In a handler other than the built-in one, without the time in which it waited for its device.
    Plugin,
    /// Handing the message to the transport.
    Publish,
    /// Checking the device's answer.
    Decode,
}

/// What became of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum ReplyResult {
    Matched,
    Late,
    Duplicate,
    Unknown,
    Foreign,
    WrongDevice,
    Malformed,
    Overloaded,
}

/// What became of a call that somebody else accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Brought {
    /// Its command left.
    Sent,
    /// It ended: it cannot reach its device, or must not be sent again.
    Ended,
}

/// Which text a check was of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Checked {
    Args,
    Reply,
    Post,
}

/// The way a call went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
enum Way {
    #[strum(transparent)]
    By(TransportKind),
    /// It found none.
    None,
}

impl From<Option<TransportKind>> for Way {
    fn from(transport: Option<TransportKind>) -> Self {
        transport.map_or(Self::None, Self::By)
    }
}

/// How far the message of a pending call came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
enum PendingState {
    Queued,
    Sent,
    Acked,
}

/// Which message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
enum Direction {
    Request,
    Reply,
    Post,
}

/// The engine's series: the path of a call indexes and increments.
#[derive(Debug)]
pub(crate) struct Metrics {
    products: Products,
    calls: Calls,
    pub(crate) exemplars: Exemplars,
    stages: EnumMap<Stage, Histogram>,
    devices: Devices,
    /// Of synchronous calls.
    pending: EnumMap<PendingState, IntGauge>,
    /// How many of them there may be now.
    pub(crate) room: IntGauge,
    pub(crate) no_room: EnumMap<NoRoom, IntCounter>,
    pub(crate) oldest: IntGauge,
    pub(crate) recent: IntGauge,
    pub(crate) late: IntGauge,
    pub(crate) raw: IntGauge,
    lateness: Histogram,
    violations: EnumMap<Checked, EnumMap<ViolationKind, IntCounter>>,
    repairs: EnumMap<Repair, IntCounter>,
    payload_bytes: EnumMap<Direction, Histogram>,
    brought: EnumMap<Brought, IntCounter>,
}

/// How devices answer synchronous commands.
#[derive(Debug)]
struct Devices {
    seconds: EnumMap<TransportKind, Traced>,
    timeouts: EnumMap<TransportKind, IntCounter>,
}

impl Devices {
    fn register(make: Maker<'_>) -> Result<Self, prometheus::Error> {
        Ok(Self {
            seconds: make.histograms(
                "device_response_seconds",
                "From sent to the reply, of synchronous commands that were answered; device_response_timeouts_total counts the others",
                CALL_SECONDS,
                ["transport"],
            )?,
            timeouts: make.counters(
                "device_response_timeouts_total",
                "Calls whose device did not answer in time a command that was sent",
                ["transport"],
            )?,
        })
    }
}

impl Metrics {
    pub(crate) fn register(make: Maker<'_>, config: &Config) -> Result<Self, prometheus::Error> {
        make.limit("pending_calls_limit", "How many calls may wait for their device", config.pending_calls_max.get())?;
        make.limit("recent_calls_limit", "How many ended calls are remembered", config.recent_calls_max.get())?;
        make.limit("late_replies_limit", "How many replies may wait for the journal", config.late_replies_max.get())?;
        make.limit("raw_replies_limit", "How many messages may be translated at once", config.raw_replies_max.get())?;
        let room =
            make.gauge("pending_calls_room", "How many calls may wait now, fewer than may while the way is congested")?;
        room.set(gauge_of(config.pending_calls_max.get()));
        let pending = make.gauge_family("pending_calls", "Calls that wait for their device", ["mode", "state"])?;
        let products = Products::new(&config.shown.products);
        let (calls, devices) = (Calls::register(make, &products)?, Devices::register(make)?);
        let exemplars = Exemplars::default();
        exemplars.of("call_duration_seconds", calls.seconds.iter().flat_map(EnumMap::values));
        exemplars.of("device_response_seconds", devices.seconds.values());
        Ok(Self {
            products,
            calls,
            exemplars,
            stages: make.histograms(
                "call_stage_duration_seconds",
                "The server's own share",
                STAGE_SECONDS,
                ["stage"],
            )?,
            devices,
            pending: pending.series([CallMode::Sync.as_str()]),
            room,
            no_room: make.counters(
                "calls_without_room_total",
                "Calls refused since too many wait for their devices: as many as may, as may while the way is congested, or \
                 as may of the product or of the account",
                ["reason"],
            )?,
            oldest: make.gauge("pending_oldest_timestamp_seconds", "Start of the oldest pending call; 0 if none")?,
            recent: make.gauge("recent_calls", "Ended calls that are remembered")?,
            late: make.gauge("late_replies", "Replies to asynchronous calls that wait for the journal")?,
            raw: make.gauge("raw_replies", "Messages in devices' own bytes that are being translated")?,
            lateness: make.histogram(
                "reply_lateness_seconds",
                "How long after its call ended a late reply came",
                LATE_SECONDS,
            )?,
            violations: make.counters(
                "validation_failures_total",
                "Texts that do not fit the model",
                ["direction", "kind"],
            )?,
            repairs: make.counters(
                "replies_repaired_total",
                "What was mended in replies of devices before they could be read",
                ["reason"],
            )?,
            payload_bytes: make.histograms("payload_bytes", "Size of a message", PAYLOAD_BYTES, ["direction"])?,
            brought: make.counters(
                "taken_over_calls_total",
                "Asynchronous calls that were accepted elsewhere, or before a restart, and that did not just wait",
                ["result"],
            )?,
        })
    }

    /// Which series are this product's.
    pub(crate) fn product(&self, product: &ProductKey) -> ProductLabel {
        self.products.label(product)
    }

    /// A call ended.
    pub(crate) fn call_ended(
        &self,
        product: ProductLabel,
        mode: Option<CallMode>,
        transport: Option<TransportKind>,
        outcome: Outcome,
    ) {
        let ends = &self.calls.ends[product];
        match mode {
            Some(mode) => ends.of[mode][transport.into()][outcome].inc(),
            None => ends.unknown[outcome].inc(),
        }
    }

    /// An asynchronous call ended, to this device.
    pub(crate) fn posted_ended(&self, device: &DeviceKey, transport: Option<TransportKind>, outcome: Outcome) {
        self.call_ended(self.product(&device.product), Some(CallMode::Async), transport, outcome);
    }

    /// A synchronous call was answered after this long.
    pub(crate) fn call_took(
        &self,
        product: ProductLabel,
        transport: Option<TransportKind>,
        (took, trace): (Duration, Option<TraceId>),
    ) {
        self.calls.seconds[product][transport.into()].observe(took.as_secs_f64(), trace);
    }

    /// A stage of a call took this long.
    pub(crate) fn stage_took(&self, stage: Stage, took: Duration) {
        self.stages[stage].observe(took.as_secs_f64());
    }

    /// The device answered this long after the message left.
    pub(crate) fn device_took(&self, transport: TransportKind, took: Duration, trace: Option<TraceId>) {
        self.devices.seconds[transport].observe(took.as_secs_f64(), trace);
    }

    /// The device did not answer in time.
    pub(crate) fn device_silent(&self, transport: TransportKind) {
        self.devices.timeouts[transport].inc();
    }

    /// A reply came.
    pub(crate) fn reply(&self, product: ProductLabel, transport: TransportKind, result: ReplyResult) {
        self.calls.replies[product][transport][result].inc();
    }

    /// A late reply came this long after its call ended.
    pub(crate) fn late_by(&self, by: Duration) {
        self.lateness.observe(by.as_secs_f64());
    }

    /// A call that somebody else accepted was brought on so.
    pub(crate) fn brought(&self, how: Brought) {
        self.brought[how].inc();
    }

    /// A text does not fit the model.
    pub(crate) fn violation(&self, checked: Checked, kind: ViolationKind) {
        self.violations[checked][kind].inc();
    }

    /// Something was mended in a reply.
    pub(crate) fn repaired(&self, repair: Repair) {
        self.repairs[repair].inc();
    }

    #[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
    pub(crate) fn request_bytes(&self, bytes: usize) {
        self.payload_bytes[Direction::Request].observe(bytes as f64);
    }

    #[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
    pub(crate) fn reply_bytes(&self, bytes: usize) {
        self.payload_bytes[Direction::Reply].observe(bytes as f64);
    }

    #[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
    pub(crate) fn post_bytes(&self, bytes: usize) {
        self.payload_bytes[Direction::Post].observe(bytes as f64);
    }

    /// Counts a call among the pending ones until the guard is dropped.
    pub(crate) fn pending(&self) -> PendingGauge<'_> {
        let queued = &self.pending[PendingState::Queued];
        queued.inc();
        PendingGauge { states: &self.pending, state: queued }
    }
}

/// One call among the pending ones.
#[derive(Debug)]
pub(crate) struct PendingGauge<'a> {
    states: &'a EnumMap<PendingState, IntGauge>,
    state: &'a IntGauge,
}

impl PendingGauge<'_> {
    /// The message left.
    pub(crate) fn sent(&mut self, how: Sent) {
        self.state.dec();
        self.state = &self.states[match how {
            Sent::Sent => PendingState::Sent,
            Sent::Acked => PendingState::Acked,
            Sent::Kept => PendingState::Queued,
        }];
        self.state.inc();
    }
}

impl Drop for PendingGauge<'_> {
    fn drop(&mut self) {
        self.state.dec();
    }
}
