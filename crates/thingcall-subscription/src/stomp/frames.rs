//! STOMP's frames: a command, headers, a body, a NUL.
//!
//! **Invariants:** headers are bounded in number, and a frame in bytes, before it is all there. Login frames have no escapes,
//! all others have.

use std::borrow::Cow;

use crate::machine::{Condition, Fault};

/// The most headers of a frame.
const HEADERS_MAX: usize = 32;

/// A whole frame. Its body says nothing to us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    pub(crate) command: &'a str,
    headers: Vec<(&'a str, &'a str)>,
}

const fn framing(text: &'static str) -> Fault {
    Fault { condition: Condition::FramingError, text }
}

/// Cuts off the first frame, which begins at once; `None` while it is not all there.
pub(crate) fn cut(bytes: &[u8], bytes_max: usize) -> Result<Option<(Frame<'_>, &[u8])>, Fault> {
    let within = bytes.get(..bytes_max).unwrap_or(bytes);
    let too_large = || if bytes.len() > bytes_max { Err(framing("a frame is too large")) } else { Ok(None) };
    let Some(head_bytes) = head_len(within) else {
        // A NUL before the empty line: there is none to come.
        return if within.contains(&0) { Err(framing("a frame without an empty line")) } else { too_large() };
    };
    let (head, body) = bytes.split_at_checked(head_bytes).unwrap_or((bytes, &[]));
    let head = std::str::from_utf8(head).map_err(|_| framing("headers are not UTF-8"))?;
    let frame = frame(head)?;
    let body_bytes = match frame.header("content-length") {
        Some(length) => {
            let length: usize = length.trim().parse().map_err(|_| framing("content-length is no number"))?;
            if head_bytes.saturating_add(length) >= bytes_max {
                return Err(framing("a frame is too large"));
            }
            length
        }
        None => match body.iter().position(|byte| *byte == 0) {
            Some(length) => length,
            None => return too_large(),
        },
    };
    match body.get(body_bytes..).and_then(<[u8]>::split_first) {
        Some((0, rest)) => Ok(Some((frame, rest))),
        Some(_) => Err(framing("a frame does not end where its content-length says")),
        None => Ok(None),
    }
}

/// Up to and with the empty line.
fn head_len(bytes: &[u8]) -> Option<usize> {
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
    let mut len = 0;
    loop {
        let line = lines.next()?;
        len += line.len();
        if matches!(line, b"\n" | b"\r\n") {
            return Some(len);
        }
        if line.contains(&0) {
            return None;
        }
    }
}

fn frame(head: &str) -> Result<Frame<'_>, Fault> {
    let mut lines = head.lines().take_while(|line| !line.is_empty());
    let command = lines.next().ok_or(framing("a frame without a command"))?;
    let mut headers = Vec::new();
    for line in lines {
        if headers.len() == HEADERS_MAX {
            return Err(framing("a frame has too many headers"));
        }
        headers.push(line.split_once(':').ok_or(framing("a header has no colon"))?);
    }
    Ok(Frame { command, headers })
}

impl<'a> Frame<'a> {
    /// A header as it stands there; the first one counts.
    pub(crate) fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    /// A header of a frame with escapes.
    pub(crate) fn unescaped(&self, name: &str) -> Result<Option<Cow<'a, str>>, Fault> {
        self.header(name).map(unescape).transpose()
    }
}

fn unescape(value: &str) -> Result<Cow<'_, str>, Fault> {
    if !value.contains('\\') {
        return Ok(Cow::Borrowed(value));
    }
    let mut plain = String::with_capacity(value.len());
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        plain.push(match (character, character == '\\') {
            (other, false) => other,
            (_, true) => match characters.next() {
                Some('n') => '\n',
                Some('r') => '\r',
                Some('c') => ':',
                Some('\\') => '\\',
                Some(_) | None => return Err(framing("a header has an unknown escape")),
            },
        });
    }
    Ok(Cow::Owned(plain))
}

/// Writes a frame.
pub(crate) fn write(out: &mut Vec<u8>, command: &str, headers: &[(&str, &str)], body: &[u8]) {
    out.extend_from_slice(command.as_bytes());
    out.push(b'\n');
    for (name, value) in headers {
        out.extend_from_slice(name.as_bytes());
        out.push(b':');
        escape(out, value);
        out.push(b'\n');
    }
    out.push(b'\n');
    out.extend_from_slice(body);
    out.push(0);
}

fn escape(out: &mut Vec<u8>, value: &str) {
    for byte in value.bytes() {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b':' => out.extend_from_slice(b"\\c"),
            other => out.push(other),
        }
    }
}
