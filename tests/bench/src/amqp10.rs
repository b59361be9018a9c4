//! As much AMQP 1.0 as a consumer with one link needs, as bytes: of a server it reads what begins, brings and ends messages.
//!
//! It shares the cores with what is measured, so it takes nothing apart that it does not need: no message, no map.

use anyhow::{Context, bail};

pub(crate) const HEADER: [u8; 8] = *b"AMQP\x00\x01\x00\x00";
pub(crate) const SASL_HEADER: [u8; 8] = *b"AMQP\x03\x01\x00\x00";
const FRAME_BYTES_MAX: u32 = 64 * 1024;
/// Frames that the session takes, more than ever come.
const WINDOW: u32 = i32::MAX as u32;
const NULL: u8 = 0x40;
const TRUE: u8 = 0x41;

/// What a frame says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Whether the login was right.
    Login(bool),
    /// The session, and the number of its first transfer.
    Begin(u32),
    /// The link, and how many deliveries it counts already.
    Attach(u32),
    /// A part of a delivery, which the first one names, and whether more of it comes.
    Transfer { delivery: Option<u32>, more: bool },
    /// Link, session or connection ends.
    End,
    /// Nothing that matters here, a header among it.
    Other,
}

/// The fields of a list.
#[derive(Default)]
struct Fields {
    bytes: Vec<u8>,
    count: u32,
}

impl Fields {
    fn add(mut self, parts: &[&[u8]]) -> Self {
        parts.iter().for_each(|part| self.bytes.extend_from_slice(part));
        self.count += 1;
        self
    }

    fn null(self) -> Self {
        self.add(&[&[NULL]])
    }

    fn yes(self) -> Self {
        self.add(&[&[TRUE]])
    }

    fn u32(self, number: u32) -> Self {
        self.add(&[&[0x70], &number.to_be_bytes()])
    }

    /// A string, a symbol or bytes, by its constructor.
    fn sized(self, constructor: u8, bytes: &[u8]) -> Self {
        let size = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.add(&[&[constructor], &size.to_be_bytes(), bytes])
    }

    fn text(self, text: &str) -> Self {
        self.sized(0xb1, text.as_bytes())
    }

    fn list(self, code: u8, fields: &Self) -> Self {
        let [size, count] = fields.head();
        self.add(&[&[0, 0x53, code, 0xd0], &size, &count, &fields.bytes])
    }

    fn head(&self) -> [[u8; 4]; 2] {
        let size = u32::try_from(self.bytes.len() + 4).unwrap_or(u32::MAX);
        [size.to_be_bytes(), self.count.to_be_bytes()]
    }
}

fn frame(out: &mut Vec<u8>, kind: u8, code: u8, fields: Fields) {
    let body = Fields::default().list(code, &fields).bytes;
    let size = u32::try_from(body.len() + 8).unwrap_or(u32::MAX);
    out.extend_from_slice(&size.to_be_bytes());
    out.extend_from_slice(&[2, kind, 0, 0]);
    out.extend_from_slice(&body);
}

/// The first words: a login by SASL PLAIN.
pub(crate) fn login(out: &mut Vec<u8>, user: &str, password: &str) {
    out.extend_from_slice(&SASL_HEADER);
    let response = format!("\0{user}\0{password}");
    frame(out, 1, 0x41, Fields::default().sized(0xb3, b"PLAIN").sized(0xb0, response.as_bytes()));
}

/// What follows a login: a session with a link that receives from this source.
pub(crate) fn open(out: &mut Vec<u8>, source: &str) {
    out.extend_from_slice(&HEADER);
    frame(out, 0, 0x10, Fields::default().text("bench").text("localhost").u32(FRAME_BYTES_MAX));
    frame(out, 0, 0x11, Fields::default().null().u32(0).u32(WINDOW).u32(WINDOW));
    let (source, target) = (Fields::default().text(source), Fields::default());
    // A receiver; the sender leaves deliveries open, and they are settled at once.
    let attach = Fields::default().text("bench").u32(0).yes().add(&[&[0x50, 0]]).add(&[&[0x50, 0]]);
    frame(out, 0, 0x12, attach.list(0x28, &source).list(0x29, &target));
}

/// So many more messages may come.
pub(crate) fn credit(out: &mut Vec<u8>, next_incoming: u32, count: u32, credit: u32) {
    let session = Fields::default().u32(next_incoming).u32(WINDOW).u32(0).u32(WINDOW);
    frame(out, 0, 0x13, session.u32(0).u32(count).u32(credit));
}

/// Accepts one delivery, as clients do that acknowledge each message.
pub(crate) fn accept(out: &mut Vec<u8>, delivery: u32) {
    out.extend_from_slice(&[0, 0, 0, 26, 2, 0, 0, 0, 0, 0x53, 0x15, 0xc0, 13, 5, TRUE, 0x70]);
    out.extend_from_slice(&delivery.to_be_bytes());
    out.extend_from_slice(&[NULL, TRUE, 0, 0x53, 0x24, 0x45]);
}

/// Reads what begins these bytes, a frame or a header, and says how long it is; `None` if it is not whole.
///
/// # Errors
/// If it is no AMQP.
pub(crate) fn hear(bytes: &[u8]) -> anyhow::Result<Option<(Heard, usize)>> {
    let Some(head) = bytes.first_chunk::<8>() else { return Ok(None) };
    if head.starts_with(b"AMQP") {
        return Ok(Some((Heard::Other, 8)));
    }
    let [a, b, c, d, offset, ..] = *head;
    let (size, start) = (u32::from_be_bytes([a, b, c, d]) as usize, usize::from(offset) * 4);
    if size < start || size > FRAME_BYTES_MAX as usize {
        bail!("no frame: {head:?}");
    }
    let Some(body) = bytes.get(start..size) else { return Ok(None) };
    let heard = if body.is_empty() { Heard::Other } else { performative(body).context("a frame that is cut")? };
    Ok(Some((heard, size)))
}

fn performative(body: &[u8]) -> Option<Heard> {
    let mut values = Values(body);
    let (code, count) = values.list()?;
    let mut fields = Read { values, left: count };
    Some(match code {
        0x44 => Heard::Login(fields.number()? == 0),
        0x11 => {
            fields.skip(1)?;
            Heard::Begin(fields.number()?)
        }
        0x12 => {
            fields.skip(9)?;
            Heard::Attach(fields.number()?)
        }
        0x14 => {
            fields.skip(1)?;
            let delivery = fields.value()?;
            fields.skip(3)?;
            let more = fields.value()?;
            Heard::Transfer { delivery: number(delivery), more: matches!(more, [TRUE] | [0x56, 1]) }
        }
        0x16..=0x18 => Heard::End,
        _ => Heard::Other,
    })
}

/// Values one behind the other.
struct Values<'a>(&'a [u8]);

impl<'a> Values<'a> {
    fn bytes(&mut self, many: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(many)?;
        self.0 = rest;
        Some(taken)
    }

    /// Enters a described list: its code, and how many fields it has.
    fn list(&mut self) -> Option<(u64, u32)> {
        self.bytes(1).filter(|first| *first == [0])?;
        let code = match self.next()? {
            [0x53, code] => u64::from(*code),
            [0x80, code @ ..] => u64::from_be_bytes(code.try_into().ok()?),
            _ => return None,
        };
        Some((
            code,
            match self.bytes(1)? {
                [0x45] => 0,
                [0xc0] => u32::from(*self.bytes(2)?.last()?),
                [0xd0] => u32::from_be_bytes(*self.bytes(8)?.last_chunk()?),
                _ => return None,
            },
        ))
    }

    /// The next value with its constructor.
    fn next(&mut self) -> Option<&'a [u8]> {
        let all = self.0;
        let constructor = *self.bytes(1)?.first()?;
        let len = match constructor >> 4 {
            0 => {
                self.next()?;
                self.next()?;
                0
            }
            4 => 0,
            5..=9 => 1 << ((constructor >> 4) - 5),
            0xa | 0xc | 0xe => usize::from(*self.bytes(1)?.first()?),
            0xb | 0xd | 0xf => u32::from_be_bytes(*self.bytes(4)?.first_chunk()?) as usize,
            _ => return None,
        };
        self.bytes(len)?;
        all.get(..all.len() - self.0.len())
    }
}

/// The fields of a list; those that were left out at its end are null.
struct Read<'a> {
    values: Values<'a>,
    left: u32,
}

impl<'a> Read<'a> {
    fn value(&mut self) -> Option<&'a [u8]> {
        if self.left == 0 {
            return Some(&[NULL]);
        }
        self.left -= 1;
        self.values.next()
    }

    fn skip(&mut self, many: usize) -> Option<()> {
        (0..many).try_for_each(|_| self.value().map(drop))
    }

    /// A number; nothing is 0.
    fn number(&mut self) -> Option<u32> {
        self.value().map(|value| number(value).unwrap_or(0))
    }
}

fn number(value: &[u8]) -> Option<u32> {
    match value {
        [0x43] => Some(0),
        [0x50 | 0x52, number] => Some(u32::from(*number)),
        [0x70, number @ ..] => Some(u32::from_be_bytes(number.try_into().ok()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deliveries_are_read_in_every_form_and_only_whole() {
        let short = b"\0\0\0\x16\x02\0\0\0\0S\x14\xc0\x09\x05\x43\x52\x07\xa0\x01t\x43\x42";
        let long =
            b"\0\0\0\x26\x02\0\0\0\0\x80\0\0\0\0\0\0\0\x14\xd0\0\0\0\x0e\0\0\0\x06\x43\x70\0\0\x01\0\x40\x43\x41\x41x";
        for end in 0..short.len() {
            assert_eq!(hear(&short[..end]).unwrap(), None, "{end}");
        }
        let heard = |bytes: &[u8]| hear(bytes).unwrap().unwrap().0;
        assert_eq!(heard(short), Heard::Transfer { delivery: Some(7), more: false });
        assert_eq!(heard(long), Heard::Transfer { delivery: Some(256), more: true });
        assert!(hear(b"HTTP/1.1 400").is_err());
    }

    #[test]
    fn what_is_said_is_read_as_it_was_meant() {
        let mut out = Vec::new();
        open(&mut out, "queue");
        credit(&mut out, 1, 2, 3);
        accept(&mut out, 5);
        frame(&mut out, 0, 0x18, Fields::default());
        let mut heard = Vec::new();
        while let Some((one, len)) = hear(&out).unwrap() {
            heard.push(one);
            out.drain(..len);
        }
        assert!(out.is_empty());
        let others = [Heard::Other; 2];
        assert_eq!(heard[..2], others);
        assert_eq!(heard[2..], [Heard::Begin(0), Heard::Attach(0), Heard::Other, Heard::Other, Heard::End]);
    }
}
