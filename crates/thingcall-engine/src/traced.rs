//! What is told of a call to its trace.
//!
//! **Invariant:** where nothing is recorded, nothing is made: each function here is one look at an `Option` then.

use std::borrow::Cow;

use thingcall_core::{CallError, DeviceRef, Outcome, Request, SpanKind, Traced, TracedPart};
use tokio::time::Instant;

/// A part of a call of this server's own, between these times.
pub(crate) fn part(name: &'static str, (began, ended): (Instant, Instant)) -> TracedPart {
    let (began, ended) = (began.into_std(), ended.into_std());
    TracedPart { name, kind: SpanKind::Internal, began, ended, facts: Vec::new(), error: None }
}

/// The word for how a call failed, if it did.
pub(crate) fn error_of(outcome: Outcome) -> Option<Cow<'static, str>> {
    (outcome != Outcome::Ok).then(|| Cow::Borrowed(outcome.as_str()))
}

/// An answer was held against the model.
pub(crate) fn decoded(trace: &Traced, times: (Instant, Instant), error: Option<&CallError>) {
    trace.part(|| TracedPart { error: error.and_then(|error| error_of(error.outcome())), ..part("decode", times) });
}

/// A request became no call.
#[cold]
pub(crate) fn not_admitted(trace: &Traced, request: &Request, error: &CallError) {
    if !trace.is_recorded() {
        return;
    }
    match &request.target {
        DeviceRef::Key(key) => trace.tell([
            ("thingcall.product", key.product.to_string().into()),
            ("thingcall.device", key.name.to_string().into()),
        ]),
        DeviceRef::IotId(id) => trace.tell([("thingcall.iot_id", id.to_string().into())]),
    }
    trace.tell([
        ("thingcall.service", request.service.to_string().into()),
        ("thingcall.outcome", error.outcome().as_str().into()),
    ]);
    trace.call_ended("call", Instant::now().into_std(), error_of(error.outcome()));
}
