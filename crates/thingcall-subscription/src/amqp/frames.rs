//! Frames and protocol headers: where one ends and the next begins.

use crate::machine::{Condition, Fault};

pub(crate) const SASL_HEADER: [u8; 8] = *b"AMQP\x03\x01\x00\x00";
pub(crate) const AMQP_HEADER: [u8; 8] = *b"AMQP\x00\x01\x00\x00";

/// The mechanisms frame that every client takes, byte for byte (`PROTOCOL.md` 10.3).
pub(crate) const MECHANISMS: [u8; 24] = *b"\x00\x00\x00\x18\x02\x01\x00\x00\x00S@\xc0\x0b\x01\xe0\x08\x01\xa3\x05PLAIN";

/// The largest frame before the peer knows ours. AMQP says 512 there, and a user name with a token is longer.
pub(crate) const BYTES_MAX_BEFORE_OPEN: usize = 8 * 1024;

pub(crate) const AMQP: u8 = 0;
pub(crate) const SASL: u8 = 1;

/// A whole frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    pub(crate) kind: u8,
    pub(crate) channel: u16,
    pub(crate) body: &'a [u8],
}

/// Whether a protocol header has begun that is not this one; `None` while it is not all there and right so far.
pub(crate) fn header(bytes: &[u8], wanted: [u8; 8]) -> Option<bool> {
    let same = bytes.iter().zip(&wanted).all(|(byte, wanted)| byte == wanted);
    if !same {
        Some(false)
    } else if bytes.len() >= wanted.len() {
        Some(true)
    } else {
        None
    }
}

/// Cuts off the first frame; `None` while it is not all there.
pub(crate) fn cut(bytes: &[u8], bytes_max: usize) -> Result<Option<(Frame<'_>, &[u8])>, Fault> {
    let framing = |text| Fault { condition: Condition::FramingError, text };
    let Some((head, _)) = bytes.split_first_chunk::<8>() else { return Ok(None) };
    let [a, b, c, d, offset, kind, high, low] = *head;
    let (size, offset) = (u32::from_be_bytes([a, b, c, d]) as usize, usize::from(offset) * 4);
    if offset < head.len() || size < offset {
        return Err(framing("a frame is smaller than its header"));
    }
    if size > bytes_max {
        return Err(framing("a frame is larger than max-frame-size"));
    }
    if kind != AMQP && kind != SASL {
        return Err(framing("a frame is of an unknown type"));
    }
    let Some((frame, rest)) = bytes.split_at_checked(size) else { return Ok(None) };
    let body = frame.get(offset..).unwrap_or_default();
    Ok(Some((Frame { kind, channel: u16::from_be_bytes([high, low]), body }, rest)))
}
