//! What we say: our performatives, and notices as AMQP messages.

use thingcall_core::TraceContext;

use super::write::{self, Items, frame};
use crate::machine::{Condition, Notice, Outcome};

/// Text of an error is cut, so that it fits the smallest frame there is.
const TEXT_BYTES_MAX: usize = 200;

/// The answer to a login.
#[derive(Debug, Clone, Copy)]
pub(crate) enum SaslCode {
    Ok = 0,
    Auth = 1,
}

/// The fields of a flow that are about the link.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LinkFlow {
    pub(crate) handle: u32,
    pub(crate) delivery_count: u32,
    pub(crate) credit: u32,
    pub(crate) drain: bool,
}

/// The fields of a flow that are about the session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Windows {
    pub(crate) next_incoming_id: u32,
    pub(crate) incoming_window: u32,
    pub(crate) next_outgoing_id: u32,
    pub(crate) outgoing_window: u32,
}

/// How a link is answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attached<'a> {
    pub(crate) name: &'a str,
    pub(crate) handle: u32,
    /// We send; else we would receive.
    pub(crate) sender: bool,
    pub(crate) snd_settle_mode: u8,
    pub(crate) rcv_settle_mode: u8,
    pub(crate) source: Option<&'a [u8]>,
    pub(crate) target: Option<&'a [u8]>,
    pub(crate) initial_delivery_count: u32,
}

pub(crate) fn sasl_outcome(out: &mut Vec<u8>, code: SaslCode) {
    out.extend_from_slice(b"\x00\x00\x00\x10\x02\x01\x00\x00\x00S\x44\xc0\x03\x01P");
    out.push(code as u8);
}

pub(crate) fn open(out: &mut Vec<u8>, frame_bytes_max: u32, channel_max: u16, idle_timeout_ms: u32) {
    frame(out, 0, |out| {
        write::list(out, 0x10, |fields| {
            fields.text("thingcall").null().u32(frame_bytes_max).u16(channel_max).u32(idle_timeout_ms);
        });
    });
}

pub(crate) fn begin(out: &mut Vec<u8>, channel: u16, windows: &Windows) {
    frame(out, channel, |out| {
        write::list(out, 0x11, |fields| {
            fields.u16(channel).u32(windows.next_outgoing_id).u32(windows.incoming_window).u32(windows.outgoing_window);
        });
    });
}

pub(crate) fn attach(out: &mut Vec<u8>, channel: u16, attached: &Attached<'_>) {
    frame(out, channel, |out| {
        write::list(out, 0x12, |fields| {
            fields.text(attached.name).u32(attached.handle).boolean(!attached.sender);
            fields.u8(attached.snd_settle_mode).u8(attached.rcv_settle_mode);
            fields.raw(attached.source).raw(attached.target);
            if attached.sender {
                fields.null().null().u32(attached.initial_delivery_count);
            }
        });
    });
}

pub(crate) fn flow(out: &mut Vec<u8>, channel: u16, windows: &Windows, link: Option<&LinkFlow>) {
    frame(out, channel, |out| {
        write::list(out, 0x13, |fields| {
            fields.u32(windows.next_incoming_id).u32(windows.incoming_window);
            fields.u32(windows.next_outgoing_id).u32(windows.outgoing_window);
            if let Some(link) = link {
                fields.u32(link.handle).u32(link.delivery_count).u32(link.credit);
                fields.u32(0).boolean(link.drain);
            }
        });
    });
}

/// Settles deliveries that the receiver spoke of and left open.
pub(crate) fn settled(out: &mut Vec<u8>, channel: u16, [first, last]: [u32; 2], outcome: Outcome) {
    let code = match outcome {
        Outcome::Accepted => 0x24,
        Outcome::Rejected => 0x25,
        Outcome::Modified => 0x27,
        Outcome::Released | Outcome::Unsaid | Outcome::Gone | Outcome::TimedOut => 0x26,
    };
    frame(out, channel, |out| {
        write::list(out, 0x15, |fields| {
            fields.boolean(false).u32(first).u32(last).boolean(true).list(code, |_| ());
        });
    });
}

pub(crate) fn detach(out: &mut Vec<u8>, channel: u16, handle: u32, closed: bool) {
    frame(out, channel, |out| {
        write::list(out, 0x16, |fields| {
            fields.u32(handle).boolean(closed);
        });
    });
}

pub(crate) fn refuse_link(out: &mut Vec<u8>, channel: u16, handle: u32, text: &str) {
    frame(out, channel, |out| {
        write::list(out, 0x16, |fields| {
            error(fields.u32(handle).boolean(true), Condition::NotAllowed, text);
        });
    });
}

pub(crate) fn end(out: &mut Vec<u8>, channel: u16) {
    frame(out, channel, |out| write::list(out, 0x17, |_| ()));
}

pub(crate) fn close(out: &mut Vec<u8>, reason: Option<(Condition, &str)>) {
    frame(out, 0, |out| {
        write::list(out, 0x18, |fields| {
            if let Some((condition, text)) = reason {
                error(fields, condition, text);
            }
        });
    });
}

fn error(fields: &mut Items<'_>, condition: Condition, text: &str) {
    let text = text.get(..text.floor_char_boundary(TEXT_BYTES_MAX)).unwrap_or_default();
    fields.list(0x1d, |fields| {
        fields.symbol(condition.symbol()).text(text);
    });
}

/// A notice as a message (`PROTOCOL.md` 10.10). No content-type: with `application/json` JMS makes a text message of it, and the platform's
/// sample reads bytes.
pub(crate) fn message(out: &mut Vec<u8>, notice: &Notice<'_>, body: &[u8]) {
    write::list(out, 0x70, |header| {
        header.boolean(true).null().null().null().u32(notice.tries_before);
    });
    write::list(out, 0x73, |properties| {
        properties.text(notice.id);
    });
    write::map(out, 0x74, |properties| {
        properties.text("topic").text(notice.topic).text("messageId").text(notice.id);
        properties.text("generateTime").long(notice.generated_ms);
        for (name, value) in notice.trace.into_iter().flat_map(TraceContext::pairs) {
            properties.text(name).text(&value);
        }
    });
    out.extend_from_slice(&[0, 0x53, 0x75]);
    write::sized(out, [0xa0, 0xb0], body);
}
