//! A consumer that says what a test wants, and takes apart what it hears.

use std::time::Duration;

use super::super::fields::{Fields, described_list};
use super::super::frames::{AMQP_HEADER, MECHANISMS, SASL_HEADER, cut};
use super::super::protocol::AmqpProtocol;
use super::super::walk::value_len;
use super::super::write::{self, Items, frame};
use crate::connection::Connection;
use crate::core::Core;
use crate::limits::Limits;
use crate::machine::{BodyEncoding, Decision, DeliveryId, Event, Machine, NotSent, Notice};

pub(super) const SECOND: Duration = Duration::from_secs(1);

/// A performative that was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) channel: u16,
    /// Its descriptor; 0 is an empty frame.
    pub(super) code: u64,
    pub(super) performative: Vec<u8>,
    pub(super) payload: Vec<u8>,
    pub(super) frame_bytes: usize,
}

impl Told {
    pub(super) fn field(&self, number: usize) -> Fields<'_> {
        let (_, mut fields) = described_list(&self.performative).expect("a performative");
        fields.skip(number).expect("fields");
        fields
    }

    pub(super) fn u32(&self, number: usize) -> Option<u32> {
        self.field(number).u32().expect("a number")
    }

    pub(super) fn boolean(&self, number: usize) -> Option<bool> {
        self.field(number).boolean().expect("a truth")
    }

    pub(super) fn raw(&self, number: usize) -> Option<&[u8]> {
        self.field(number).raw().expect("a value")
    }

    /// The condition of the error in this field.
    pub(super) fn condition(&self, number: usize) -> Option<String> {
        let error = self.raw(number)?;
        let (code, mut fields) = described_list(error).expect("an error");
        assert_eq!(code, 0x1d);
        fields.symbol().expect("a symbol").map(str::to_owned)
    }
}

pub(super) fn told(mut bytes: &[u8]) -> Vec<Told> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let (frame, rest) = cut(bytes, usize::MAX).expect("frames").expect("whole frames");
        let len = if frame.body.is_empty() { 0 } else { value_len(frame.body).expect("a performative") };
        let (performative, payload) = frame.body.split_at(len);
        let code = if len == 0 { 0 } else { described_list(performative).expect("a performative").0 };
        all.push(Told {
            channel: frame.channel,
            code,
            performative: performative.to_vec(),
            payload: payload.to_vec(),
            frame_bytes: bytes.len() - rest.len(),
        });
        bytes = rest;
    }
    all
}

/// The machine, and the time.
pub(super) struct Bench {
    pub(super) machine: Connection<AmqpProtocol>,
    pub(super) now: Duration,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self::with(Limits::default(), 0)
    }

    pub(super) fn with(limits: Limits, first_serial: u32) -> Self {
        let machine = Connection::new(Core::new(limits), AmqpProtocol::new(first_serial));
        Self { machine, now: Duration::ZERO }
    }

    /// Logged in, and the protocol headers exchanged.
    pub(super) fn logged_in(mut self) -> Self {
        self.say(&[&SASL_HEADER[..], &plain("user", "password")].concat());
        assert!(matches!(self.events()[..], [Event::Authenticate { .. }]));
        self.machine.authenticated(Decision::Accepted(BodyEncoding::Plain), self.now);
        self.say(&AMQP_HEADER);
        let bytes = self.bytes();
        assert!(bytes.starts_with(&[&SASL_HEADER[..], &MECHANISMS].concat()));
        assert!(bytes.ends_with(&AMQP_HEADER));
        self
    }

    /// Open, with one session on channel 0.
    pub(super) fn opened(self) -> Self {
        self.opened_with(u32::MAX, 2048)
    }

    pub(super) fn opened_with(self, frame_bytes_max: u32, window: u32) -> Self {
        let mut bench = self.logged_in();
        bench.say(&[open(frame_bytes_max, Some(60_000)), begin(0, window)].concat());
        let codes: Vec<_> = bench.told().iter().map(|told| told.code).collect();
        assert_eq!(codes, [0x10, 0x11]);
        bench
    }

    /// With a link of handle 0 on channel 0.
    pub(super) fn attached(self) -> Self {
        let mut bench = self;
        bench.say(&attach(0, "queueName", 0, &Link::default()));
        assert_eq!(bench.events(), [Event::Attached]);
        assert_eq!(bench.told()[0].code, 0x12);
        bench
    }

    pub(super) fn say(&mut self, bytes: &[u8]) {
        self.machine.receive(bytes, self.now);
    }

    pub(super) fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.machine.next_event()).collect()
    }

    /// All bytes that wait, which are taken.
    pub(super) fn bytes(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        while !self.machine.output().is_empty() {
            let bytes = self.machine.output().to_vec();
            self.machine.written(bytes.len(), self.now);
            all.extend(bytes);
        }
        all
    }

    pub(super) fn told(&mut self) -> Vec<Told> {
        told(&self.bytes())
    }

    /// The one performative that waits.
    pub(super) fn told_one(&mut self) -> Told {
        let mut all = self.told();
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.now += time;
        self.machine.tick(self.now);
    }

    pub(super) fn send(&mut self, body: &[u8]) -> Result<DeliveryId, NotSent> {
        let notice = Notice {
            id: "1234567890123456789",
            topic: "/pk/dn/user/x",
            generated_ms: 7,
            tries_before: 2,
            body,
            trace: None,
        };
        self.machine.send(&notice, self.now)
    }

    /// Sends as many as there is room for, and says how many.
    pub(super) fn fill(&mut self) -> usize {
        let mut sent = 0;
        while self.machine.room() > 0 {
            self.send(b"{}").expect("there is room");
            sent += 1;
        }
        sent
    }
}

pub(super) fn plain(user: &str, password: &str) -> Vec<u8> {
    let response = format!("\0{user}\0{password}");
    sasl_init("PLAIN", response.as_bytes())
}

pub(super) fn sasl_init(mechanism: &str, response: &[u8]) -> Vec<u8> {
    let mut bytes = performative(0, 0x41, |fields| {
        fields.symbol(mechanism).binary(response);
    });
    bytes[5] = 1;
    bytes
}

pub(super) fn performative(channel: u16, code: u8, fields: impl FnOnce(&mut Items<'_>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame(&mut bytes, channel, |out| write::list(out, code, fields));
    bytes
}

pub(super) fn open(frame_bytes_max: u32, idle_timeout_ms: Option<u32>) -> Vec<u8> {
    performative(0, 0x10, |fields| {
        fields.text("consumer").null().u32(frame_bytes_max).null();
        if let Some(idle) = idle_timeout_ms {
            fields.u32(idle);
        }
    })
}

pub(super) fn begin(channel: u16, window: u32) -> Vec<u8> {
    performative(channel, 0x11, |fields| {
        fields.null().u32(5).u32(window).u32(2048);
    })
}

/// What an attach may say.
#[derive(Default)]
pub(super) struct Link {
    pub(super) sender: bool,
    pub(super) snd_settle_mode: Option<u8>,
    pub(super) rcv_settle_mode: Option<u8>,
    pub(super) source: Option<Vec<u8>>,
    pub(super) target: Option<Vec<u8>>,
}

pub(super) fn attach(channel: u16, name: &str, handle: u32, link: &Link) -> Vec<u8> {
    performative(channel, 0x12, |fields| {
        fields.text(name).u32(handle).boolean(!link.sender);
        for mode in [link.snd_settle_mode, link.rcv_settle_mode] {
            match mode {
                Some(mode) => fields.u8(mode),
                None => fields.null(),
            };
        }
        fields.raw(link.source.as_deref()).raw(link.target.as_deref());
    })
}

/// What a flow may say.
#[derive(Clone, Copy)]
pub(super) struct Flow {
    pub(super) next_incoming_id: Option<u32>,
    pub(super) window: u32,
    pub(super) handle: Option<u32>,
    pub(super) count: Option<u32>,
    pub(super) credit: u32,
    pub(super) drain: bool,
    pub(super) echo: bool,
}

impl Flow {
    /// Credit for handle 0, as it is before anything was sent.
    pub(super) fn credit(credit: u32) -> Self {
        Self { next_incoming_id: None, window: 2048, handle: Some(0), count: None, credit, drain: false, echo: false }
    }

    pub(super) fn on(self, channel: u16) -> Vec<u8> {
        performative(channel, 0x13, |fields| {
            let optional = |fields: &mut Items<'_>, value: Option<u32>| match value {
                Some(value) => drop(fields.u32(value)),
                None => drop(fields.null()),
            };
            optional(fields, self.next_incoming_id);
            fields.u32(self.window).u32(5).u32(2048);
            optional(fields, self.handle);
            optional(fields, self.count);
            if self.handle.is_some() {
                fields.u32(self.credit);
            } else {
                fields.null();
            }
            fields.null().boolean(self.drain).boolean(self.echo);
        })
    }
}

pub(super) fn disposition(channel: u16, first: u32, last: Option<u32>, settled: bool, state: Option<u8>) -> Vec<u8> {
    performative(channel, 0x15, |fields| {
        fields.boolean(true).u32(first);
        match last {
            Some(last) => fields.u32(last),
            None => fields.null(),
        };
        fields.boolean(settled);
        if let Some(state) = state {
            fields.list(state, |_| ());
        }
    })
}

pub(super) fn detach(channel: u16, handle: u32, closed: bool) -> Vec<u8> {
    performative(channel, 0x16, |fields| {
        fields.u32(handle).boolean(closed);
    })
}

pub(super) fn end(channel: u16) -> Vec<u8> {
    performative(channel, 0x17, |_| ())
}

pub(super) fn close() -> Vec<u8> {
    performative(0, 0x18, |_| ())
}
