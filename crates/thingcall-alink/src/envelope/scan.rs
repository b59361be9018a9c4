//! The members of a message, cut out of its text in one pass.
//!
//! **Invariants:** nothing is allocated. What is found here is what [`serde_json`] finds, or nothing is: whatever is not JSON, or
//! JSON of a kind that devices hardly write (names with escapes, a member twice, more than [`DEPTH_MAX`] levels), is left to it.

use super::Members;

/// How deep a value may be: one bit for each level.
const DEPTH_MAX: u32 = 64;

/// The members of the object that the text is.
pub(super) fn members(payload: &[u8]) -> Option<Members<'_>> {
    let text = std::str::from_utf8(payload).ok()?;
    let mut scan = Scan { bytes: payload, at: 0 };
    let mut members = Members::default();
    scan.take(b'{')?;
    if scan.take(b'}').is_none() {
        loop {
            scan.space();
            let name = scan.at;
            scan.string(Escapes::None)?;
            let place = place(&mut members, payload.get(name + 1..scan.at - 1)?);
            scan.take(b':')?;
            scan.space();
            let value = scan.at;
            scan.value()?;
            if let Some(place) = place {
                let value = text.get(value..scan.at)?;
                // `null` is as good as nothing for most members: to be told by the one who knows which.
                if value == "null" || place.replace(value).is_some() {
                    return None;
                }
            }
            if scan.take(b',').is_none() {
                break scan.take(b'}')?;
            }
        }
    }
    scan.space();
    scan.peek().is_none().then_some(members)
}

/// Where a member of this name is kept, if it is.
fn place<'m, 'a>(members: &'m mut Members<'a>, name: &[u8]) -> Option<&'m mut Option<&'a str>> {
    Some(match name {
        b"id" => &mut members.id,
        b"code" => &mut members.code,
        b"data" => &mut members.data,
        b"message" => &mut members.message,
        b"method" => &mut members.method,
        b"params" => &mut members.params,
        _ => return None,
    })
}

/// Whether a string may have escapes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Escapes {
    None,
    Short,
}

/// Stands at a byte of the text, which is UTF-8.
struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Scan<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// Takes this sign, whatever white space stands before it.
    fn take(&mut self, sign: u8) -> Option<()> {
        self.space();
        self.is(sign).then_some(())
    }

    /// Goes past this byte if it stands here.
    fn is(&mut self, byte: u8) -> bool {
        let here = self.peek() == Some(byte);
        self.at += usize::from(here);
        here
    }

    /// A string, which begins here.
    fn string(&mut self, escapes: Escapes) -> Option<()> {
        self.is(b'"').then_some(())?;
        loop {
            let rest = self.bytes.get(self.at..)?;
            let plain = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20))?;
            self.at += plain + 1;
            match rest.get(plain)? {
                b'"' => return Some(()),
                b'\\' if escapes == Escapes::Short => {
                    matches!(self.peek()?, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't').then_some(())?;
                    self.at += 1;
                }
                _ => return None,
            }
        }
    }

    /// A value, which begins here.
    fn value(&mut self) -> Option<()> {
        match self.peek()? {
            b'{' | b'[' => self.nested(),
            _ => self.scalar(),
        }
    }

    fn scalar(&mut self) -> Option<()> {
        match self.peek()? {
            b'"' => self.string(Escapes::Short),
            b'-' | b'0'..=b'9' => self.number(),
            _ => self.word(),
        }
    }

    fn word(&mut self) -> Option<()> {
        let rest = self.bytes.get(self.at..)?;
        let word = ["true", "false", "null"].into_iter().find(|word| rest.starts_with(word.as_bytes()))?;
        self.at += word.len();
        Some(())
    }

    fn number(&mut self) -> Option<()> {
        self.is(b'-');
        if !self.is(b'0') {
            self.digits()?;
        }
        if self.is(b'.') {
            self.digits()?;
        }
        if self.is(b'e') || self.is(b'E') {
            let _sign = self.is(b'+') || self.is(b'-');
            self.digits()?;
        }
        Some(())
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    /// An object or an array, which begins here, and all that is in it.
    fn nested(&mut self) -> Option<()> {
        // The lowest bit is of the innermost level: 1 for an object.
        let (mut levels, mut depth) = (0_u64, 0_u32);
        loop {
            // A value begins here, or what closes an empty level.
            let opened = match self.peek()? {
                b'{' => Some(1),
                b'[' => Some(0),
                _ => None,
            };
            if let Some(kind) = opened {
                (depth < DEPTH_MAX).then_some(())?;
                (levels, depth) = (levels << 1 | kind, depth + 1);
                self.at += 1;
                self.space();
                if !matches!(self.peek()?, b'}' | b']') {
                    self.name(levels)?;
                    continue;
                }
            } else {
                self.scalar()?;
            }
            // What was read is over, and with it each level that closes here.
            loop {
                self.space();
                if self.is(b',') {
                    self.space();
                    self.name(levels)?;
                    break;
                }
                self.is(if levels & 1 == 1 { b'}' } else { b']' }).then_some(())?;
                (levels, depth) = (levels >> 1, depth - 1);
                if depth == 0 {
                    return Some(());
                }
            }
        }
    }

    /// In an object, the name of a member and what stands between it and its value.
    fn name(&mut self, levels: u64) -> Option<()> {
        if levels & 1 == 1 {
            self.string(Escapes::Short)?;
            self.take(b':')?;
            self.space();
        }
        Some(())
    }
}

#[cfg(test)]
mod tests;
