//! The way from a handler to the device of one call.
//!
//! **Invariants:** a synchronous command is opened in the map before it is delivered, an asynchronous one is durable in
//! the journal before it is delivered. However the call ends, it is counted once.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use thingcall_core::{
    Answer, Call, CallError, CallId, CallMode, CallStep, CodecError, Command, Deadline, DeliverError, Delivery,
    DeviceLink, Executed, Outcome, Qos, RecordedKey, Sent, Transport, TransportKind,
};
use thingcall_metrics::TraceId;
use thingcall_tsl::{Pacing, ProductSettings, Route};
use tokio::time::Instant;
use tracing::debug;

use crate::admit::Begun;
use crate::at_device::AtDevice;
use crate::failures::Came;
use crate::lanes::Ends;
use crate::steps::Steps;
use crate::{Engine, Stage};

mod ask;
mod failures;
mod letter;
mod own_answer;
mod paced;
mod post;
mod topic;
mod traced;
mod turn;

pub(crate) use own_answer::Settled;

/// One call's link to its device.
pub(crate) struct Link<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) call: &'a Call,
    begun: &'a Begun,
    /// The id of the first command: the call's, unless the journal still has that one.
    message_id: AtomicU32,
    /// Whether the first command was made; further ones take ids of their own.
    used: AtomicBool,
    /// Whether anything may have left towards the device.
    left: AtomicBool,
    /// Whether a command found no device, and nothing keeps it.
    found_nobody: AtomicBool,
    /// Whether one was handed on, or may have been.
    handed_on: AtomicBool,
    /// Whether it waits for its turn at a device whose calls are paced.
    queued: AtomicBool,
    /// Whether it waits for the journal.
    recording: AtomicBool,
    /// Whether a command of an asynchronous call is on its way, with a record of its own.
    accepted: AtomicBool,
    /// Whether it is in the journal.
    written: AtomicBool,
    transport: OnceLock<TransportKind>,
    /// The topic of its synchronous commands, where the product does not say it.
    asked: OnceLock<topic::Asked>,
    /// What the device answered a letter with.
    said: OnceLock<Bytes>,
    /// How long it has waited for its device.
    pub(crate) at_device: AtDevice,
    /// What happened when.
    pub(crate) steps: Steps,
    finished: bool,
}

/// What a command does on its way to the device.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Course {
    /// It is sent, and nobody waits for anything.
    Publish,
    /// It is sent, and its answer is waited for.
    Ask,
    /// It is written down and sent.
    Post,
    /// Once it has its turn at the device, one of the latter.
    InTurn(Ends),
}

/// A command that is being handed on.
struct Leaving<'a> {
    began: Instant,
    /// Where a trace is recorded.
    span: Option<Box<traced::Publishing<'a>>>,
}

impl<'a> Link<'a> {
    pub(crate) fn new(engine: &'a Engine, begun: &'a Begun) -> Self {
        Self {
            engine,
            call: &begun.admitted.call,
            begun,
            message_id: AtomicU32::new(begun.admitted.call.id.as_u32()),
            used: AtomicBool::new(false),
            left: AtomicBool::new(false),
            found_nobody: AtomicBool::new(false),
            handed_on: AtomicBool::new(false),
            queued: AtomicBool::new(false),
            recording: AtomicBool::new(false),
            accepted: AtomicBool::new(false),
            written: AtomicBool::new(false),
            transport: OnceLock::new(),
            asked: OnceLock::new(),
            said: OnceLock::new(),
            at_device: AtDevice::new(begun.validated),
            steps: Self::checked(begun),
            finished: false,
        }
    }

    fn checked(begun: &Begun) -> Steps {
        let steps = Steps::new(begun.arrived);
        steps.note(CallStep::Checked, begun.validated);
        steps
    }

    /// When the engine got its request.
    pub(crate) const fn started(&self) -> Instant {
        self.begun.started
    }

    /// When its request came.
    pub(crate) const fn arrived(&self) -> Instant {
        self.begun.arrived
    }

    /// What its caller asked for.
    pub(crate) const fn action(&self) -> &'static str {
        self.begun.admitted.action
    }

    /// Who signed it.
    pub(crate) const fn key(&self) -> Option<&RecordedKey> {
        self.begun.admitted.key.as_ref()
    }

    /// The way it went.
    pub(crate) fn went_by(&self) -> Option<TransportKind> {
        self.transport.get().copied()
    }

    /// Whether the journal has it.
    pub(crate) fn is_written_down(&self) -> bool {
        self.written.load(Ordering::Relaxed)
    }

    /// Counts the end of the call; an asynchronous one that is on its way is counted when its record is final.
    pub(crate) fn finish(mut self, outcome: Outcome, elapsed: Duration) -> CallId {
        self.finished = true;
        let (mode, transport) = (self.call.mode, self.transport.get().copied());
        let metrics = &self.engine.metrics;
        if mode == CallMode::Sync || outcome != Outcome::Ok {
            let product = metrics.product(&self.call.device.key.product);
            if mode == CallMode::Sync {
                metrics.call_took(product, transport, (elapsed, self.trace()));
            }
            metrics.call_ended(product, Some(mode), transport, outcome);
        }
        self.message_id()
    }

    /// The trace that the call belongs to, where it is recorded.
    pub(crate) fn trace(&self) -> Option<TraceId> {
        self.call.trace.as_ref().and_then(|trace| trace.recorded_id()).map(|id| id.bytes())
    }

    pub(crate) fn message_id(&self) -> CallId {
        CallId::from_u32(self.message_id.load(Ordering::Relaxed))
    }

    /// How far the call came.
    pub(crate) fn came(&self, elapsed: Duration) -> Came {
        let (id, transport, answered) =
            (self.message_id(), self.transport.get().copied(), self.at_device.came().is_some());
        let (action, key, fails_by_code) = (self.action(), self.key().cloned(), self.begun.fails_by_code);
        Came { id, action, key, elapsed, transport, sent: self.executed(), answered, fails_by_code }
    }

    /// What the device answered a letter with, if it did.
    pub(crate) fn said(&self) -> Option<Bytes> {
        self.said.get().cloned()
    }

    /// Whether all that was sent found no device, and will find none.
    pub(crate) fn reached_nobody(&self) -> bool {
        self.found_nobody.load(Ordering::Relaxed) && !self.handed_on.load(Ordering::Relaxed)
    }

    /// Whether the device was asked anything.
    pub(crate) fn asked_device(&self) -> bool {
        self.used.load(Ordering::Relaxed)
    }

    /// Whether a command of an asynchronous call is on its way.
    pub(crate) fn is_on_its_way(&self) -> bool {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Whether the device may have executed anything, where its answer does not say.
    pub(crate) fn executed(&self) -> Executed {
        if self.left.load(Ordering::Relaxed) { Executed::Maybe } else { Executed::No }
    }

    /// The caller's `MessageId` is that of this record.
    pub(crate) fn recorded_as(&self, id: CallId) {
        self.message_id.store(id.as_u32(), Ordering::Relaxed);
    }

    /// Notes that no transport was needed.
    pub(crate) fn answered_by_handler(&self) {
        let _first = self.transport.get_or_init(|| TransportKind::Plugin);
    }

    fn settings(&self) -> &ProductSettings {
        &self.begun.admitted.product.settings
    }

    /// What is known of the way to the device, beside what was set.
    fn route(&self) -> Route {
        self.begun.admitted.way.as_ref().map(|way| way.route()).unwrap_or_default()
    }

    fn next_id(&self) -> CallId {
        // Of the call's slot, though it may be lost by now: then nobody hears an answer, and the store takes no record.
        self.engine.ids.next(self.call.id.slot(), |id| self.engine.pending.contains(id))
    }

    /// Puts the command into the device's own bytes, where it speaks them. They may hold the id.
    async fn encode(&self, delivery: &mut Delivery) -> Result<(), CallError> {
        let Some(codec) = &self.begun.admitted.codec else { return Ok(()) };
        delivery.raw = None;
        let failed = |problem: CodecError| CallError::Plugin { why: problem.0, executed: self.executed() };
        delivery.raw = Some(codec.encode(delivery).await.map_err(failed)?);
        Ok(())
    }

    fn delivery(&self, command: Command) -> Delivery {
        let first = !self.used.swap(true, Ordering::Relaxed);
        Delivery {
            letter: self.call.letter.clone(),
            id: if first { self.call.id } else { self.next_id() },
            device: self.call.device.clone(),
            service: command.service,
            raw: None,
            params: command.params,
            mode: self.call.mode,
            qos: self.call.qos,
            deadline: self.call.deadline,
            sync_topic: None,
            trace: self.call.trace.as_ref().map(|trace| trace.hop()),
        }
    }

    fn choose(&self) -> Result<Arc<dyn Transport>, CallError> {
        let chosen = self.engine.transports.choose(&self.call.device, self.settings(), || self.route());
        let transport = chosen.map_err(|why| self.no_way(why))?;
        let _first = self.transport.get_or_init(|| transport.kind());
        Ok(transport)
    }

    /// What a command of the call does.
    pub(crate) fn course(&self) -> Course {
        // A message that nobody waits for is nothing that a device works on for long: it takes no turn.
        if self.call.letter.is_some() && self.call.mode == CallMode::Async {
            return Course::Publish;
        }
        match (self.settings().pacing, self.call.mode) {
            (Pacing::AllAtOnce, CallMode::Sync) => Course::Ask,
            (Pacing::AllAtOnce, CallMode::Async) => Course::Post,
            (Pacing::AfterAck, CallMode::Sync | CallMode::Async) => Course::InTurn(Ends::ByAck),
            (Pacing::AfterAnswer, CallMode::Sync | CallMode::Async) => Course::InTurn(Ends::ByAnswer),
        }
    }

    /// Hands the message on; `began` is now. Says when it left.
    async fn deliver(
        &self,
        transport: &dyn Transport,
        delivery: &Delivery,
        began: Instant,
    ) -> Result<(Sent, Instant), DeliverError> {
        let leaving = self.leaves(transport, delivery, began);
        let sent = match transport.deliver_at_once(delivery) {
            Some(sent) => sent,
            None => transport.deliver(delivery).await,
        };
        self.left(transport, delivery, leaving, sent)
    }

    /// The message is handed on from now on, which is `began`.
    fn leaves(&self, transport: &dyn Transport, delivery: &Delivery, began: Instant) -> Leaving<'_> {
        let raw = delivery.letter.as_ref().map(|letter| &letter.payload).or(delivery.raw.as_ref());
        let bytes = raw.map_or(delivery.params.as_str().len(), Bytes::len);
        self.engine.metrics.request_bytes(bytes);
        self.left.store(true, Ordering::Relaxed);
        Leaving { began, span: self.trace_publishing(transport, delivery, began) }
    }

    /// It was handed on, or could not be. Says when it left.
    fn left(
        &self,
        transport: &dyn Transport,
        delivery: &Delivery,
        leaving: Leaving<'_>,
        sent: Result<Sent, DeliverError>,
    ) -> Result<(Sent, Instant), DeliverError> {
        self.engine.watches.sent(delivery, transport.name(), &sent);
        let left = Instant::now();
        let nobody = delivery.qos == Qos::AtMostOnce && matches!(sent, Err(DeliverError::Offline));
        let came_to = if nobody { &self.found_nobody } else { &self.handed_on };
        came_to.store(true, Ordering::Relaxed);
        self.engine.metrics.stage_took(Stage::Publish, left - leaving.began);
        traced::published(leaving.span, left, &sent);
        debug!(message = %delivery.id, transport = transport.kind().as_str(), ?sent, "handed on");
        Ok((sent?, left))
    }
}

impl DeviceLink for Link<'_> {
    // Written out, so that what waits for a reply holds the state of `ask` and nothing beside it.
    fn call<'a, 'b>(&'a self, command: Command) -> Pin<Box<dyn Future<Output = Result<Answer, CallError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        match self.course() {
            Course::Publish => Box::pin(self.publish(command)),
            Course::Ask => Box::pin(self.ask(command, None, Instant::now())),
            Course::Post => Box::pin(self.post(command, None)),
            Course::InTurn(ends) => Box::pin(self.in_turn(command, ends)),
        }
    }

    fn deadline(&self) -> Deadline {
        self.begun.deadline
    }
}

impl Drop for Link<'_> {
    /// A call dropped before its end is one whose caller hung up.
    fn drop(&mut self) {
        if !self.finished {
            let (mode, transport) = (Some(self.call.mode), self.transport.get().copied());
            let product = self.engine.metrics.product(&self.call.device.key.product);
            self.engine.metrics.call_ended(product, mode, transport, Outcome::Cancelled);
            self.engine.note_cancelled(self);
        }
    }
}
