//! A synchronous command: opened in the map, delivered, waited for.

use thingcall_core::{Answer, CallError, CallStep, Command, Delivery, RecordedKey, ReplyBody, Sent, Transport};
use thingcall_metrics::gauge_of;
use tokio::time::Instant;

use super::Link;
use super::traced::{DeviceSpan, answered};
use crate::at_device::Asked;
use crate::lanes::{Ends, Turn};
use crate::metrics::PendingGauge;
use crate::pending::{End, Opening, PendingCall};

/// How far a synchronous command came.
enum HandedOn {
    /// Its call has ended already; when it was handed on.
    Ended(End, Instant),
    /// It left, then.
    Left(Instant),
}

/// A command that was handed on, and what ends with the wait for its answer.
type OnItsWay<'a> = (HandedOn, Asked<'a>, PendingCall<'a>, PendingGauge<'a>, Option<Box<DeviceSpan<'a>>>);

impl Link<'_> {
    /// A synchronous command: open, deliver, wait. The first two have memory of their own, and give it back before the wait.
    /// The `turn` of a paced one is held while it leaves.
    pub(super) fn ask<'s>(
        &'s self,
        command: Command,
        turn: Option<&'s Turn<'s>>,
    ) -> impl Future<Output = Result<Answer, CallError>> + Send + 's {
        let handing_on = Box::pin(self.hand_on(command, turn));
        async move {
            let (handed_on, asked, mut pending, _gauge, span) = handing_on.await?;
            let end = match handed_on {
                HandedOn::Ended(end, at) => {
                    let came = Instant::now();
                    answered(span, &end, came);
                    self.ended(&end, at, came);
                    end
                }
                HandedOn::Left(at) => {
                    let end = pending.wait().await;
                    let came = Instant::now();
                    asked.came(came);
                    answered(span, &end, came);
                    self.ended(&end, at, came);
                    end
                }
            };
            self.read(end)
        }
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

    /// Opens the call and delivers its command. A reply may overtake the broker's acknowledgement of the message it
    /// answers: then the end is known.
    async fn hand_on<'s>(&'s self, command: Command, turn: Option<&'s Turn<'s>>) -> Result<OnItsWay<'s>, CallError> {
        let began = Instant::now();
        let asked = self.at_device.ask(began);
        let mut delivery = self.delivery(command);
        self.encode(&mut delivery).await?;
        let transport = self.choose()?;
        self.check_letter(&*transport)?;
        // What is learnt of the topics of calls is not learnt from letters.
        delivery.sync_topic = if delivery.letter.is_none() { self.sync_topic(&*transport) } else { None };
        // A codec takes its time.
        let now = if delivery.raw.is_some() { Instant::now() } else { began };
        let Delivery { id, device, service, .. } = &delivery;
        let (request_id, transport_name) = (self.call.request_id, transport.name());
        self.look_for_congestion(&*transport, now);
        let account = self.account();
        let opening = Opening { id: *id, device, transport: transport_name, request_id, service, account };
        let opened = self.engine.pending.open(opening, now);
        let mut pending = opened.map_err(|e| self.not_opened(e))?;
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
        let mut gauge = self.engine.metrics.pending();
        if let Some(turn) = turn {
            turn.leaves(delivery.id);
        }
        let handed_on = tokio::select! {
            biased;
            end = pending.wait() => HandedOn::Ended(end, now),
            sent = self.deliver(&*transport, &delivery, now) => {
                let (sent, at) = sent.map_err(|e| self.not_delivered(e))?;
                gauge.sent(sent);
                self.steps.note(CallStep::Sent, at);
                if sent == Sent::Acked {
                    self.steps.note(CallStep::Acked, at);
                }
                if let Some(turn) = turn.filter(|turn| turn.ends() == Ends::ByAck) {
                    turn.release();
                }
                HandedOn::Left(at)
            }
        };
        let (HandedOn::Ended(_, left) | HandedOn::Left(left)) = &handed_on;
        let span = self.trace_at_device(&delivery, *left);
        Ok((handed_on, asked, pending, gauge, span))
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
