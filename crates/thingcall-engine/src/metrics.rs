//! What the engine counts. Every series exists from the start, and no label holds an id.

use std::time::Duration;

use prometheus::{Histogram, HistogramVec, IntCounter, IntGauge, Registry};
use thingcall_core::{CallMode, Outcome, Repair, Sent, TransportKind};
use thingcall_tsl::ViolationKind;

use crate::Config;

pub(crate) use maker::Maker;

mod maker;

const CALL_SECONDS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 7.0, 8.0, 10.0];
const STAGE_SECONDS: &[f64] = &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5];
const LATE_SECONDS: &[f64] = &[0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0];
const PAYLOAD_BYTES: &[f64] = &[256.0, 1024.0, 4096.0, 16_384.0, 65_536.0, 262_144.0];

/// The server's own share of a call, by stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

const STAGES: [&str; 5] = ["auth", "validate", "plugin", "publish", "decode"];

/// What became of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

const REPLY_RESULTS: [&str; 8] =
    ["matched", "late", "duplicate", "unknown", "foreign", "wrong_device", "malformed", "overloaded"];

/// Which text a check was of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Checked {
    Args,
    Reply,
}

const MODES: [&str; 2] = [CallMode::Sync.as_str(), CallMode::Async.as_str()];
/// Of calls that were refused before their service was found. They have no transport either.
const UNKNOWN_MODE: &str = "unknown";
const NO_TRANSPORT: &str = "none";
const TRANSPORTS: usize = TransportKind::ALL.len() + 1;

/// The engine's counters, looked up once: the path of a call indexes and increments.
#[derive(Debug)]
pub(crate) struct Metrics {
    /// By mode, transport, outcome; then by outcome those of an unknown mode.
    calls: Vec<IntCounter>,
    /// Of synchronous calls, by transport.
    call_seconds: Vec<Histogram>,
    stages: Vec<Histogram>,
    /// By transport.
    device_seconds: Vec<Histogram>,
    /// Of synchronous calls: queued, sent, acked.
    pending: [IntGauge; 3],
    pub(crate) oldest: IntGauge,
    pub(crate) recent: IntGauge,
    pub(crate) late: IntGauge,
    pub(crate) raw: IntGauge,
    /// By transport and result.
    replies: Vec<IntCounter>,
    lateness: Histogram,
    /// By direction and kind.
    violations: Vec<IntCounter>,
    /// By reason.
    repairs: Vec<IntCounter>,
    request_bytes: Histogram,
    reply_bytes: Histogram,
}

/// By direction and kind.
fn violations(make: &Maker<'_>) -> Result<Vec<IntCounter>, prometheus::Error> {
    let kinds = || ViolationKind::ALL.iter().map(|kind| kind.as_str());
    make.counters(
        "validation_failures_total",
        "Texts that do not fit the model",
        &["direction", "kind"],
        ["args", "reply"].iter().flat_map(|direction| kinds().map(move |kind| vec![*direction, kind])),
    )
}

/// By reason.
fn repairs(make: &Maker<'_>) -> Result<Vec<IntCounter>, prometheus::Error> {
    make.counters(
        "replies_repaired_total",
        "What was mended in replies of devices before they could be read",
        &["reason"],
        Repair::ALL.iter().map(|repair| vec![repair.as_str()]),
    )
}

impl Metrics {
    pub(crate) fn register(registry: &Registry, config: &Config) -> Result<Self, prometheus::Error> {
        let make = Maker { registry };
        let transports = || TransportKind::ALL.iter().map(|kind| kind.as_str()).chain([NO_TRANSPORT]);
        let outcomes = || Outcome::ALL.iter().map(|outcome| outcome.as_str());
        let pending = make.gauges("pending_calls", "Calls that wait for their device", &["mode", "state"])?;
        let state = |state| pending.get_metric_with_label_values(&[CallMode::Sync.as_str(), state]);
        make.limit("pending_calls_limit", "How many calls may wait for their device", config.pending_calls_max.get())?;
        make.limit("recent_calls_limit", "How many ended calls are remembered", config.recent_calls_max.get())?;
        make.limit("late_replies_limit", "How many replies may wait for the journal", config.late_replies_max.get())?;
        make.limit("raw_replies_limit", "How many messages may be translated at once", config.raw_replies_max.get())?;
        let payload = make.histograms("payload_bytes", "Size of a message", PAYLOAD_BYTES, &["direction"])?;
        let sync = || transports().map(|transport| vec![CallMode::Sync.as_str(), transport]);
        Ok(Self {
            calls: make.counters(
                "calls_total",
                "Calls, when they end",
                &["mode", "transport", "outcome"],
                MODES
                    .iter()
                    .flat_map(|mode| transports().map(move |transport| (*mode, transport)))
                    .chain([(UNKNOWN_MODE, NO_TRANSPORT)])
                    .flat_map(|(mode, transport)| outcomes().map(move |outcome| vec![mode, transport, outcome])),
            )?,
            call_seconds: children(
                &make.histograms(
                    "call_duration_seconds",
                    "From accepted to answered",
                    CALL_SECONDS,
                    &["mode", "transport"],
                )?,
                sync(),
            )?,
            stages: children(
                &make.histograms("call_stage_duration_seconds", "The server's own share", STAGE_SECONDS, &["stage"])?,
                STAGES.iter().map(|stage| vec![*stage]),
            )?,
            device_seconds: children(
                &make.histograms("device_response_seconds", "From sent to the reply", CALL_SECONDS, &["transport"])?,
                transports().map(|transport| vec![transport]),
            )?,
            pending: [state("queued")?, state("sent")?, state("acked")?],
            oldest: make.gauge("pending_oldest_timestamp_seconds", "Start of the oldest pending call; 0 if none")?,
            recent: make.gauge("recent_calls", "Ended calls that are remembered")?,
            late: make.gauge("late_replies", "Replies to asynchronous calls that wait for the journal")?,
            raw: make.gauge("raw_replies", "Messages in devices' own bytes that are being translated")?,
            replies: make.counters(
                "replies_total",
                "Replies of devices",
                &["transport", "result"],
                TransportKind::ALL.iter().flat_map(|kind| REPLY_RESULTS.map(|result| vec![kind.as_str(), result])),
            )?,
            lateness: make.histogram(
                "reply_lateness_seconds",
                "How long after its call ended a late reply came",
                LATE_SECONDS,
            )?,
            violations: violations(&make)?,
            repairs: repairs(&make)?,
            request_bytes: payload.get_metric_with_label_values(&["request"])?,
            reply_bytes: payload.get_metric_with_label_values(&["reply"])?,
        })
    }

    /// A call ended.
    pub(crate) fn call_ended(&self, mode: Option<CallMode>, transport: Option<TransportKind>, outcome: Outcome) {
        let way = match mode {
            Some(mode) => mode as usize * TRANSPORTS + transport_index(transport),
            None => MODES.len() * TRANSPORTS,
        };
        bump(&self.calls, way * Outcome::ALL.len() + outcome as usize);
    }

    /// A synchronous call was answered after this long.
    pub(crate) fn call_took(&self, transport: Option<TransportKind>, took: Duration) {
        observe(&self.call_seconds, transport_index(transport), took);
    }

    /// A stage of a call took this long.
    pub(crate) fn stage_took(&self, stage: Stage, took: Duration) {
        observe(&self.stages, stage as usize, took);
    }

    /// The device answered this long after the message left.
    pub(crate) fn device_took(&self, transport: TransportKind, took: Duration) {
        observe(&self.device_seconds, transport as usize, took);
    }

    /// A reply came.
    pub(crate) fn reply(&self, transport: TransportKind, result: ReplyResult) {
        bump(&self.replies, transport as usize * REPLY_RESULTS.len() + result as usize);
    }

    /// A late reply came this long after its call ended.
    pub(crate) fn late_by(&self, by: Duration) {
        self.lateness.observe(by.as_secs_f64());
    }

    /// A text does not fit the model.
    pub(crate) fn violation(&self, checked: Checked, kind: ViolationKind) {
        bump(&self.violations, checked as usize * ViolationKind::ALL.len() + kind as usize);
    }

    /// Something was mended in a reply.
    pub(crate) fn repaired(&self, repair: Repair) {
        bump(&self.repairs, repair as usize);
    }

    #[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
    pub(crate) fn request_bytes(&self, bytes: usize) {
        self.request_bytes.observe(bytes as f64);
    }

    #[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
    pub(crate) fn reply_bytes(&self, bytes: usize) {
        self.reply_bytes.observe(bytes as f64);
    }

    /// Counts a call among the pending ones until the guard is dropped.
    pub(crate) fn pending(&self) -> PendingGauge<'_> {
        let [queued, _, _] = &self.pending;
        queued.inc();
        PendingGauge { states: &self.pending, state: queued }
    }
}

/// One call among the pending ones.
#[derive(Debug)]
pub(crate) struct PendingGauge<'a> {
    states: &'a [IntGauge; 3],
    state: &'a IntGauge,
}

impl PendingGauge<'_> {
    /// The message left.
    pub(crate) fn sent(&mut self, how: Sent) {
        let [queued, sent, acked] = self.states;
        self.state.dec();
        self.state = match how {
            Sent::Sent => sent,
            Sent::Acked => acked,
            Sent::Kept => queued,
        };
        self.state.inc();
    }
}

impl Drop for PendingGauge<'_> {
    fn drop(&mut self) {
        self.state.dec();
    }
}

/// A number as a gauge holds it.
pub(crate) fn gauge_of(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn transport_index(transport: Option<TransportKind>) -> usize {
    transport.map_or(TRANSPORTS - 1, |kind| kind as usize)
}

pub(crate) fn bump(counters: &[IntCounter], index: usize) {
    if let Some(counter) = counters.get(index) {
        counter.inc();
    }
}

fn observe(histograms: &[Histogram], index: usize, took: Duration) {
    if let Some(histogram) = histograms.get(index) {
        histogram.observe(took.as_secs_f64());
    }
}

fn children<'a>(
    family: &HistogramVec,
    labels: impl Iterator<Item = Vec<&'a str>>,
) -> Result<Vec<Histogram>, prometheus::Error> {
    labels.map(|values| family.get_metric_with_label_values(&values)).collect()
}
