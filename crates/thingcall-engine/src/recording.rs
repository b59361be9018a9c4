//! Records of calls, made where they end and are kept.
//!
//! **Invariant:** where a call is not kept, nothing is made of it. One that the journal has is not kept twice.

use thingcall_core::{
    Answer, Args, Asks, CallError, CallRecord, CallStep, CallTimes, Executed, FailedAt, Failure, KeptCalls, LateAnswer,
    Outcome, RecordedDevice, RecordedKey, RecordedService, ReplyBody, Request, UnixMillis,
};
use tokio::time::Instant;

use crate::Engine;
use crate::link::Link;
use crate::pending::LateReply;
use crate::steps::ago;

impl Engine {
    /// A call that was let in and has ended; with what is told of it, where it failed or was slow.
    pub(crate) fn record(
        &self,
        link: &Link<'_>,
        outcome: Outcome,
        result: Result<&Answer, &CallError>,
        failure: Option<&Failure>,
    ) {
        if !self.kept.keeps(outcome) || link.is_written_down() {
            return;
        }
        let (call, arrived) = (link.call, link.arrived());
        let executed = if link.steps.has(CallStep::Answered) { Executed::Yes } else { link.executed() };
        let executed = failure.map_or(executed, |failure| failure.executed);
        let record = CallRecord {
            request_id: call.request_id,
            action: link.action().into(),
            call_id: Some(link.message_id()),
            device: RecordedDevice::Known(call.device.clone()),
            service: RecordedService::Named(call.service.clone()),
            key: link.key().cloned(),
            mode: Some(call.mode),
            outcome,
            code: failure.and_then(|failure| failure.code.clone()),
            executed,
            stage: failure.map_or(FailedAt::Answer, |failure| failure.stage),
            transport: link.went_by(),
            plugin: self.plugin_of(link, failure),
            text: failure.map(|failure| failure.text.clone()).unwrap_or_default(),
            hint: failure.and_then(|failure| failure.hint.clone()),
            accepted_at: ago(arrived.elapsed()),
            times: link.steps.times(),
            args: call.letter.is_none().then(|| call.args.clone()),
            letter: call.letter.clone(),
            // Of a letter there are the bytes alone.
            reply: reply(result).filter(|_| call.letter.is_none()).cloned(),
            said: link.said(),
            trace_id: call.trace.as_ref().and_then(|trace| trace.recorded_id()),
        };
        // A flood of calls that find no room is not to cost the store what the server saves by refusing them.
        if outcome == Outcome::Overloaded && executed == Executed::No {
            self.records.put_refused(record);
        } else {
            self.records.put(record);
        }
    }

    /// An answer that came after its call had ended without one; the first of each call.
    #[cold]
    pub(crate) fn record_late(&self, late: LateReply) {
        let LateReply { id: call_id, by: after_end, request_id, body: answer } = late;
        if let (Some(request_id), true) = (request_id, self.kept != KeptCalls::None) {
            self.records.put_late(LateAnswer { request_id, call_id, at: UnixMillis::now(), after_end, answer });
        }
    }

    /// A request that did not become a call.
    pub(crate) fn record_not_admitted(&self, request: &Request, failure: &Failure) {
        if !self.kept.keeps(failure.outcome) {
            return;
        }
        let letter = match &request.asks {
            Asks::Letter(letter) | Asks::LetterUnawaited(letter) => Some(letter.clone()),
            Asks::Service | Asks::ServiceUnawaited | Asks::Properties => None,
        };
        let elapsed = Instant::from_std(request.arrived).elapsed();
        let mut times = CallTimes::default();
        times.set(CallStep::Told, elapsed);
        self.records.put(CallRecord {
            device: RecordedDevice::Asked(request.target.clone()),
            service: RecordedService::Named(request.service.clone()),
            key: request.key.clone(),
            accepted_at: ago(elapsed),
            times,
            args: letter.is_none().then(|| Args::checked(&request.args)),
            letter,
            request_id: request.request_id,
            ..unknown(request.request_id, failure)
        });
    }

    /// A request that a front refused; `signed` says whether its caller is known.
    pub(crate) fn record_refused(&self, failure: &Failure, signed: bool) {
        if !self.kept.keeps(failure.outcome) {
            return;
        }
        let Ok(request_id) = failure.request_id.parse() else { return };
        let record = unknown(request_id, failure);
        if signed && failure.outcome != Outcome::Throttled {
            self.records.put(record);
        } else {
            self.records.put_refused(record);
        }
    }

    fn plugin_of(&self, link: &Link<'_>, failure: Option<&Failure>) -> Option<String> {
        if let Some(failure) = failure {
            return failure.plugin.clone();
        }
        link.steps.has(CallStep::HandlerBegan).then(|| self.router.find(link.call)?.plugin()).flatten()
    }
}

/// What a failure says of a request that no call is known of.
fn unknown(request_id: thingcall_core::RequestId, failure: &Failure) -> CallRecord {
    let mut times = CallTimes::default();
    times.set(CallStep::Told, failure.elapsed);
    CallRecord {
        request_id,
        action: failure.action.clone(),
        call_id: None,
        device: RecordedDevice::Said(failure.device.clone()),
        service: RecordedService::Said(failure.service.clone()),
        key: failure.key_id.clone().map(RecordedKey::Said),
        mode: None,
        outcome: failure.outcome,
        code: failure.code.clone(),
        executed: failure.executed,
        stage: failure.stage,
        transport: None,
        plugin: None,
        text: failure.text.clone(),
        hint: failure.hint.clone(),
        accepted_at: ago(failure.elapsed),
        times,
        args: None,
        letter: None,
        reply: None,
        said: None,
        trace_id: failure.trace_id,
    }
}

/// What the device answered, or a plugin in its place.
const fn reply<'a>(result: Result<&'a Answer, &CallError>) -> Option<&'a ReplyBody> {
    match result {
        Ok(Answer::Replied(body)) => Some(body),
        Ok(Answer::Accepted) | Err(_) => None,
    }
}
