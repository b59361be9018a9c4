//! Calls that failed and calls that were slow: one line each for those that failed, and the latest kept to be asked for.
//!
//! **Invariants:** a failure is made where its call ends, once; its line is a view of it. A call that succeeds in time
//! comes here only to be logged, where the configuration asks for that. What is kept is bounded, and what whoever
//! reaches the port can cause (refused requests) pushes out nothing else.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus::IntGauge;
use thingcall_core::{
    CallId, Executed, FailedAt, Failure, Outcome, PeerText, Record, RecordedKey, TransportKind, UnixMillis,
};
use thingcall_metrics::{Maker, gauge_of};
use tracing::{info, warn};

/// The latest ones.
#[derive(Debug)]
pub(crate) struct Failures {
    max: usize,
    /// Of calls that were let in.
    ended: Mutex<VecDeque<Failure>>,
    /// Of those that were not.
    refused: Mutex<VecDeque<Failure>>,
    kept: IntGauge,
}

/// A call, as far as it came.
pub(crate) struct Came {
    pub(crate) id: CallId,
    /// What the caller asked for.
    pub(crate) action: &'static str,
    /// Who signed.
    pub(crate) key: Option<RecordedKey>,
    pub(crate) elapsed: Duration,
    pub(crate) transport: Option<TransportKind>,
    /// Whether its command had left.
    pub(crate) sent: Executed,
    /// Whether its device is known to have answered a command.
    pub(crate) answered: bool,
    /// Whether the caller gets a device's code other than 200 as an error.
    pub(crate) fails_by_code: bool,
}

impl Failures {
    pub(crate) fn register(make: Maker<'_>, failures_max: usize) -> Result<Self, prometheus::Error> {
        make.limit(
            "recent_failures_limit",
            "How many failed and slow calls are kept, and refused ones",
            failures_max * 2,
        )?;
        Ok(Self {
            max: failures_max,
            ended: Mutex::default(),
            refused: Mutex::default(),
            kept: make.gauge("recent_failures", "Failed, slow and refused calls that are kept")?,
        })
    }

    /// Keeps a call that ended, and tells it if it failed.
    pub(crate) fn ended(&self, failure: Failure) {
        if failure.outcome != Outcome::Ok {
            tell_ended(&failure);
        }
        self.keep(&self.ended, failure);
    }

    /// Keeps a request that became no call, and tells it; `signed` says whether its caller is known.
    pub(crate) fn refused(&self, failure: Failure, signed: bool) {
        tell_refused(&failure, signed);
        self.keep(&self.refused, failure);
    }

    /// Those whose RequestId or MessageId this is, newest first.
    pub(crate) fn find(&self, id: &str) -> Vec<Failure> {
        let named = |failure: &&Failure| {
            failure.request_id.eq_ignore_ascii_case(id) || failure.call_id.is_some_and(|own| own.to_string() == id)
        };
        let of = |list: &Mutex<VecDeque<Failure>>| lock(list).iter().rev().filter(named).cloned().collect::<Vec<_>>();
        let mut found = of(&self.ended);
        found.extend(of(&self.refused));
        found
    }

    fn keep(&self, list: &Mutex<VecDeque<Failure>>, failure: Failure) {
        let mut kept = lock(list);
        // The one it replaces is freed after the lock.
        let _oldest = if kept.len() >= self.max { kept.pop_front() } else { None };
        kept.push_back(failure);
        let all = kept.len();
        drop(kept);
        let other = if std::ptr::eq(list, &self.ended) { &self.refused } else { &self.ended };
        self.kept.set(gauge_of(all + lock(other).len()));
    }
}

/// The end of an asynchronous call that its device's reply made no success of.
pub(crate) fn of_record(record: &Record, outcome: Outcome) -> Failure {
    let at = record.ended_at.unwrap_or_else(UnixMillis::now);
    let elapsed = at.0.saturating_sub(record.accepted_at.0);
    let text = match (record.code, &record.message) {
        (Some(code), Some(message)) => format!("the device answered with code {code}: {message}"),
        (Some(code), None) => format!("the device answered with code {code}"),
        (None, Some(message)) => message.clone(),
        (None, None) => format!("it ended as {outcome}"),
    };
    Failure {
        at,
        request_id: record.request_id.clone(),
        key_id: record.key_id.clone(),
        call_id: Some(record.id),
        action: record.action.clone().unwrap_or_default().into(),
        device: record.device.key.to_string(),
        service: record.service.to_string(),
        outcome,
        // Its caller was told that it is on its way.
        code: None,
        executed: if outcome == Outcome::DeviceError { Executed::Yes } else { Executed::Maybe },
        stage: FailedAt::Answer,
        text,
        hint: None,
        elapsed: Duration::from_millis(u64::try_from(elapsed).unwrap_or(0)),
        transport: record.transport,
        plugin: None,
        trace_id: record.trace.as_ref().filter(|hop| hop.context.is_sampled).map(|hop| hop.context.trace_id),
    }
}

/// What is the server's, its plugins' or its broker's to mend, beside what callers and devices did.
const fn is_ours(outcome: Outcome) -> bool {
    match outcome {
        Outcome::Internal
        | Outcome::Overloaded
        | Outcome::PluginFailed
        | Outcome::TransportDown
        | Outcome::NoLease
        | Outcome::NotDelivered
        | Outcome::InvalidReply => true,
        Outcome::Ok
        | Outcome::DeviceError
        | Outcome::Timeout
        | Outcome::Offline
        | Outcome::InvalidArgs
        | Outcome::TooLarge
        | Outcome::UnknownTarget
        | Outcome::Denied
        | Outcome::Throttled
        | Outcome::Cancelled
        | Outcome::Draining => false,
    }
}

/// A line about a failure. The log limits the lines of each place in the code by itself.
macro_rules! line {
    ($level:ident, $line:ident, $message:literal) => {
        $level!(
            request = $line.failure.request_id,
            id = $line.failure.call_id.map(tracing::field::display),
            action = $line.action,
            device = $line.device,
            service = $line.service,
            outcome = $line.failure.outcome.as_str(),
            code = $line.failure.code.as_deref(),
            executed = $line.failure.executed.as_str(),
            stage = $line.failure.stage.as_str(),
            elapsed_ms = millis($line.failure.elapsed),
            transport = $line.failure.transport.map(TransportKind::as_str),
            plugin = $line.failure.plugin.as_deref(),
            why = %PeerText::at_most(&$line.failure.text, LINE_CHARS_MAX),
            hint = $line.hint,
            trace_id = $line.failure.trace_id.map(tracing::field::display),
            $message
        )
    };
}

/// What a line shows of a failure. Texts hold what callers and devices wrote, so they are cut.
struct Line<'a> {
    failure: &'a Failure,
    action: Option<String>,
    device: Option<String>,
    service: Option<String>,
    hint: Option<String>,
}

impl<'a> Line<'a> {
    fn of(failure: &'a Failure) -> Self {
        let named = |name: &str| (!name.is_empty()).then(|| PeerText::new(name).to_string());
        let hint = failure.hint.as_deref().map(|hint| PeerText::at_most(hint, LINE_CHARS_MAX).to_string());
        let (action, device) = (named(&failure.action), named(&failure.device));
        Self { failure, action, device, service: named(&failure.service), hint }
    }
}

/// The one line of a failed call.
fn tell_ended(failure: &Failure) {
    let line = Line::of(failure);
    if is_ours(failure.outcome) {
        line!(warn, line, "call failed");
    } else {
        line!(info, line, "call failed");
    }
}

/// The one line of a request that a front refused. Whoever reaches the port can cause any number of them, and a known
/// caller those beyond its quota: they have places of their own, and leave the lines of other requests theirs.
fn tell_refused(failure: &Failure, signed: bool) {
    let line = Line::of(failure);
    if is_ours(failure.outcome) {
        line!(warn, line, "request refused");
    } else if signed && failure.outcome != Outcome::Throttled {
        line!(info, line, "request refused");
    } else {
        line!(info, line, "request refused");
    }
}

/// As much of a failure's text as a line shows: it is ours, with a little of a peer's in it.
const LINE_CHARS_MAX: usize = 400;

pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Nothing that is done under these locks can panic half way.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
