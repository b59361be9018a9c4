//! What an open connection holds: sessions, the one link, and what is out on it.
//!
//! **Invariants:** nothing is sent without credit, without window, or beyond `unsettled_max`. Sessions are bounded; of links
//! that were refused nothing is remembered.

use std::collections::VecDeque;
use std::time::Duration;

use super::heard::{Attach, Begin, Detach, Disposition, Flow, Heard};
use super::link::Link;
use super::said::{self, Attached};
use super::session::Session;
use super::transfer::Outgoing;
use crate::ledger::Ledger;
use crate::limits::Limits;
use crate::machine::{BodyEncoding, Condition, DeliveryId, Event, Fault, NotSent, Notice, Outcome};
use crate::output::Output;

/// What an attach of ours takes beside the peer's own name, source and target.
const ATTACH_BYTES: usize = 128;

/// Where answers go, and when.
pub(super) struct Talk<'a> {
    pub(super) output: &'a mut Output,
    pub(super) events: &'a mut VecDeque<Event>,
    pub(super) now: Duration,
}

impl Talk<'_> {
    fn say(&mut self) -> &mut Vec<u8> {
        self.output.end(self.now)
    }
}

#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) ledger: Ledger,
    sessions: Vec<Session>,
    sessions_max: usize,
    link: Option<Link>,
    /// Since when there is no link.
    linkless_since: Option<Duration>,
    /// The largest frame that the peer takes.
    frame_bytes_max: usize,
    output_bytes_max: usize,
    body: BodyEncoding,
    /// Where all our serial numbers begin.
    first_serial: u32,
}

const fn not_allowed(text: &'static str) -> Fault {
    Fault { condition: Condition::NotAllowed, text }
}

impl Endpoint {
    pub(super) fn new(limits: &Limits, first_serial: u32) -> Self {
        Self {
            ledger: Ledger::new(limits),
            sessions: Vec::new(),
            sessions_max: limits.sessions_max,
            link: None,
            linkless_since: None,
            frame_bytes_max: 512,
            output_bytes_max: limits.output_bytes_max,
            body: BodyEncoding::Plain,
            first_serial,
        }
    }

    /// The consumer is logged in: a link is due.
    pub(super) fn begin(&mut self, body: BodyEncoding, now: Duration) {
        self.body = body;
        self.linkless_since = Some(now);
    }

    pub(super) fn frames_up_to(&mut self, bytes_max: usize) {
        self.frame_bytes_max = bytes_max;
    }

    pub(super) fn linkless_since(&self) -> Option<Duration> {
        self.linkless_since
    }

    pub(super) fn hear(&mut self, channel: u16, heard: &Heard<'_>, talk: &mut Talk<'_>) -> Result<(), Fault> {
        match heard {
            Heard::Begin(begin) => self.hear_begin(channel, begin, talk),
            Heard::Attach(attach) => self.hear_attach(channel, attach, talk),
            Heard::Flow(flow) => self.hear_flow(channel, flow, talk),
            Heard::Disposition(disposition) => {
                self.hear_disposition(channel, disposition, talk);
                Ok(())
            }
            Heard::Detach(detach) => {
                self.hear_detach(channel, detach, talk);
                Ok(())
            }
            Heard::End => self.hear_end(channel, talk),
            Heard::Transfer => Err(not_allowed("consumers send nothing")),
            Heard::Open(_) | Heard::Close(_) => Err(not_allowed("a second open")),
        }
    }

    fn session(&mut self, channel: u16) -> Result<&mut Session, Fault> {
        let found = self.sessions.iter_mut().find(|session| session.channel() == channel);
        found.ok_or(not_allowed("no session has begun on this channel"))
    }

    fn hear_begin(&mut self, channel: u16, begin: &Begin, talk: &mut Talk<'_>) -> Result<(), Fault> {
        if begin.is_answer || self.session(channel).is_ok() {
            return Err(not_allowed("a session begins twice"));
        }
        if self.sessions.len() >= self.sessions_max {
            return Err(Fault { condition: Condition::ResourceLimitExceeded, text: "too many sessions" });
        }
        let session = Session::new(channel, begin, self.first_serial);
        said::begin(talk.say(), channel, &session.windows());
        self.sessions.push(session);
        Ok(())
    }

    fn hear_attach(&mut self, channel: u16, attach: &Attach<'_>, talk: &mut Talk<'_>) -> Result<(), Fault> {
        let next_delivery = self.session(channel)?.next_delivery();
        let echoed =
            attach.name.len() + [attach.source, attach.target].into_iter().flatten().map(<[u8]>::len).sum::<usize>();
        if echoed + ATTACH_BYTES > self.frame_bytes_max {
            return Err(Fault {
                condition: Condition::FramingError,
                text: "the attach is larger than the peer's own max-frame-size",
            });
        }
        if self.link.is_some() || !attach.is_receiver {
            refuse(channel, attach, self.first_serial, talk);
            return Ok(());
        }
        let link = Link::new(channel, attach, self.first_serial, (self.ledger.next(), next_delivery));
        let attached = Attached {
            name: attach.name,
            handle: attach.handle,
            sender: true,
            snd_settle_mode: attach.snd_settle_mode.unwrap_or(2),
            rcv_settle_mode: attach.rcv_settle_mode.unwrap_or(0),
            source: attach.source,
            target: attach.target,
            initial_delivery_count: self.first_serial,
        };
        said::attach(talk.say(), channel, &attached);
        self.link = Some(link);
        self.linkless_since = None;
        talk.events.push_back(Event::Attached);
        Ok(())
    }

    fn hear_flow(&mut self, channel: u16, flow: &Flow, talk: &mut Talk<'_>) -> Result<(), Fault> {
        self.session(channel)?.hear(flow);
        let link = self.link.as_mut().filter(|link| link.channel == channel && Some(link.handle) == flow.handle);
        let of_link = link.is_some();
        if let Some(link) = link {
            link.hear(flow);
        }
        self.pump(false, talk);
        if flow.echo {
            self.say_flow(channel, of_link, false, talk);
        }
        Ok(())
    }

    fn say_flow(&self, channel: u16, of_link: bool, drain: bool, talk: &mut Talk<'_>) {
        let Some(session) = self.sessions.iter().find(|session| session.channel() == channel) else { return };
        let link = self.link.as_ref().filter(|_| of_link).map(|link| link.flow(drain));
        said::flow(talk.say(), channel, &session.windows(), link.as_ref());
    }

    fn hear_disposition(&mut self, channel: u16, said: &Disposition, talk: &mut Talk<'_>) {
        let Some(link) = self.link.as_ref().filter(|link| link.channel == channel && said.of_receiver) else { return };
        let Some(range) = link.ours(said.first, said.last, self.ledger.next()) else { return };
        let outcome = match (said.outcome, said.settled) {
            (Some(outcome), _) => outcome,
            (None, true) => Outcome::Unsaid,
            (None, false) => return,
        };
        let ends = [link.sessions(*range.start()), link.sessions(*range.end())];
        self.ledger.settle(range, outcome, talk.events);
        if !said.settled {
            said::settled(talk.say(), channel, ends, outcome);
        }
    }

    fn hear_detach(&mut self, channel: u16, detach: &Detach, talk: &mut Talk<'_>) {
        // A detach of a link that was refused is an answer to ours.
        let ours = self.link.as_ref().is_some_and(|link| link.channel == channel && link.handle == detach.handle);
        if ours {
            self.unlink(talk);
            said::detach(talk.say(), channel, detach.handle, detach.closed);
        }
    }

    fn hear_end(&mut self, channel: u16, talk: &mut Talk<'_>) -> Result<(), Fault> {
        self.session(channel)?;
        if self.link.as_ref().is_some_and(|link| link.channel == channel) {
            self.unlink(talk);
        }
        self.sessions.retain(|session| session.channel() != channel);
        said::end(talk.say(), channel);
        Ok(())
    }

    /// The link is gone: what is out goes back first.
    fn unlink(&mut self, talk: &mut Talk<'_>) {
        self.link = None;
        self.linkless_since = Some(talk.now);
        self.ledger.give_back(talk.events);
        talk.events.push_back(Event::Detached);
    }

    pub(super) fn room(&self, output: &Output) -> usize {
        let Some(link) = self.link.as_ref().filter(|link| link.outgoing.is_none()) else { return 0 };
        let mut sessions = self.sessions.iter();
        let has_window = sessions.any(|session| session.channel() == link.channel && session.has_window());
        if !has_window || output.len() >= self.output_bytes_max {
            return 0;
        }
        self.ledger.room().min(link.credit() as usize)
    }

    pub(super) fn send(&mut self, notice: &Notice<'_>, talk: &mut Talk<'_>) -> Result<DeliveryId, NotSent> {
        if self.room(talk.output) == 0 {
            return Err(NotSent::NoRoom);
        }
        let link = self.link.as_mut().ok_or(NotSent::NoRoom)?;
        let mut sessions = self.sessions.iter_mut();
        let session = sessions.find(|session| session.channel() == link.channel).ok_or(NotSent::NoRoom)?;
        let body = self.body.apply(notice.body);
        let mut message = Vec::with_capacity(body.len() + 256);
        said::message(&mut message, notice, &body);
        if message.len() as u64 > link.message_bytes_max {
            return Err(NotSent::TooLarge);
        }
        let delivery = self.ledger.open(None, talk.now);
        link.deliver();
        link.outgoing = Some(Outgoing::new(delivery, session.deliver(), link.presettled, message));
        self.pump(false, talk);
        Ok(delivery)
    }

    /// Sends on what is under way, as far as there is window, and tells a consumer that drains when that was all.
    pub(super) fn pump(&mut self, nothing_to_send: bool, talk: &mut Talk<'_>) {
        let Some(link) = self.link.as_mut() else { return };
        let Some(session) = self.sessions.iter_mut().find(|session| session.channel() == link.channel) else { return };
        while let Some(outgoing) = link.outgoing.as_mut()
            && session.has_window()
            && talk.output.len() < self.output_bytes_max
        {
            session.transfer();
            let out = talk.output.end(talk.now);
            if outgoing.frame(out, link.channel, link.handle, self.frame_bytes_max) {
                let delivery = outgoing.delivery;
                link.outgoing = None;
                if link.presettled {
                    self.ledger.done_when_taken(delivery, talk.output.position());
                }
            }
        }
        if link.drained(nothing_to_send) {
            let channel = link.channel;
            self.say_flow(channel, true, true, talk);
        }
    }
}

/// Answers an attach, with neither source nor target, and detaches at once.
fn refuse(channel: u16, attach: &Attach<'_>, initial_delivery_count: u32, talk: &mut Talk<'_>) {
    let attached = Attached {
        name: attach.name,
        handle: attach.handle,
        sender: attach.is_receiver,
        snd_settle_mode: 2,
        rcv_settle_mode: 0,
        source: None,
        target: None,
        initial_delivery_count,
    };
    said::attach(talk.say(), channel, &attached);
    let text = if attach.is_receiver { "a connection has one link" } else { "consumers send nothing" };
    said::refuse_link(talk.say(), channel, attach.handle, text);
}
