//! What an open connection holds: sessions, the one link, and what is out on it.
//!
//! **Invariants:** nothing is sent without credit, without window, or beyond `unsettled_max`. Sessions are bounded; of links
//! that were refused nothing is remembered.

use super::heard::{Attach, Begin, Detach, Disposition, Flow, Heard};
use super::link::Link;
use super::said::{self, Attached};
use super::session::Session;
use super::transfer::Outgoing;
use crate::core::Core;
use crate::machine::{BodyEncoding, Condition, DeliveryId, Fault, NotSent, Notice, Outcome};

/// What an attach of ours takes beside the peer's own name, source and target.
const ATTACH_BYTES: usize = 128;

#[derive(Debug)]
pub(super) struct Endpoint {
    sessions: Vec<Session>,
    link: Option<Link>,
    /// The largest frame that the peer takes.
    frame_bytes_max: usize,
    body: BodyEncoding,
    /// Where all our serial numbers begin.
    first_serial: u32,
}

const fn not_allowed(text: &'static str) -> Fault {
    Fault { condition: Condition::NotAllowed, text }
}

impl Endpoint {
    pub(super) fn new(first_serial: u32) -> Self {
        Self { sessions: Vec::new(), link: None, frame_bytes_max: 512, body: BodyEncoding::Plain, first_serial }
    }

    pub(super) fn write_bodies(&mut self, body: BodyEncoding) {
        self.body = body;
    }

    pub(super) fn frames_up_to(&mut self, bytes_max: usize) {
        self.frame_bytes_max = bytes_max;
    }

    pub(super) fn hear(&mut self, core: &mut Core, channel: u16, heard: &Heard<'_>) -> Result<(), Fault> {
        match heard {
            Heard::Begin(begin) => self.hear_begin(core, channel, begin),
            Heard::Attach(attach) => self.hear_attach(core, channel, attach),
            Heard::Flow(flow) => self.hear_flow(core, channel, flow),
            Heard::Disposition(disposition) => {
                self.hear_disposition(core, channel, disposition);
                Ok(())
            }
            Heard::Detach(detach) => {
                self.hear_detach(core, channel, detach);
                Ok(())
            }
            Heard::End => self.hear_end(core, channel),
            Heard::Transfer => Err(not_allowed("consumers send nothing")),
            Heard::Open(_) | Heard::Close(_) => Err(not_allowed("a second open")),
        }
    }

    fn session(&mut self, channel: u16) -> Result<&mut Session, Fault> {
        let found = self.sessions.iter_mut().find(|session| session.channel() == channel);
        found.ok_or(not_allowed("no session has begun on this channel"))
    }

    fn hear_begin(&mut self, core: &mut Core, channel: u16, begin: &Begin) -> Result<(), Fault> {
        if begin.is_answer || self.session(channel).is_ok() {
            return Err(not_allowed("a session begins twice"));
        }
        if self.sessions.len() >= core.limits.sessions_max {
            return Err(Fault { condition: Condition::ResourceLimitExceeded, text: "too many sessions" });
        }
        let session = Session::new(channel, begin, self.first_serial);
        said::begin(core.say(), channel, &session.windows());
        self.sessions.push(session);
        Ok(())
    }

    fn hear_attach(&mut self, core: &mut Core, channel: u16, attach: &Attach<'_>) -> Result<(), Fault> {
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
            refuse(core, channel, attach, self.first_serial);
            return Ok(());
        }
        let link = Link::new(channel, attach, self.first_serial, (core.ledger.next(), next_delivery));
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
        said::attach(core.say(), channel, &attached);
        self.link = Some(link);
        core.linked();
        Ok(())
    }

    fn hear_flow(&mut self, core: &mut Core, channel: u16, flow: &Flow) -> Result<(), Fault> {
        self.session(channel)?.hear(flow);
        let link = self.link.as_mut().filter(|link| link.channel == channel && Some(link.handle) == flow.handle);
        let of_link = link.is_some();
        if let Some(link) = link {
            link.hear(flow);
        }
        self.pump(core, false);
        if flow.echo {
            self.say_flow(core, channel, of_link, false);
        }
        Ok(())
    }

    fn say_flow(&self, core: &mut Core, channel: u16, of_link: bool, drain: bool) {
        let Some(session) = self.sessions.iter().find(|session| session.channel() == channel) else { return };
        let link = self.link.as_ref().filter(|_| of_link).map(|link| link.flow(drain));
        said::flow(core.say(), channel, &session.windows(), link.as_ref());
    }

    fn hear_disposition(&mut self, core: &mut Core, channel: u16, said: &Disposition) {
        let Some(link) = self.link.as_ref().filter(|link| link.channel == channel && said.of_receiver) else { return };
        let Some(range) = link.ours(said.first, said.last, core.ledger.next()) else { return };
        let outcome = match (said.outcome, said.settled) {
            (Some(outcome), _) => outcome,
            (None, true) => Outcome::Unsaid,
            (None, false) => return,
        };
        let ends = [link.sessions(*range.start()), link.sessions(*range.end())];
        core.ledger.settle(range, outcome, &mut core.events);
        if !said.settled {
            said::settled(core.say(), channel, ends, outcome);
        }
    }

    fn hear_detach(&mut self, core: &mut Core, channel: u16, detach: &Detach) {
        // A detach of a link that was refused is an answer to ours.
        let ours = self.link.as_ref().is_some_and(|link| link.channel == channel && link.handle == detach.handle);
        if ours {
            self.unlink(core);
            said::detach(core.say(), channel, detach.handle, detach.closed);
        }
    }

    fn hear_end(&mut self, core: &mut Core, channel: u16) -> Result<(), Fault> {
        self.session(channel)?;
        if self.link.as_ref().is_some_and(|link| link.channel == channel) {
            self.unlink(core);
        }
        self.sessions.retain(|session| session.channel() != channel);
        said::end(core.say(), channel);
        Ok(())
    }

    fn unlink(&mut self, core: &mut Core) {
        self.link = None;
        core.unlinked();
    }

    pub(super) fn room(&self, core: &Core) -> usize {
        let Some(link) = self.link.as_ref().filter(|link| link.outgoing.is_none()) else { return 0 };
        let mut sessions = self.sessions.iter();
        let has_window = sessions.any(|session| session.channel() == link.channel && session.has_window());
        if !has_window || core.is_output_full() {
            return 0;
        }
        core.ledger.room().min(link.credit() as usize)
    }

    pub(super) fn send(&mut self, core: &mut Core, notice: &Notice<'_>) -> Result<DeliveryId, NotSent> {
        if self.room(core) == 0 {
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
        let delivery = core.ledger.open(None, core.now);
        link.deliver();
        link.outgoing = Some(Outgoing::new(delivery, session.deliver(), link.presettled, message));
        self.pump(core, false);
        Ok(delivery)
    }

    pub(super) fn is_draining(&self) -> bool {
        self.link.as_ref().is_some_and(Link::is_draining)
    }

    /// Sends on what is under way, as far as there is window, and tells a consumer that drains when that was all.
    pub(super) fn pump(&mut self, core: &mut Core, nothing_to_send: bool) {
        let Some(link) = self.link.as_mut() else { return };
        let Some(session) = self.sessions.iter_mut().find(|session| session.channel() == link.channel) else { return };
        while let Some(outgoing) = link.outgoing.as_mut()
            && session.has_window()
            && !core.is_output_full()
        {
            session.transfer();
            let out = core.say();
            if outgoing.frame(out, link.channel, link.handle, self.frame_bytes_max) {
                let delivery = outgoing.delivery;
                link.outgoing = None;
                if link.presettled {
                    core.ledger.done_when_taken(delivery, core.output.position());
                }
            }
        }
        // Where all that may be out is out, nothing can be sent either.
        if link.drained(nothing_to_send || core.ledger.room() == 0) {
            let channel = link.channel;
            self.say_flow(core, channel, true, true);
        }
    }
}

/// Answers an attach, with neither source nor target, and detaches at once.
fn refuse(core: &mut Core, channel: u16, attach: &Attach<'_>, initial_delivery_count: u32) {
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
    said::attach(core.say(), channel, &attached);
    let text = if attach.is_receiver { "a connection has one link" } else { "consumers send nothing" };
    said::refuse_link(core.say(), channel, attach.handle, text);
}
