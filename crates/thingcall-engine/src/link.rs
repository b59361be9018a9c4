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
    Answer, Call, CallError, CallId, CallMode, CodecError, Command, Deadline, DeliverError, Delivery, DeviceLink,
    Executed, JournalEntry, JournalError, Outcome, Qos, Sent, Transport, TransportKind, UnixMillis,
};
use thingcall_tsl::ProductSettings;
use tokio::time::Instant;
use tracing::debug;

use crate::admit::Begun;
use crate::at_device::AtDevice;
use crate::failures::Came;
use crate::metrics::PendingGauge;
use crate::pending::{End, PendingCall};
use crate::{Engine, Stage};

mod failures;
mod topic;
mod turn;
pub(crate) use self::{failures::not_recorded, turn::Turns};

/// How far a synchronous command came.
enum HandedOn {
    /// Its call has ended already.
    Ended(End),
    /// It left, then.
    Left(Instant),
}

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
    /// Whether it waits for the journal.
    recording: AtomicBool,
    /// Whether a command of an asynchronous call is on its way, with a record of its own.
    accepted: AtomicBool,
    transport: OnceLock<TransportKind>,
    /// The topic of its synchronous commands, where the product does not say it.
    asked: OnceLock<topic::Asked>,
    /// How long it has waited for its device.
    pub(crate) at_device: AtDevice,
    finished: bool,
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
            recording: AtomicBool::new(false),
            accepted: AtomicBool::new(false),
            transport: OnceLock::new(),
            asked: OnceLock::new(),
            at_device: AtDevice::new(begun.validated),
            finished: false,
        }
    }

    /// Counts the end of the call; an asynchronous one that is on its way is counted when its record is final.
    pub(crate) fn finish(mut self, outcome: Outcome, elapsed: Duration) -> CallId {
        self.finished = true;
        let (mode, transport) = (self.call.mode, self.transport.get().copied());
        if mode == CallMode::Sync {
            self.engine.metrics.call_took(transport, elapsed);
        }
        if mode == CallMode::Sync || outcome != Outcome::Ok {
            self.engine.metrics.call_ended(Some(mode), transport, outcome);
        }
        self.message_id()
    }

    fn message_id(&self) -> CallId {
        CallId::from_u32(self.message_id.load(Ordering::Relaxed))
    }

    /// How far the call came.
    pub(crate) fn came(&self, elapsed: Duration) -> Came {
        let (id, transport, answered) =
            (self.message_id(), self.transport.get().copied(), self.at_device.came().is_some());
        Came { id, elapsed, transport, sent: self.executed(), answered, fails_by_code: self.begun.fails_by_code }
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

    fn next_id(&self) -> CallId {
        self.engine.ids.next(|id| self.engine.pending.contains(id))
    }

    /// What the call itself says, for its record.
    pub(crate) fn own_delivery(&self) -> Delivery {
        self.delivery(Command { service: self.call.service.clone(), params: self.call.args.clone() })
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
            id: if first { self.call.id } else { self.next_id() },
            device: self.call.device.clone(),
            service: command.service,
            raw: None,
            params: command.params,
            mode: self.call.mode,
            qos: self.call.qos,
            deadline: self.call.deadline,
            sync_topic: None,
        }
    }

    fn choose(&self) -> Result<Arc<dyn Transport>, CallError> {
        let Engine { transports, registry, .. } = self.engine;
        let transport =
            transports.choose(&self.call.device, self.settings(), &**registry).map_err(|why| self.no_way(why))?;
        let _first = self.transport.get_or_init(|| transport.kind());
        Ok(transport)
    }

    /// Hands the message on; `began` is now. Says when it left.
    async fn deliver(
        &self,
        transport: &dyn Transport,
        delivery: &Delivery,
        began: Instant,
    ) -> Result<(Sent, Instant), DeliverError> {
        let bytes = delivery.raw.as_ref().map_or(delivery.params.as_str().len(), Bytes::len);
        self.engine.metrics.request_bytes(bytes);
        self.left.store(true, Ordering::Relaxed);
        let sent = transport.deliver(delivery).await;
        let left = Instant::now();
        self.engine.metrics.stage_took(Stage::Publish, left - began);
        debug!(message = %delivery.id, transport = transport.kind().as_str(), ?sent, "handed on");
        Ok((sent?, left))
    }

    /// A synchronous command: open, deliver, wait. The first two have memory of their own, and give it back before the wait.
    fn ask(&self, command: Command) -> impl Future<Output = Result<Answer, CallError>> + Send + '_ {
        let handing_on = Box::pin(self.hand_on(command));
        async move {
            let asked = self.at_device.ask();
            let (handed_on, mut pending, _gauge) = handing_on.await?;
            let end = match handed_on {
                HandedOn::Ended(end) => end,
                HandedOn::Left(at) => {
                    let end = pending.wait().await;
                    let came = Instant::now();
                    self.device_took(came - at);
                    asked.came(came);
                    end
                }
            };
            self.read(end)
        }
    }

    fn device_took(&self, took: Duration) {
        if let Some(transport) = self.transport.get() {
            self.engine.metrics.device_took(*transport, took);
        }
    }

    /// Opens the call and delivers its command. A reply may overtake the broker's acknowledgement of the message it
    /// answers: then the end is known.
    async fn hand_on(&self, command: Command) -> Result<(HandedOn, PendingCall<'a>, PendingGauge<'a>), CallError> {
        let mut delivery = self.delivery(command);
        self.encode(&mut delivery).await?;
        let transport = self.choose()?;
        delivery.sync_topic = self.sync_topic(&*transport);
        let now = Instant::now();
        let opened = self.engine.pending.open(delivery.id, &delivery.device, transport.name(), now);
        let mut pending = opened.map_err(|e| self.not_opened(e))?;
        if delivery.raw.is_some() {
            self.engine.pending.asks(delivery.id, &delivery.service);
        }
        let mut gauge = self.engine.metrics.pending();
        let handed_on = tokio::select! {
            biased;
            end = pending.wait() => HandedOn::Ended(end),
            sent = self.deliver(&*transport, &delivery, now) => {
                let (sent, at) = sent.map_err(|e| self.not_delivered(e))?;
                gauge.sent(sent);
                HandedOn::Left(at)
            }
        };
        Ok((handed_on, pending, gauge))
    }

    fn read(&self, end: End) -> Result<Answer, CallError> {
        if let End::Replied(_) = &end {
            self.device_answered();
        }
        match end {
            End::Replied(Ok(body)) => Ok(Answer::Replied(body)),
            End::Replied(Err(malformed)) => Err(CallError::InvalidReply(malformed.to_string())),
            End::DeviceGone => Err(CallError::WentOffline(self.call.device.key.to_string())),
            End::TransportLost => Err(CallError::TransportLost),
            End::CutOff => Err(CallError::CutOff(self.call.device.key.to_string())),
        }
    }

    /// An asynchronous command: write it down, deliver. A device that is away is no failure of the call.
    async fn post(&self, command: Command) -> Result<Answer, CallError> {
        let _asked = self.at_device.ask();
        let turn = if self.settings().answers_in_order() { Some(Box::pin(self.turn()).await?) } else { None };
        let delivery = self.delivery(command);
        let mut written = Written { link: self, delivery, to_device: true, settled: false };
        self.write_down(&mut written).await.inspect_err(|_| written.settled())?;
        drop(turn);
        let transport = self.choose().inspect_err(|e| written.failed(e.outcome(), &e.to_string()))?;
        match self.deliver(&*transport, &written.delivery, Instant::now()).await {
            Ok((how, _)) => written.sent(transport.kind(), how),
            Err(DeliverError::Offline) => {
                let (outcome, why) = (Outcome::Offline, self.not_kept());
                written.failed(outcome, why);
                let came = self.came(self.begun.started.elapsed());
                let sent = if self.is_on_its_way() { came.sent } else { Executed::No };
                self.engine.note_not_kept(self.call, &Came { sent, ..came }, why);
                self.engine.metrics.call_ended(Some(CallMode::Async), Some(transport.kind()), outcome);
            }
            Err(error) => {
                let error = self.not_delivered(error);
                written.failed(error.outcome(), &error.to_string());
                return Err(error);
            }
        }
        self.accepted.store(true, Ordering::Relaxed);
        Ok(Answer::Accepted)
    }

    fn not_kept(&self) -> &'static str {
        match self.call.qos {
            Qos::AtMostOnce => "the device was offline, and at QoS 0 nothing is kept for it",
            Qos::AtLeastOnce => "the broker has nobody to give it to, and keeps nothing",
        }
    }

    /// Makes the command durable, under another id where a call before a restart still has this one.
    pub(crate) async fn write_down(&self, written: &mut Written<'_>) -> Result<(), CallError> {
        let (request_id, accepted_at) = (self.call.request_id, UnixMillis::now());
        loop {
            if written.to_device {
                self.encode(&mut written.delivery).await?;
                // From here on the command may be in the outbox of a device that connects this very moment.
                self.left.store(true, Ordering::Relaxed);
            }
            let entry = JournalEntry { delivery: written.delivery.clone(), request_id, accepted_at };
            self.recording.store(true, Ordering::Relaxed);
            let opened = self.engine.journal.open(entry).await;
            self.recording.store(false, Ordering::Relaxed);
            match opened {
                Err(JournalError::IdInUse) => {
                    let next = self.next_id();
                    if written.delivery.id == self.call.id {
                        self.recorded_as(next);
                    }
                    written.delivery.id = next;
                }
                opened => return opened.map_err(not_recorded),
            }
        }
    }
}

impl DeviceLink for Link<'_> {
    // Written out, so that what waits for a reply holds the state of `ask` and nothing beside it.
    fn call<'a, 'b>(&'a self, command: Command) -> Pin<Box<dyn Future<Output = Result<Answer, CallError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        match self.call.mode {
            CallMode::Sync => Box::pin(self.ask(command)),
            CallMode::Async => Box::pin(self.post(command)),
        }
    }

    fn began(&self) -> std::time::Instant {
        self.begun.validated.into_std()
    }

    fn deadline(&self) -> Deadline {
        self.begun.deadline
    }

    fn answered(&self, at: std::time::Instant) {
        self.at_device.handler_answered(Instant::from_std(at));
    }
}

impl Drop for Link<'_> {
    /// A call dropped before its end is one whose caller hung up.
    fn drop(&mut self) {
        if !self.finished {
            let (mode, transport) = (Some(self.call.mode), self.transport.get().copied());
            self.engine.metrics.call_ended(mode, transport, Outcome::Cancelled);
            self.engine.note_cancelled(self.call, &self.came(self.begun.started.elapsed()));
        }
    }
}

/// A command on its way into the journal and to its device. Dropped so, its record is closed: nobody was told that it is
/// on its way, so it must not be sent later.
pub(crate) struct Written<'a> {
    link: &'a Link<'a>,
    delivery: Delivery,
    to_device: bool,
    settled: bool,
}

impl<'a> Written<'a> {
    /// A call that goes to no device.
    pub(crate) fn answered(link: &'a Link<'a>, delivery: Delivery) -> Self {
        Self { link, delivery, to_device: false, settled: false }
    }

    /// There is no record to close.
    pub(crate) fn settled(&mut self) {
        self.settled = true;
    }

    fn sent(&mut self, transport: TransportKind, how: Sent) {
        self.settled = true;
        if how != Sent::Kept {
            self.link.engine.journal.sent(&self.delivery.device.key, self.delivery.id, transport, how);
        }
    }

    pub(crate) fn delivery(&self) -> &Delivery {
        &self.delivery
    }

    fn failed(&mut self, outcome: Outcome, why: &str) {
        self.settled = true;
        self.link.engine.journal.failed(&self.delivery.device.key, self.delivery.id, outcome, why);
    }
}

impl Drop for Written<'_> {
    fn drop(&mut self) {
        if !self.settled {
            self.failed(Outcome::Cancelled, "the caller hung up, or its time was over, while the command was sent");
        }
    }
}
