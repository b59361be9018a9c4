//! One consumer's connection, from its first byte to its last, in any protocol: what is taken when, and what is due when.
//!
//! **Invariants:** nothing is taken while a login is looked at or much output waits; what waits is bounded. The last event
//! is [`Event::Closed`], once, and by then all deliveries are settled.

use std::time::Duration;

use crate::core::{Core, Protocol, Stage};
use crate::machine::{Condition, Decision, DeliveryId, Event, Fault, Machine, NotSent, Notice, Why};

/// What may be held of input that waits, beyond one frame: what a driver may have read by then.
const WAITING_BYTES_MAX: usize = 64 * 1024;
/// What is kept of an empty queue of events.
const EVENTS_KEPT: usize = 4;

#[derive(Debug)]
pub(crate) struct Connection<P> {
    core: Core,
    protocol: P,
    /// What is not a whole frame yet, or waits.
    input: Vec<u8>,
    heard_at: Duration,
}

impl<P: Protocol> Connection<P> {
    pub(crate) fn new(core: Core, protocol: P) -> Self {
        Self { core, protocol, input: Vec::new(), heard_at: Duration::ZERO }
    }

    fn at(&mut self, now: Duration) {
        self.core.now = self.core.now.max(now);
    }

    /// Takes from these bytes what can be taken now, and keeps the rest.
    fn take(&mut self, bytes: Vec<u8>) {
        let mut rest = bytes.as_slice();
        while self.wants_input() {
            match self.protocol.step(&mut self.core, rest) {
                Ok(Some(after)) => rest = after,
                Ok(None) => break,
                Err(fault) => self.fail(fault),
            }
        }
        if self.is_over() || rest.is_empty() {
            return;
        }
        if rest.len() > self.core.limits.frame_bytes_max + WAITING_BYTES_MAX {
            return self.fail(Fault { condition: Condition::ResourceLimitExceeded, text: "too much was sent at once" });
        }
        self.input = if rest.len() == bytes.len() { bytes } else { rest.to_vec() };
    }

    fn fail(&mut self, fault: Fault) {
        self.end(fault.condition, fault.text, Why::Fault(fault));
    }

    fn end(&mut self, condition: Condition, text: &str, why: Why) {
        if !self.is_over() {
            self.protocol.say_close(&mut self.core, condition, text);
            self.core.over(why);
        }
        self.input = Vec::new();
    }

    /// What the peer may not take for ever.
    fn deadline(&self) -> Option<Duration> {
        let Core { stage, limits, linkless_since, .. } = &self.core;
        match stage {
            Stage::Login | Stage::Decision => Some(limits.login_timeout),
            Stage::In => linkless_since.map(|since| since + limits.link_timeout),
            Stage::Over => None,
        }
    }

    fn late(&mut self) {
        match self.core.stage {
            Stage::Login => self.core.over(Why::NoLogin),
            // It is we who are late.
            Stage::Decision => self.authenticated(Decision::Unavailable, self.core.now),
            Stage::In => self.end(Condition::NotAllowed, "no link in time", Why::NoLink),
            Stage::Over => {}
        }
    }

    fn silent_at(&self) -> Option<Duration> {
        let timeout = self.protocol.silence_timeout(&self.core).filter(|_| self.core.stage == Stage::In)?;
        Some(self.heard_at + timeout)
    }

    fn heartbeat_at(&self) -> Option<Duration> {
        let beats = self.core.stage == Stage::In && self.core.output.is_empty();
        self.protocol.heartbeat().filter(|_| beats).map(|every| self.core.output.taken_at() + every)
    }

    fn stalled_at(&self) -> Option<Duration> {
        let since = self.core.output.stalled_since().filter(|_| !self.is_over())?;
        Some(since + self.core.limits.stall_timeout)
    }
}

impl<P: Protocol> Machine for Connection<P> {
    fn receive(&mut self, bytes: &[u8], now: Duration) {
        self.at(now);
        if bytes.is_empty() || self.is_over() {
            return;
        }
        self.heard_at = self.core.now;
        let mut all = std::mem::take(&mut self.input);
        all.extend_from_slice(bytes);
        self.take(all);
    }

    fn disconnected(&mut self) {
        self.core.over(Why::Lost);
        self.core.output.clear();
        self.input = Vec::new();
    }

    fn next_event(&mut self) -> Option<Event> {
        let event = self.core.events.pop_front();
        if self.core.events.is_empty() {
            self.core.events.shrink_to(EVENTS_KEPT);
        }
        event
    }

    fn authenticated(&mut self, decision: Decision, now: Duration) {
        self.at(now);
        if self.core.stage != Stage::Decision {
            return;
        }
        self.protocol.say_decision(&mut self.core, decision);
        match decision {
            Decision::Accepted(_) => {
                self.core.stage = Stage::In;
                self.core.linkless_since = Some(self.core.now);
                self.heard_at = self.core.now;
                let waiting = std::mem::take(&mut self.input);
                self.take(waiting);
            }
            Decision::Refused => self.core.over(Why::Refused),
            Decision::Unavailable => self.core.over(Why::Unavailable),
        }
        if self.is_over() {
            self.input = Vec::new();
        }
    }

    fn room(&self) -> usize {
        if self.core.stage == Stage::In { self.protocol.room(&self.core) } else { 0 }
    }

    fn send(&mut self, notice: &Notice<'_>, now: Duration) -> Result<DeliveryId, NotSent> {
        self.at(now);
        if self.room() == 0 {
            return Err(NotSent::NoRoom);
        }
        self.protocol.send(&mut self.core, notice)
    }

    fn is_draining(&self) -> bool {
        self.core.stage == Stage::In && self.protocol.is_draining()
    }

    fn nothing_to_send(&mut self, now: Duration) {
        self.at(now);
        if self.core.stage == Stage::In {
            self.protocol.pump(&mut self.core, true);
        }
    }

    fn close(&mut self, condition: Condition, text: &str, now: Duration) {
        self.at(now);
        self.end(condition, text, Why::Ordered(condition));
    }

    fn stop(&mut self, now: Duration) {
        self.at(now);
        if !self.is_over() {
            self.protocol.say_stop(&mut self.core);
            self.core.over(Why::Ordered(Condition::ConnectionForced));
        }
    }

    fn tick(&mut self, now: Duration) {
        self.at(now);
        let now = self.core.now;
        let due = |at: Option<Duration>| at.is_some_and(|at| at <= now);
        self.core.ledger.time_out(now, &mut self.core.events);
        if due(self.stalled_at()) {
            self.core.over(Why::Stalled);
            self.core.output.clear();
            self.input = Vec::new();
        } else if due(self.deadline()) {
            self.late();
        } else if due(self.silent_at()) {
            // At any other condition rhea would not connect again (`PROTOCOL.md` 10.4).
            self.end(Condition::ConnectionForced, "nothing was heard for the idle-time-out", Why::Silent);
        } else if due(self.heartbeat_at()) {
            self.protocol.say_heartbeat(self.core.output.end(now));
        }
    }

    fn next_tick(&self) -> Option<Duration> {
        let acknowledgement = self.core.ledger.next_due();
        let all = [self.stalled_at(), self.deadline(), self.silent_at(), self.heartbeat_at(), acknowledgement];
        all.into_iter().flatten().min()
    }

    fn output(&self) -> &[u8] {
        self.core.output.pending()
    }

    fn written(&mut self, bytes: usize, now: Duration) {
        self.at(now);
        let Core { output, ledger, events, .. } = &mut self.core;
        output.written(bytes, now);
        ledger.taken(output.taken(), events);
        if self.core.stage == Stage::In {
            self.protocol.pump(&mut self.core, false);
        }
        if !self.input.is_empty() && self.wants_input() {
            let waiting = std::mem::take(&mut self.input);
            self.take(waiting);
        }
    }

    fn wants_input(&self) -> bool {
        match self.core.stage {
            Stage::Login | Stage::In => !self.core.is_output_full(),
            Stage::Decision | Stage::Over => false,
        }
    }

    fn is_over(&self) -> bool {
        self.core.stage == Stage::Over
    }
}
