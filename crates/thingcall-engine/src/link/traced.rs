//! The spans of a call: its queue, its commands on their way and at their device, its plugin, its end.
//!
//! **Invariant:** a span that is dropped ended then, without an answer. Where nothing is recorded, none is made.

use std::borrow::Cow;
use std::sync::Arc;

use thingcall_core::{
    CallId, DeliverError, Delivery, Handler, Hop, Outcome, ReplyBody, Sent, SpanKind, Traced, TracedPart, Transport,
    TransportKind, TransportName,
};
use tokio::time::Instant;

use super::Link;
use crate::pending::End;
use crate::traced::{error_of, part};

/// A command that is being handed on.
pub(super) struct Publishing<'a> {
    trace: &'a Traced,
    message: CallId,
    hop: Arc<Hop>,
    by: (TransportKind, TransportName),
    began: Instant,
    ended: Option<Instant>,
    error: Option<Cow<'static, str>>,
}

/// A command at its device.
pub(super) struct DeviceSpan<'a> {
    link: &'a Link<'a>,
    trace: &'a Traced,
    hop: Arc<Hop>,
    left: Instant,
    ended: Option<Instant>,
    code: Option<i64>,
    error: Option<Cow<'static, str>>,
}

/// A call that waits for its turn.
pub(super) struct Waits<'a> {
    trace: &'a Traced,
    began: Instant,
}

impl<'a> Link<'a> {
    fn recorded(&self) -> Option<&'a Traced> {
        self.call.trace.as_deref().filter(|trace| trace.is_recorded())
    }

    /// Its end is known.
    pub(crate) fn trace_ended(&self, outcome: Outcome, at: Instant) {
        let Some(trace) = self.recorded() else { return };
        trace.part(|| part("validate", (self.begun.started, self.begun.validated)));
        let key = &self.call.device.key;
        trace.tell([
            ("thingcall.product", key.product.to_string().into()),
            ("thingcall.device", key.name.to_string().into()),
            ("thingcall.service", self.call.service.to_string().into()),
            ("thingcall.message_id", self.message_id().to_string().into()),
            ("thingcall.mode", self.call.mode.as_str().into()),
            ("thingcall.outcome", outcome.as_str().into()),
        ]);
        trace.tell(self.went_by().map(|kind| ("thingcall.transport", kind.as_str().into())));
        trace.call_ended("call", at.into_std(), error_of(outcome));
    }

    /// A plugin gets it; says its name, where that is recorded.
    pub(crate) fn trace_handler(&self, handler: &dyn Handler) -> Option<String> {
        let trace = self.call.trace.as_deref()?;
        let plugin = handler.plugin()?;
        trace.in_handler();
        trace.is_recorded().then_some(plugin)
    }

    /// The plugin was done with it.
    pub(crate) fn trace_handled(&self, plugin: String, times: (Instant, Instant)) {
        if let Some(trace) = self.recorded() {
            trace.handled(|| TracedPart { facts: vec![("thingcall.plugin", plugin.into())], ..part("plugin", times) });
        }
    }

    pub(super) fn trace_waits(&self) -> Option<Box<Waits<'a>>> {
        self.recorded().map(|trace| Box::new(Waits { trace, began: Instant::now() }))
    }

    /// A command is handed on, from now.
    pub(super) fn trace_publishing(
        &self,
        transport: &dyn Transport,
        delivery: &Delivery,
        now: Instant,
    ) -> Option<Box<Publishing<'a>>> {
        let (trace, hop, message) = (self.recorded()?, delivery.trace.clone()?, delivery.id);
        let by = (transport.kind(), transport.name());
        Some(Box::new(Publishing { trace, message, hop, by, began: now, ended: None, error: None }))
    }

    /// A command is at its device, since it left.
    pub(super) fn trace_at_device<'s>(&'s self, delivery: &Delivery, left: Instant) -> Option<Box<DeviceSpan<'s>>> {
        let (trace, hop) = (self.recorded()?, delivery.trace.clone()?);
        Some(Box::new(DeviceSpan { link: self, trace, hop, left, ended: None, code: None, error: None }))
    }
}

/// A command was handed on, or could not be.
pub(super) fn published(span: Option<Box<Publishing<'_>>>, at: Instant, sent: &Result<Sent, DeliverError>) {
    let Some(mut span) = span else { return };
    span.ended = Some(at);
    let error = sent.as_ref().err().map(|why| match why {
        DeliverError::Offline => Outcome::Offline,
        DeliverError::Down | DeliverError::Lost => Outcome::TransportDown,
        DeliverError::QueueFull(_) => Outcome::Overloaded,
        DeliverError::TooLarge { .. } => Outcome::TooLarge,
        DeliverError::Refused(_) => Outcome::NotDelivered,
    });
    span.error = error.and_then(error_of);
}

impl Drop for Publishing<'_> {
    fn drop(&mut self) {
        let (began, hop) = (self.began, &*self.hop);
        let ended = self.ended.unwrap_or_else(Instant::now);
        let error = self.error.take().or_else(|| self.ended.is_none().then_some(Cow::Borrowed("not_acknowledged")));
        self.trace.part_of(hop, || {
            let system = match self.by.0 {
                TransportKind::Embedded | TransportKind::Mqtt | TransportKind::Plugin => "mqtt",
                TransportKind::Amqp => "rabbitmq",
            };
            let mut facts = vec![
                ("messaging.system", system.into()),
                ("messaging.operation.type", "send".into()),
                ("messaging.message.id", self.message.to_string().into()),
                ("thingcall.transport", self.by.1.to_string().into()),
            ];
            facts.extend(hop.topic().map(|topic| ("messaging.destination.name", topic.to_owned().into())));
            TracedPart { kind: SpanKind::Producer, facts, error, ..part("publish", (began, ended)) }
        });
    }
}

/// A command's end came.
pub(super) fn answered(span: Option<Box<DeviceSpan<'_>>>, end: &End, at: Instant) {
    let Some(mut span) = span else { return };
    span.ended = Some(at);
    let error = match end {
        End::Replied(Ok(body)) => {
            span.code = Some(body.code);
            (body.code != ReplyBody::SUCCESS).then_some(Outcome::DeviceError)
        }
        End::Replied(Err(_)) => Some(Outcome::InvalidReply),
        End::Said(_) => None,
        End::DeviceGone => Some(Outcome::Offline),
        End::TransportLost => Some(Outcome::TransportDown),
        End::CutOff => Some(Outcome::Draining),
        End::Cancelled => Some(Outcome::Cancelled),
        End::LeaseLost => Some(Outcome::NoLease),
    };
    span.error = error.and_then(error_of);
}

impl Drop for DeviceSpan<'_> {
    fn drop(&mut self) {
        let (left, code) = (self.left, self.code);
        let ended = self.ended.unwrap_or_else(Instant::now);
        let error = self.error.take().or_else(|| self.ended.is_none().then_some(Cow::Borrowed("no_answer")));
        self.trace.at_device(&self.hop, None, || {
            let mut facts = vec![("thingcall.device", self.link.call.device.key.name.to_string().into())];
            facts.extend(code.map(|code| ("thingcall.device.code", code.into())));
            TracedPart { kind: SpanKind::Client, facts, error, ..part("device", (left, ended)) }
        });
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        let began = self.began;
        self.trace.part(|| part("queue", (began, Instant::now())));
    }
}
