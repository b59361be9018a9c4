//! A synchronous command: opened in the map, delivered, waited for.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use thingcall_core::{
    Answer, CallError, CallStep, Command, DeliverError, Delivery, RecordedKey, ReplyBody, Sent, Transport,
};
use thingcall_metrics::gauge_of;
use tokio::time::Instant;

use super::traced::{DeviceSpan, answered};
use super::{Leaving, Link};
use crate::at_device::Asked;
use crate::lanes::{Ends, Turn};
use crate::metrics::PendingGauge;
use crate::pending::{End, Opening, PendingCall};

/// How far a synchronous command came. One place for all: every call waits in here.
enum Asking<'a> {
    /// Nothing was done.
    New(Option<(Command, Option<&'a Turn<'a>>, Instant)>),
    /// It is being handed on, which takes its time. That has memory of its own, and gives it back before the wait for the
    /// answer.
    HandingOn(HandingOn<'a>),
    /// It was handed on, and its end is waited for.
    OnItsWay(OnItsWay<'a>),
}

type HandingOn<'a> = Pin<Box<dyn Future<Output = Result<OnItsWay<'a>, CallError>> + Send + 'a>>;

/// A command that is in the map, and what ends with it.
struct Opened<'a> {
    transport: Arc<dyn Transport>,
    since: Instant,
    asked: Asked<'a>,
    pending: PendingCall<'a>,
    gauge: PendingGauge<'a>,
    turn: Option<&'a Turn<'a>>,
}

/// A command that was handed on, and what ends with the wait for its answer.
struct OnItsWay<'a> {
    /// The end that came before it was known to have left.
    early: Option<End>,
    left: Instant,
    asked: Asked<'a>,
    pending: PendingCall<'a>,
    _gauge: PendingGauge<'a>,
    span: Option<Box<DeviceSpan<'a>>>,
}

impl<'a> Asking<'a> {
    fn poll_end(&mut self, link: &'a Link<'a>, context: &mut Context<'_>) -> Poll<Result<End, CallError>> {
        loop {
            *self = match self {
                Self::New(command) => {
                    let Some((command, turn, began)) = command.take() else { return Poll::Pending };
                    link.hand_on(command, turn, began)?
                }
                Self::HandingOn(handing_on) => Self::OnItsWay(ready!(handing_on.as_mut().poll(context))?),
                Self::OnItsWay(command) => return command.poll_end(link, context).map(Ok),
            }
        }
    }
}

impl OnItsWay<'_> {
    fn poll_end(&mut self, link: &Link<'_>, context: &mut Context<'_>) -> Poll<End> {
        let early = self.early.take();
        let waited = early.is_none();
        let end = match early {
            Some(end) => end,
            None => ready!(self.pending.poll_wait(context)),
        };
        let came = Instant::now();
        if waited {
            self.asked.came(came);
        }
        answered(self.span.take(), &end, came);
        link.ended(&end, self.left, came);
        Poll::Ready(end)
    }
}

impl Link<'_> {
    /// A synchronous command: open, deliver, wait; `began` is now. The `turn` of a paced one is held while it leaves.
    pub(crate) fn ask<'s>(
        &'s self,
        command: Command,
        turn: Option<&'s Turn<'s>>,
        began: Instant,
    ) -> impl Future<Output = Result<Answer, CallError>> + Send + 's {
        let mut asking = Asking::New(Some((command, turn, began)));
        poll_fn(move |context| asking.poll_end(self, context).map(|ended| self.read(ended?)))
    }

    /// The command that was sent then has ended now.
    fn ended(&self, end: &End, sent: Instant, now: Instant) {
        if matches!(end, End::Replied(_) | End::Said(_)) {
            self.steps.note(CallStep::Answered, now);
            if let Some(transport) = self.transport.get() {
                self.engine.metrics.device_took(*transport, now - sent, self.trace());
            }
        }
    }

    /// Opens the call and delivers its command.
    fn hand_on<'s>(
        &'s self,
        command: Command,
        turn: Option<&'s Turn<'s>>,
        began: Instant,
    ) -> Result<Asking<'s>, CallError> {
        let asked = self.at_device.ask(began);
        let mut delivery = self.delivery(command);
        if self.begun.admitted.codec.is_some() {
            return Ok(Asking::HandingOn(Box::pin(self.translate(delivery, turn, asked))));
        }
        let opened = self.open(&mut delivery, turn, (asked, began))?;
        let leaving = self.leaves(&*opened.transport, &delivery, began);
        Ok(match opened.transport.deliver_at_once(&delivery) {
            Some(sent) => Asking::OnItsWay(self.is_handed_on(&delivery, opened, leaving, sent)?),
            None => Asking::HandingOn(Box::pin(self.deliver_opened(delivery, opened, leaving))),
        })
    }

    /// The same of a command that a codec puts into the device's own bytes first.
    async fn translate<'s>(
        &'s self,
        mut delivery: Delivery,
        turn: Option<&'s Turn<'s>>,
        asked: Asked<'s>,
    ) -> Result<OnItsWay<'s>, CallError> {
        self.encode(&mut delivery).await?;
        // A codec takes its time.
        let now = Instant::now();
        let opened = self.open(&mut delivery, turn, (asked, now))?;
        let leaving = self.leaves(&*opened.transport, &delivery, now);
        self.deliver_opened(delivery, opened, leaving).await
    }

    /// Enters a command into the map, now.
    fn open<'s>(
        &'s self,
        delivery: &mut Delivery,
        turn: Option<&'s Turn<'s>>,
        (asked, now): (Asked<'s>, Instant),
    ) -> Result<Opened<'s>, CallError> {
        let transport = self.choose()?;
        self.check_letter(&*transport)?;
        // What is learnt of the topics of calls is not learnt from letters.
        delivery.sync_topic = if delivery.letter.is_none() { self.sync_topic(&*transport) } else { None };
        let Delivery { id, device, service, .. } = &*delivery;
        let (request_id, transport_name) = (self.call.request_id, transport.name());
        self.look_for_congestion(&*transport, now);
        let account = self.account();
        let opening = Opening { id: *id, device, transport: transport_name, request_id, service, account };
        let opened = self.engine.pending.open(opening, now);
        let pending = opened.map_err(|e| self.not_opened(e))?;
        // A plugin takes its time, and the slot may be lost meanwhile. Lost from here on, it ends what the map holds.
        if !self.engine.slots.holds(delivery.id) {
            return Err(CallError::NoLease);
        }
        if delivery.raw.is_some() {
            self.engine.pending.asks_raw(delivery.id);
        }
        if delivery.letter.is_some() {
            self.engine.pending.takes_bytes(delivery.id);
        }
        let gauge = self.engine.metrics.pending();
        if let Some(turn) = turn {
            turn.leaves(delivery.id);
        }
        Ok(Opened { transport, since: now, asked, pending, gauge, turn })
    }

    /// Delivers a command that is in the map, where that takes its time. A reply may overtake the broker's acknowledgement
    /// of the message it answers: then the end is known.
    async fn deliver_opened<'s>(
        &'s self,
        delivery: Delivery,
        mut opened: Opened<'s>,
        leaving: Leaving<'s>,
    ) -> Result<OnItsWay<'s>, CallError> {
        let sent = tokio::select! {
            biased;
            end = opened.pending.wait() => {
                // Its part of the trace ends here, without an acknowledgement.
                drop(leaving);
                let (span, since) = (self.trace_at_device(&delivery, opened.since), opened.since);
                return Ok(opened.on_its_way(Some(end), since, span));
            }
            sent = opened.transport.deliver(&delivery) => sent,
        };
        self.is_handed_on(&delivery, opened, leaving, sent)
    }

    /// A command that is in the map was handed on, or could not be.
    fn is_handed_on<'s>(
        &'s self,
        delivery: &Delivery,
        mut opened: Opened<'s>,
        leaving: Leaving<'_>,
        sent: Result<Sent, DeliverError>,
    ) -> Result<OnItsWay<'s>, CallError> {
        let sent = self.left(&*opened.transport, delivery, leaving, sent);
        let (sent, at) = sent.map_err(|e| self.not_delivered(e))?;
        opened.gauge.sent(sent);
        self.steps.note(CallStep::Sent, at);
        if sent == Sent::Acked {
            self.steps.note(CallStep::Acked, at);
        }
        if let Some(turn) = opened.turn.filter(|turn| turn.ends() == Ends::ByAck) {
            turn.release();
        }
        let span = self.trace_at_device(delivery, at);
        Ok(opened.on_its_way(None, at, span))
    }

    /// Whose call it is, where an account made it.
    fn account(&self) -> Option<&str> {
        match &self.begun.admitted.key {
            Some(RecordedKey::Signed(key)) => Some(&key.account),
            Some(RecordedKey::Said(_)) | None => None,
        }
    }

    /// Gives or takes room for calls, where it is time to, by how long the way to the device takes now. What of that is the
    /// server's own tardiness, on the way out, at the probe and on the way back, fewer calls would not mend: refusing them takes
    /// its time, too.
    fn look_for_congestion(&self, transport: &dyn Transport, now: Instant) {
        let engine = self.engine;
        let delay = || transport.delay().saturating_sub(engine.lag.now() * 3);
        if let Some(room) = engine.pending.room.look(now, engine.config.congestion_delay, delay) {
            engine.metrics.room.set(gauge_of(room));
        }
    }

    fn read(&self, end: End) -> Result<Answer, CallError> {
        if let End::Replied(_) = &end {
            self.device_answered();
        }
        match end {
            End::Replied(Ok(body)) => Ok(Answer::Replied(body)),
            End::Replied(Err(malformed)) => Err(CallError::InvalidReply(malformed.to_string())),
            End::Said(bytes) => {
                let _first = self.said.set(bytes);
                Ok(Answer::Replied(ReplyBody { code: ReplyBody::SUCCESS, message: None, data: "{}".to_owned() }))
            }
            End::DeviceGone => Err(CallError::WentOffline(self.call.device.key.to_string())),
            End::TransportLost => Err(CallError::TransportLost),
            End::CutOff => Err(CallError::CutOff(self.call.device.key.to_string())),
            End::Cancelled => Err(self.cancelled()),
            End::LeaseLost => Err(CallError::LeaseLost(self.call.device.key.to_string())),
        }
    }
}

impl<'a> Opened<'a> {
    fn on_its_way(self, early: Option<End>, left: Instant, span: Option<Box<DeviceSpan<'a>>>) -> OnItsWay<'a> {
        OnItsWay { early, left, asked: self.asked, pending: self.pending, _gauge: self.gauge, span }
    }
}
