//! Encodes frames, lists and values at the end of a buffer.

use super::frames::AMQP;

/// Writes a frame around what `body` appends.
pub(crate) fn frame(out: &mut Vec<u8>, channel: u16, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0, 0, 0, 0, 2, AMQP]);
    out.extend_from_slice(&channel.to_be_bytes());
    body(out);
    let size = out.len().saturating_sub(start);
    patch_u32(out, start, size);
}

fn patch_u32(out: &mut [u8], at: usize, number: usize) {
    let number = u32::try_from(number).unwrap_or(u32::MAX);
    if let Some(place) = out.get_mut(at..at + 4) {
        place.copy_from_slice(&number.to_be_bytes());
    }
}

/// Writes a described list with the fields that `write` appends.
pub(crate) fn list(out: &mut Vec<u8>, code: u8, write: impl FnOnce(&mut Items<'_>)) {
    out.extend_from_slice(&[0, 0x53, code]);
    compound(out, 0xd0, write);
}

/// A map; keys and values are items one after the other.
pub(crate) fn map(out: &mut Vec<u8>, code: u8, write: impl FnOnce(&mut Items<'_>)) {
    out.extend_from_slice(&[0, 0x53, code]);
    compound(out, 0xd1, write);
}

fn compound(out: &mut Vec<u8>, constructor: u8, write: impl FnOnce(&mut Items<'_>)) {
    out.push(constructor);
    let start = out.len();
    out.extend_from_slice(&[0; 8]);
    let mut items = Items { out, count: 0 };
    write(&mut items);
    let count = items.count;
    let size = out.len().saturating_sub(start + 4);
    patch_u32(out, start, size);
    patch_u32(out, start + 4, count);
}

/// The items of a list or map that is being written.
pub(crate) struct Items<'a> {
    out: &'a mut Vec<u8>,
    count: usize,
}

impl Items<'_> {
    fn put(&mut self, constructor: u8, bytes: &[u8]) -> &mut Self {
        self.count += 1;
        self.out.push(constructor);
        self.out.extend_from_slice(bytes);
        self
    }

    pub(crate) fn null(&mut self) -> &mut Self {
        self.put(0x40, &[])
    }

    pub(crate) fn boolean(&mut self, value: bool) -> &mut Self {
        self.put(if value { 0x41 } else { 0x42 }, &[])
    }

    pub(crate) fn u8(&mut self, value: u8) -> &mut Self {
        self.put(0x50, &[value])
    }

    pub(crate) fn u16(&mut self, value: u16) -> &mut Self {
        self.put(0x60, &value.to_be_bytes())
    }

    pub(crate) fn u32(&mut self, value: u32) -> &mut Self {
        match u8::try_from(value) {
            Ok(0) => self.put(0x43, &[]),
            Ok(small) => self.put(0x52, &[small]),
            Err(_) => self.put(0x70, &value.to_be_bytes()),
        }
    }

    pub(crate) fn long(&mut self, value: i64) -> &mut Self {
        self.put(0x81, &value.to_be_bytes())
    }

    pub(crate) fn text(&mut self, value: &str) -> &mut Self {
        self.sized([0xa1, 0xb1], value.as_bytes())
    }

    pub(crate) fn symbol(&mut self, value: &str) -> &mut Self {
        self.sized([0xa3, 0xb3], value.as_bytes())
    }

    pub(crate) fn binary(&mut self, value: &[u8]) -> &mut Self {
        self.sized([0xa0, 0xb0], value)
    }

    /// A value that is encoded already; null where there is none.
    pub(crate) fn raw(&mut self, value: Option<&[u8]>) -> &mut Self {
        self.count += 1;
        self.out.extend_from_slice(value.unwrap_or(&[0x40]));
        self
    }

    /// A described list in its place.
    pub(crate) fn list(&mut self, code: u8, write: impl FnOnce(&mut Items<'_>)) -> &mut Self {
        self.count += 1;
        list(self.out, code, write);
        self
    }

    fn sized(&mut self, constructors: [u8; 2], bytes: &[u8]) -> &mut Self {
        self.count += 1;
        sized(self.out, constructors, bytes);
        self
    }
}

/// Bytes with their size in front, in the shorter of two ways.
pub(crate) fn sized(out: &mut Vec<u8>, [short, long]: [u8; 2], bytes: &[u8]) {
    if let Ok(size) = u8::try_from(bytes.len()) {
        out.extend_from_slice(&[short, size]);
    } else {
        out.push(long);
        out.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    }
    out.extend_from_slice(bytes);
}
