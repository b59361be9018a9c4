//! What the engine tells of a call that failed, was slow or was not let in.

use std::time::Duration;

use thingcall_core::{
    Answer, Call, CallError, CallStep, DeviceRef, Executed, FailedAt, Failure, Outcome, ReplyBody, Request,
    TransportKind, UnixMillis,
};
use tokio::time::Instant;
use tracing::info;

use crate::Engine;
use crate::failures::{Came, millis};
use crate::link::Link;
use crate::metrics::ProductLabel;
use crate::traced;

impl Engine {
    /// Failed and slow calls with this RequestId or MessageId, newest first, as far as they are remembered.
    pub fn failures(&self, id: &str) -> Vec<Failure> {
        self.failures.find(id)
    }

    /// Notes a request that a front refused. `signed` says whether it knew the caller: lines of such requests are told
    /// though others flood the log.
    pub fn refused(&self, failure: Failure, signed: bool) {
        self.record_refused(&failure, signed);
        self.failures.refused(failure, signed);
    }

    /// A request that did not become a call.
    #[cold]
    pub(crate) fn not_admitted(&self, request: &Request, error: &CallError, elapsed: Duration) {
        let product = match &request.target {
            DeviceRef::Key(key) => self.metrics.product(&key.product),
            DeviceRef::IotId(_) => ProductLabel::OTHER,
        };
        self.metrics.call_ended(product, None, None, error.outcome());
        if let Some(trace) = &request.trace {
            traced::not_admitted(trace, request, error);
        }
        let failure = Failure {
            at: UnixMillis::now(),
            request_id: request.request_id.to_string(),
            key_id: request.key.as_ref().map(|key| key.id().to_owned()),
            call_id: None,
            action: request.action.into(),
            device: request.target.to_string(),
            service: request.service.to_string(),
            outcome: error.outcome(),
            code: Some(error.code().as_str().into()),
            executed: error.executed(),
            stage: FailedAt::of(error, false),
            text: error.to_string(),
            hint: None,
            elapsed,
            transport: None,
            plugin: None,
            trace_id: request.trace.as_ref().and_then(|trace| trace.recorded_id()),
        };
        self.record_not_admitted(request, &failure);
        self.failures.ended(failure);
    }

    /// A call that ended then: it is recorded, where such are kept, and told where it failed or took long. Says how long
    /// it took.
    pub(crate) fn note_end(
        &self,
        link: &Link<'_>,
        outcome: Outcome,
        at: Instant,
        result: &Result<Answer, CallError>,
    ) -> Duration {
        link.steps.note(CallStep::Told, at);
        link.trace_ended(outcome, at);
        let elapsed = at - link.started();
        let is_told = outcome != Outcome::Ok || elapsed >= self.config.slow_call;
        let failure = is_told.then(|| self.failure(link.call, &link.came(elapsed), result));
        self.record(link, outcome, result.as_ref(), failure.as_ref());
        if let Some(failure) = failure {
            self.top.ended(&link.call.device.key, outcome, self.took(elapsed));
            self.failures.ended(failure);
        }
        elapsed
    }

    /// What is told of a call that failed, or took long.
    #[cold]
    fn failure(&self, call: &Call, came: &Came, result: &Result<Answer, CallError>) -> Failure {
        let (executed, sent) = (came.sent, came.sent != Executed::No);
        // A plugin may answer though the device did not.
        let device_did =
            if sent && (came.answered || self.router.find(call).is_none()) { Executed::Yes } else { executed };
        let (outcome, code, executed, stage, text) = match result {
            Err(error) => {
                (error.outcome(), Some(error.code()), error.executed(), FailedAt::of(error, sent), error.to_string())
            }
            Ok(Answer::Replied(body)) if body.code != ReplyBody::SUCCESS => {
                let error = CallError::Device { code: body.code, message: body.message.clone() };
                let code = came.fails_by_code.then(|| error.code());
                (Outcome::DeviceError, code, device_did, FailedAt::Answer, error.to_string())
            }
            Ok(Answer::Replied(_)) => (Outcome::Ok, None, device_did, FailedAt::Answer, self.slow("answered")),
            Ok(Answer::Accepted) => (Outcome::Ok, None, executed, FailedAt::Send, self.slow("accepted")),
        };
        Failure {
            outcome,
            code: code.map(|code| code.as_str().into()),
            executed,
            stage,
            text,
            hint: self.hint(call, came, result),
            ..self.bare(call, came)
        }
    }

    /// Why a call that succeeded is told.
    fn slow(&self, how: &str) -> String {
        format!("{how}, and it took longer than slow_call ({:?})", self.config.slow_call)
    }

    /// An asynchronous call whose caller was told that it is on its way, and whose device was away.
    #[cold]
    pub(crate) fn note_not_kept(&self, call: &Call, came: &Came, why: &str) {
        self.top.ended(&call.device.key, Outcome::Offline, self.took(came.elapsed));
        self.failures.ended(Failure { outcome: Outcome::Offline, text: why.to_owned(), ..self.bare(call, came) });
    }

    /// A call whose caller hung up.
    #[cold]
    pub(crate) fn note_cancelled(&self, link: &Link<'_>) {
        let now = Instant::now();
        link.steps.note(CallStep::Told, now);
        link.trace_ended(Outcome::Cancelled, now);
        let (call, came) = (link.call, link.came(now - link.started()));
        let stage = if came.sent == Executed::No { FailedAt::Send } else { FailedAt::Device };
        let text = "the caller hung up before the call ended".to_owned();
        let failure = Failure { stage, text, ..self.bare(call, &came) };
        self.record(link, failure.outcome, Ok(&Answer::Accepted), Some(&failure));
        self.failures.ended(failure);
    }

    fn bare(&self, call: &Call, came: &Came) -> Failure {
        Failure {
            at: UnixMillis::now(),
            request_id: call.request_id.to_string(),
            key_id: came.key.as_ref().map(|key| key.id().to_owned()),
            call_id: Some(came.id),
            action: came.action.into(),
            device: call.device.key.to_string(),
            service: call.service.to_string(),
            outcome: Outcome::Cancelled,
            code: None,
            executed: came.sent,
            stage: FailedAt::Send,
            text: String::new(),
            hint: None,
            elapsed: came.elapsed,
            transport: came.transport,
            plugin: self.router.find(call).and_then(|handler| handler.plugin()),
            trace_id: call.trace.as_ref().and_then(|trace| trace.recorded_id()),
        }
    }

    /// What to check where the text does not say it.
    fn hint(&self, call: &Call, came: &Came, result: &Result<Answer, CallError>) -> Option<String> {
        let Err(CallError::Timeout { hint: None, .. }) = result else { return None };
        if let Some(last) = self.dropped.last_since(&call.device.key, Instant::now().checked_sub(came.elapsed)?) {
            return Some(format!("while the call waited, the device sent for nobody: {}", last.in_words()));
        }
        let kind = came.transport?;
        if let Some((name, why)) = self.transports.failure(kind) {
            return Some(format!("transport {name} is not ready: {why}"));
        }
        (kind == TransportKind::Mqtt).then(|| UNSEEN.to_owned())
    }

    /// Tells a call that succeeded, where the configuration asks for it.
    pub(crate) fn log_success(call: &Call, came: &Came) {
        info!(
            request = %call.request_id, id = %came.id, device = %call.device.key, service = %call.service,
            outcome = Outcome::Ok.as_str(), elapsed_ms = millis(came.elapsed),
            transport = came.transport.map(TransportKind::as_str), "call succeeded"
        );
    }
}

/// What a silent device behind an external broker may have done. Neither topic is read there: on the first each command of
/// ours would come back.
const UNSEEN: &str = "where the device is called by rrpc, an answer on the request's own topic (.../rrpc/request/{id}), or on .../rrpc/response without the id, \
    is not seen behind an external broker; deploy/topics.md has the right ones";
