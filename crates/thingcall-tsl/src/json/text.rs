//! JSON's strings: borrowed where they hold no escape, decoded where they do.

use std::borrow::Cow;

use super::{Fault, FaultKind, Reader};

impl<'a> Reader<'a> {
    /// A string; its opening quote, which is this one, stands here.
    pub(super) fn string(&mut self, quote: u8) -> Result<Cow<'a, str>, Box<Fault>> {
        self.at += 1;
        let plain = self.plain(quote);
        if self.take(quote) {
            return Ok(Cow::Borrowed(plain));
        }
        let mut decoded = plain.to_owned();
        while !self.take(quote) {
            decoded.push(self.escape()?);
            decoded.push_str(self.plain(quote));
        }
        Ok(Cow::Owned(decoded))
    }

    /// What stands before the next quote, escape or control character.
    pub(super) fn plain(&mut self, quote: u8) -> &'a str {
        let start = self.at;
        let rest = self.rest().as_bytes();
        let ends = |byte: &u8| *byte == quote || matches!(byte, b'\\' | 0..0x20);
        self.at += rest.iter().position(ends).unwrap_or(rest.len());
        self.since(start)
    }

    /// A key without quotes; its first character stands here.
    pub(super) fn bare_key(&mut self) -> &'a str {
        let start = self.at;
        while matches!(self.peek(), Some(b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'$')) {
            self.at += 1;
        }
        self.since(start)
    }

    /// The character of the escape that stands here.
    fn escape(&mut self) -> Result<char, Box<Fault>> {
        match self.peek() {
            None => return Err(self.fault(FaultKind::Unfinished { expected: "a closing quote" })),
            Some(b'\\') => {}
            Some(_) => return Err(self.fault(FaultKind::ControlCharacter)),
        }
        let start = self.at;
        self.at += 1;
        let plain = match self.peek() {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'\'') if self.grammar == super::Grammar::Loose => '\'',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(start),
            _ => return Err(self.fault_at(start, FaultKind::Escape)),
        };
        self.at += 1;
        Ok(plain)
    }

    /// The character of one `\u` escape, or of two that stand for one character; the first began at `start`.
    fn unicode(&mut self, start: usize) -> Result<char, Box<Fault>> {
        let high = self.hex().ok_or_else(|| self.fault_at(start, FaultKind::Escape))?;
        if let Some(char) = char::from_u32(high) {
            return Ok(char);
        }
        let low = if self.rest().starts_with("\\u") {
            self.at += 1;
            self.hex().ok_or_else(|| self.fault_at(start, FaultKind::Escape))?
        } else {
            0
        };
        match (high, low) {
            (0xD800..0xDC00, 0xDC00..0xE000) => char::from_u32(0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00)),
            _ => None,
        }
        .ok_or_else(|| self.fault_at(start, FaultKind::HalfCharacter))
    }

    /// The four digits after a `u`.
    fn hex(&mut self) -> Option<u32> {
        let digits = self.text.get(self.at + 1..self.at + 5)?;
        // `from_str_radix` takes a sign.
        if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        self.at += 5;
        u32::from_str_radix(digits, 16).ok()
    }

    fn fault_at(&self, at: usize, kind: FaultKind) -> Box<Fault> {
        Box::new(Fault { kind, at, path: String::new() })
    }
}
