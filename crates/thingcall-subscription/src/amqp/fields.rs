//! The fields of a described list, read one after the other.
//!
//! **Invariant:** nothing is copied; a field that is absent, or null, is `None`, and one of the wrong type an error.

use super::walk::{Malformed, value_len};

/// What is left of a list's fields.
#[derive(Debug, Clone)]
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
    left: usize,
}

/// Reads `00 descriptor list`: the descriptor's number, and the list's fields. What stands behind it must be nothing.
pub(crate) fn described_list(bytes: &[u8]) -> Result<(u64, Fields<'_>), Malformed> {
    if value_len(bytes)? != bytes.len() {
        return Err(Malformed::Size);
    }
    let rest = bytes.strip_prefix(&[0]).ok_or(Malformed::Descriptor)?;
    let (descriptor, list) = rest.split_at_checked(value_len(rest)?).ok_or(Malformed::Cut)?;
    let code = match unsigned(descriptor) {
        Some(code) => code,
        None => named(symbol(descriptor).ok_or(Malformed::Descriptor)?).unwrap_or(u64::MAX),
    };
    Ok((code, fields_of(list)?))
}

fn fields_of(list: &[u8]) -> Result<Fields<'_>, Malformed> {
    let fields = match list {
        [0x45] => Some(Fields { rest: &[], left: 0 }),
        [0xc0, _, count, rest @ ..] => Some(Fields { rest, left: usize::from(*count) }),
        [0xd0, _, _, _, _, a, b, c, d, rest @ ..] => {
            Some(Fields { rest, left: u32::from_be_bytes([*a, *b, *c, *d]) as usize })
        }
        _ => None,
    };
    fields.ok_or(Malformed::Field)
}

/// Descriptors may be written as symbols too.
fn named(symbol: &str) -> Option<u64> {
    Some(match symbol {
        "amqp:open:list" => 0x10,
        "amqp:begin:list" => 0x11,
        "amqp:attach:list" => 0x12,
        "amqp:flow:list" => 0x13,
        "amqp:transfer:list" => 0x14,
        "amqp:disposition:list" => 0x15,
        "amqp:detach:list" => 0x16,
        "amqp:end:list" => 0x17,
        "amqp:close:list" => 0x18,
        "amqp:error:list" => 0x1d,
        "amqp:received:list" => 0x23,
        "amqp:accepted:list" => 0x24,
        "amqp:rejected:list" => 0x25,
        "amqp:released:list" => 0x26,
        "amqp:modified:list" => 0x27,
        "amqp:sasl-init:list" => 0x41,
        _ => return None,
    })
}

impl<'a> Fields<'a> {
    /// The next field as it is encoded.
    pub(crate) fn raw(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        if self.left == 0 {
            return Ok(None);
        }
        let (value, rest) = self.rest.split_at_checked(value_len(self.rest)?).ok_or(Malformed::Cut)?;
        self.left -= 1;
        self.rest = rest;
        Ok(Some(value).filter(|value| *value != [0x40]))
    }

    /// Passes over so many fields.
    pub(crate) fn skip(&mut self, fields: usize) -> Result<(), Malformed> {
        (0..fields).try_for_each(|_| self.raw().map(drop))
    }

    /// The next field by a reader of its type.
    fn typed<T>(&mut self, read: impl Fn(&'a [u8]) -> Option<T>) -> Result<Option<T>, Malformed> {
        self.raw()?.map(|value| read(value).ok_or(Malformed::Field)).transpose()
    }

    pub(crate) fn u8(&mut self) -> Result<Option<u8>, Malformed> {
        self.typed(|value| unsigned(value)?.try_into().ok())
    }

    pub(crate) fn u16(&mut self) -> Result<Option<u16>, Malformed> {
        self.typed(|value| unsigned(value)?.try_into().ok())
    }

    pub(crate) fn u32(&mut self) -> Result<Option<u32>, Malformed> {
        self.typed(|value| unsigned(value)?.try_into().ok())
    }

    pub(crate) fn u64(&mut self) -> Result<Option<u64>, Malformed> {
        self.typed(unsigned)
    }

    pub(crate) fn boolean(&mut self) -> Result<Option<bool>, Malformed> {
        self.typed(|value| match value {
            [0x41] | [0x56, 1] => Some(true),
            [0x42] | [0x56, 0] => Some(false),
            _ => None,
        })
    }

    pub(crate) fn text(&mut self) -> Result<Option<&'a str>, Malformed> {
        self.typed(|value| std::str::from_utf8(sized(value, [0xa1, 0xb1])?).ok())
    }

    pub(crate) fn symbol(&mut self) -> Result<Option<&'a str>, Malformed> {
        self.typed(symbol)
    }

    pub(crate) fn binary(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        self.typed(|value| sized(value, [0xa0, 0xb0]))
    }
}

/// A number without sign, of any width.
fn unsigned(value: &[u8]) -> Option<u64> {
    let (constructor, bytes) = value.split_first()?;
    match (constructor, bytes.len()) {
        (0x43 | 0x44, 0) | (0x50 | 0x52 | 0x53, 1) | (0x60, 2) | (0x70, 4) | (0x80, 8) => {
            Some(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
        }
        _ => None,
    }
}

fn symbol(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(sized(value, [0xa3, 0xb3])?).ok()
}

/// The bytes of a value with a size, of these two constructors.
fn sized(value: &[u8], [short, long]: [u8; 2]) -> Option<&[u8]> {
    match value {
        [constructor, _, bytes @ ..] if *constructor == short => Some(bytes),
        [constructor, _, _, _, _, bytes @ ..] if *constructor == long => Some(bytes),
        _ => None,
    }
}
