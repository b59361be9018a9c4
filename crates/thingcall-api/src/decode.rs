//! A form-encoded text as the text that it stands for.
//!
//! **Invariant:** read as the URL standard says (`form_urlencoded` reads the same): `+` is a space, a `%` that begins no
//! byte stands for itself, and what is not UTF-8 is replaced. Tells beside it whether the text was written in the one
//! way that [`crate::canonical`] writes it, so that it need not be written again to be signed.

use std::borrow::Cow;

/// Letters, digits and `-_.~`.
static UNRESERVED: [bool; 256] = unreserved();

/// Whether a byte is never encoded in a canonical text.
pub(crate) fn is_unreserved(byte: u8) -> bool {
    UNRESERVED.get(usize::from(byte)).is_some_and(|unreserved| *unreserved)
}

/// A decoded name or value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Piece<'a> {
    /// What it stands for.
    pub(crate) text: Cow<'a, str>,
    /// Its encoded form is the canonical one.
    pub(crate) canonical: bool,
}

impl Piece<'_> {
    /// Whether there is a NUL in it, which only an encoded text can have.
    pub(crate) fn has_nul(&self) -> bool {
        matches!(&self.text, Cow::Owned(text) if text.contains('\0'))
    }
}

/// What a piece is, and so which signs end it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// `=` or `&` ends it.
    Name,
    /// `&` ends it.
    Value,
}

impl Part {
    fn is_ended_by(self, byte: u8) -> bool {
        byte == b'&' || byte == b'=' && self == Self::Name
    }
}

/// Decodes the piece that `text` begins with; what follows begins with the sign that ended it, if one did.
pub(crate) fn piece(text: &str, part: Part) -> (Piece<'_>, &str) {
    let bytes = text.as_bytes();
    let plain = plain(bytes);
    let end = match bytes.get(plain) {
        Some(byte) if !part.is_ended_by(*byte) => {
            let end = bytes.iter().skip(plain).position(|byte| part.is_ended_by(*byte));
            end.map_or(bytes.len(), |end| plain + end)
        }
        Some(_) | None => plain,
    };
    // It is at a sign of ASCII or at the end.
    let (raw, behind) = text.split_at_checked(end).unwrap_or((text, ""));
    if plain == end {
        return (Piece { text: Cow::Borrowed(raw), canonical: true }, behind);
    }
    (decode(raw.as_bytes(), plain), behind)
}

/// Decodes what begins with so many unreserved bytes.
fn decode(raw: &[u8], plain: usize) -> Piece<'_> {
    let mut out = Vec::with_capacity(raw.len());
    let mut canonical = true;
    let mut rest = raw;
    let mut run = plain;
    loop {
        let (unreserved, encoded) = rest.split_at(run);
        out.extend_from_slice(unreserved);
        let Some((&first, behind)) = encoded.split_first() else { break };
        rest = match (first, behind) {
            (b'+', _) => {
                canonical = false;
                out.push(b' ');
                behind
            }
            (b'%', [high, low, ..]) if digit(*high).is_some() && digit(*low).is_some() => {
                let byte = digit(*high).unwrap_or(0) << 4 | digit(*low).unwrap_or(0);
                let lower = high.is_ascii_lowercase() || low.is_ascii_lowercase();
                canonical &= !lower && !is_unreserved(byte);
                out.push(byte);
                behind.get(2..).unwrap_or_default()
            }
            (other, _) => {
                canonical = false;
                out.push(other);
                behind
            }
        };
        run = self::plain(rest);
    }
    match String::from_utf8(out) {
        Ok(text) => Piece { text: Cow::Owned(text), canonical },
        Err(broken) => {
            Piece { text: Cow::Owned(String::from_utf8_lossy(broken.as_bytes()).into_owned()), canonical: false }
        }
    }
}

/// How many bytes at the beginning stand for themselves.
fn plain(raw: &[u8]) -> usize {
    raw.iter().position(|byte| !is_unreserved(*byte)).unwrap_or(raw.len())
}

/// The value of a hexadecimal digit.
const fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

#[expect(clippy::indexing_slicing, reason = "it is of 256")]
const fn unreserved() -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        table[byte as usize] = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests;
