//! One consumer's AMQP connection, from its first byte to its last.

use std::collections::VecDeque;
use std::time::Duration;

use super::endpoint::{Endpoint, Talk};
use super::frames::{self, AMQP, AMQP_HEADER, BYTES_MAX_BEFORE_OPEN, Frame, MECHANISMS, SASL, SASL_HEADER, header};
use super::heard::{Heard, Open, SaslInit};
use super::said::{self, SaslCode};
use super::walk::Malformed;
use crate::limits::Limits;
use crate::machine::{Condition, Decision, DeliveryId, Event, Fault, Machine, NotSent, Notice, Password, Why};
use crate::output::Output;

/// The smallest max-frame-size there is.
const FRAME_BYTES_MIN: usize = 512;
/// An empty frame is sent no more often than this, whatever the peer asks for.
const HEARTBEAT_MIN: Duration = Duration::from_millis(100);
/// What may be held of input that waits, beyond one frame: what a driver may have read by then.
const WAITING_BYTES_MAX: usize = 64 * 1024;
/// What is kept of an empty queue of events.
const EVENTS_KEPT: usize = 4;

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    SaslHeader,
    SaslInit,
    /// Our answer to the login.
    Decision,
    AmqpHeader,
    Open,
    Running,
    Over,
}

/// The state machine of one AMQP 1.0 connection.
#[derive(Debug)]
pub struct Amqp {
    limits: Limits,
    now: Duration,
    phase: Phase,
    /// What is not a whole frame yet, or waits.
    input: Vec<u8>,
    output: Output,
    events: VecDeque<Event>,
    endpoint: Endpoint,
    heard_at: Duration,
    /// How often the peer is to hear something.
    heartbeat: Option<Duration>,
}

fn malformed(error: Malformed) -> Fault {
    let text = match error {
        Malformed::Cut => "a value ends before its end",
        Malformed::Nested => "values are nested too deep",
        Malformed::Constructor => "a value is of no known type",
        Malformed::Descriptor => "a descriptor is neither a number nor a symbol",
        Malformed::Size => "count and size of a value do not fit each other",
        Malformed::Field => "a field has the wrong type, or is out of its range",
        Malformed::Missing => "a field that must be there is missing",
        Malformed::Performative => "no such performative",
    };
    Fault { condition: Condition::DecodeError, text }
}

const fn framing(text: &'static str) -> Fault {
    Fault { condition: Condition::FramingError, text }
}

impl Amqp {
    /// A connection that begins now.
    pub fn new(limits: Limits) -> Self {
        Self::starting_at(limits, 0)
    }

    /// With all serial numbers beginning there.
    pub(crate) fn starting_at(limits: Limits, first_serial: u32) -> Self {
        let endpoint = Endpoint::new(&limits, first_serial);
        Self {
            limits,
            now: Duration::ZERO,
            phase: Phase::SaslHeader,
            input: Vec::new(),
            output: Output::default(),
            events: VecDeque::new(),
            endpoint,
            heard_at: Duration::ZERO,
            heartbeat: None,
        }
    }

    fn at(&mut self, now: Duration) {
        self.now = self.now.max(now);
    }

    fn say(&mut self) -> &mut Vec<u8> {
        self.output.end(self.now)
    }

    fn talk(&mut self) -> (&mut Endpoint, Talk<'_>) {
        (&mut self.endpoint, Talk { output: &mut self.output, events: &mut self.events, now: self.now })
    }

    /// Takes from these bytes what can be taken now, and keeps the rest.
    fn take(&mut self, bytes: Vec<u8>) {
        let mut rest = bytes.as_slice();
        while self.wants_input() {
            match self.step(rest) {
                Ok(Some(after)) => rest = after,
                Ok(None) => break,
                Err(fault) => self.fail(fault),
            }
        }
        if self.phase == Phase::Over || rest.is_empty() {
            return;
        }
        if rest.len() > self.limits.frame_bytes_max + WAITING_BYTES_MAX {
            return self.fail(Fault { condition: Condition::ResourceLimitExceeded, text: "too much was sent at once" });
        }
        self.input = if rest.len() == bytes.len() { bytes } else { rest.to_vec() };
    }

    /// Takes one header or frame, and says what is left; `None` if it is not all there.
    fn step<'a>(&mut self, bytes: &'a [u8]) -> Result<Option<&'a [u8]>, Fault> {
        match self.phase {
            Phase::SaslHeader => Ok(self.hear_header(bytes, SASL_HEADER, Phase::SaslInit)),
            Phase::AmqpHeader => Ok(self.hear_header(bytes, AMQP_HEADER, Phase::Open)),
            Phase::SaslInit | Phase::Open => {
                let Some((frame, rest)) = frames::cut(bytes, BYTES_MAX_BEFORE_OPEN)? else { return Ok(None) };
                if self.phase == Phase::SaslInit {
                    self.hear_sasl(&frame)?
                } else {
                    self.hear_open(&frame)?
                }
                Ok(Some(rest))
            }
            Phase::Running => {
                let Some((frame, rest)) = frames::cut(bytes, self.limits.frame_bytes_max)? else { return Ok(None) };
                self.hear(&frame)?;
                Ok(Some(rest))
            }
            Phase::Decision | Phase::Over => Ok(None),
        }
    }

    /// A wrong header is answered with the right one, and the end.
    fn hear_header<'a>(&mut self, bytes: &'a [u8], wanted: [u8; 8], next: Phase) -> Option<&'a [u8]> {
        let right = header(bytes, wanted)?;
        self.say().extend_from_slice(&wanted);
        if !right {
            self.over(Why::Fault(framing("not the protocol header that is spoken here")));
            return None;
        }
        self.phase = next;
        if next == Phase::SaslInit {
            self.say().extend_from_slice(&MECHANISMS);
        }
        bytes.get(wanted.len()..)
    }

    fn hear_sasl(&mut self, frame: &Frame<'_>) -> Result<(), Fault> {
        if frame.kind != SASL {
            return Err(framing("a frame that is not SASL's before the login"));
        }
        let init = SaslInit::read(frame.body).map_err(malformed)?;
        let plain = init.filter(|init| init.mechanism == "PLAIN").and_then(|init| init.plain());
        self.phase = Phase::Decision;
        let Some((user, password)) = plain else {
            self.authenticated(Decision::Refused, self.now);
            return Ok(());
        };
        let (user, password) = (user.to_owned(), Password(password.to_owned()));
        self.events.push_back(Event::Authenticate { user, password });
        Ok(())
    }

    fn hear_open(&mut self, frame: &Frame<'_>) -> Result<(), Fault> {
        if frame.kind != AMQP {
            return Err(framing("a frame of SASL's after the login"));
        }
        if frame.body.is_empty() {
            return Ok(());
        }
        let Heard::Open(open) = Heard::read(frame.body).map_err(malformed)? else {
            return Err(Fault { condition: Condition::NotAllowed, text: "the first frame must be an open" });
        };
        let Open { frame_bytes_max, idle_timeout_ms } = open;
        self.say_open();
        self.endpoint.frames_up_to((frame_bytes_max as usize).max(FRAME_BYTES_MIN));
        let idle = Some(idle_timeout_ms).filter(|idle| *idle > 0);
        // Half of it: some clients hang up when nothing came for exactly what they said.
        self.heartbeat = idle.map(|idle| (Duration::from_millis(idle.into()) / 2).max(HEARTBEAT_MIN));
        self.phase = Phase::Running;
        Ok(())
    }

    fn say_open(&mut self) {
        let frame_bytes_max = u32::try_from(self.limits.frame_bytes_max).unwrap_or(u32::MAX);
        let idle_ms = u32::try_from((self.limits.silence_timeout / 2).as_millis()).unwrap_or(u32::MAX);
        said::open(self.say(), frame_bytes_max, u16::MAX, idle_ms);
    }

    fn hear(&mut self, frame: &Frame<'_>) -> Result<(), Fault> {
        if frame.kind != AMQP {
            return Err(framing("a frame of SASL's after the login"));
        }
        if frame.body.is_empty() {
            return Ok(());
        }
        let heard = Heard::read(frame.body).map_err(malformed)?;
        if let Heard::Close(reason) = heard {
            said::close(self.say(), None);
            self.over(Why::Peer(reason));
            return Ok(());
        }
        let (endpoint, mut talk) = self.talk();
        endpoint.hear(frame.channel, &heard, &mut talk)
    }

    fn fail(&mut self, fault: Fault) {
        self.say_close(fault.condition, fault.text);
        self.over(Why::Fault(fault));
    }

    /// Says why the connection ends, as far as the protocol has come to a point where that can be said.
    fn say_close(&mut self, condition: Condition, text: &str) {
        match self.phase {
            Phase::SaslHeader | Phase::SaslInit | Phase::Decision | Phase::AmqpHeader | Phase::Over => {}
            Phase::Open => {
                self.say_open();
                said::close(self.say(), Some((condition, text)));
            }
            Phase::Running => said::close(self.say(), Some((condition, text))),
        }
    }

    fn over(&mut self, why: Why) {
        if self.phase == Phase::Over {
            return;
        }
        self.phase = Phase::Over;
        self.input = Vec::new();
        self.endpoint.ledger.give_back(&mut self.events);
        self.events.push_back(Event::Closed(why));
    }

    /// What a peer has not done by when, if it may not take for ever.
    fn deadline(&self) -> Option<Duration> {
        match self.phase {
            Phase::SaslHeader | Phase::SaslInit | Phase::Decision => Some(self.limits.login_timeout),
            Phase::AmqpHeader | Phase::Open | Phase::Running => {
                self.endpoint.linkless_since().map(|since| since + self.limits.link_timeout)
            }
            Phase::Over => None,
        }
    }

    fn late(&mut self) {
        match self.phase {
            Phase::SaslHeader | Phase::SaslInit => self.over(Why::NoLogin),
            // It is we who are late.
            Phase::Decision => self.authenticated(Decision::Unavailable, self.now),
            Phase::AmqpHeader | Phase::Open | Phase::Running => {
                self.say_close(Condition::NotAllowed, "no link in time");
                self.over(Why::NoLink);
            }
            Phase::Over => {}
        }
    }

    fn silent_at(&self) -> Option<Duration> {
        let speaks = matches!(self.phase, Phase::AmqpHeader | Phase::Open | Phase::Running);
        speaks.then(|| self.heard_at + self.limits.silence_timeout)
    }

    fn heartbeat_at(&self) -> Option<Duration> {
        let beats = self.phase == Phase::Running && self.output.is_empty();
        self.heartbeat.filter(|_| beats).map(|every| self.output.taken_at() + every)
    }

    fn stalled_at(&self) -> Option<Duration> {
        self.output.stalled_since().filter(|_| self.phase != Phase::Over).map(|since| since + self.limits.stall_timeout)
    }
}

impl Machine for Amqp {
    fn receive(&mut self, bytes: &[u8], now: Duration) {
        self.at(now);
        if bytes.is_empty() || self.phase == Phase::Over {
            return;
        }
        self.heard_at = self.now;
        let mut all = std::mem::take(&mut self.input);
        all.extend_from_slice(bytes);
        self.take(all);
    }

    fn disconnected(&mut self) {
        self.over(Why::Lost);
        self.output.clear();
    }

    fn next_event(&mut self) -> Option<Event> {
        let event = self.events.pop_front();
        if self.events.is_empty() {
            self.events.shrink_to(EVENTS_KEPT);
        }
        event
    }

    fn authenticated(&mut self, decision: Decision, now: Duration) {
        self.at(now);
        if self.phase != Phase::Decision {
            return;
        }
        match decision {
            Decision::Accepted(body) => {
                said::sasl_outcome(self.say(), SaslCode::Ok);
                self.phase = Phase::AmqpHeader;
                self.heard_at = self.now;
                self.endpoint.begin(body, self.now);
                let waiting = std::mem::take(&mut self.input);
                self.take(waiting);
            }
            Decision::Refused => {
                said::sasl_outcome(self.say(), SaslCode::Auth);
                self.over(Why::Refused);
            }
            Decision::Unavailable => {
                said::sasl_outcome(self.say(), SaslCode::Temporary);
                self.over(Why::Unavailable);
            }
        }
    }

    fn room(&self) -> usize {
        if self.phase == Phase::Running { self.endpoint.room(&self.output) } else { 0 }
    }

    fn send(&mut self, notice: &Notice<'_>, now: Duration) -> Result<DeliveryId, NotSent> {
        self.at(now);
        if self.phase != Phase::Running {
            return Err(NotSent::NoRoom);
        }
        let (endpoint, mut talk) = self.talk();
        endpoint.send(notice, &mut talk)
    }

    fn nothing_to_send(&mut self, now: Duration) {
        self.at(now);
        if self.phase == Phase::Running {
            let (endpoint, mut talk) = self.talk();
            endpoint.pump(true, &mut talk);
        }
    }

    fn close(&mut self, condition: Condition, text: &str, now: Duration) {
        self.at(now);
        if self.phase == Phase::Decision {
            said::sasl_outcome(self.say(), SaslCode::Temporary);
        }
        self.say_close(condition, text);
        self.over(Why::Ordered(condition));
    }

    fn tick(&mut self, now: Duration) {
        self.at(now);
        let due = |at: Option<Duration>| at.is_some_and(|at| at <= now);
        self.endpoint.ledger.time_out(self.now, &mut self.events);
        if due(self.deadline()) {
            self.late();
        }
        if due(self.stalled_at()) {
            self.over(Why::Stalled);
            self.output.clear();
        } else if due(self.silent_at()) {
            self.say_close(Condition::ResourceLimitExceeded, "nothing was heard for the idle-time-out");
            self.over(Why::Silent);
        } else if due(self.heartbeat_at()) {
            self.say().extend_from_slice(&[0, 0, 0, 8, 2, AMQP, 0, 0]);
        }
    }

    fn next_tick(&self) -> Option<Duration> {
        let ledger = self.endpoint.ledger.next_due();
        let all = [self.deadline(), self.stalled_at(), self.silent_at(), self.heartbeat_at(), ledger];
        all.into_iter().flatten().min()
    }

    fn output(&self) -> &[u8] {
        self.output.pending()
    }

    fn written(&mut self, bytes: usize, now: Duration) {
        self.at(now);
        self.output.written(bytes, self.now);
        self.endpoint.ledger.taken(self.output.taken(), &mut self.events);
        if self.phase == Phase::Running {
            let (endpoint, mut talk) = self.talk();
            endpoint.pump(false, &mut talk);
        }
        if !self.input.is_empty() && self.wants_input() {
            let waiting = std::mem::take(&mut self.input);
            self.take(waiting);
        }
    }

    fn wants_input(&self) -> bool {
        !matches!(self.phase, Phase::Decision | Phase::Over) && self.output.len() < self.limits.output_bytes_max
    }

    fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }
}
