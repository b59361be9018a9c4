//! Walks over one encoded AMQP value, whatever it holds.
//!
//! **Invariants:** no recursion and no allocation; a value nested deeper than [`DEPTH_MAX`] is an error; a count or size is
//! held against the bytes that are there before anything is done with it.

/// How deep values may be nested. Clients' attaches take five.
pub(crate) const DEPTH_MAX: usize = 32;

/// What cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Malformed {
    Cut,
    Nested,
    Constructor,
    Descriptor,
    Size,
    Field,
    Missing,
    Performative,
}

impl Malformed {
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Cut => "a value ends before its end",
            Self::Nested => "values are nested too deep",
            Self::Constructor => "a value is of no known type",
            Self::Descriptor => "a descriptor is neither a number nor a symbol",
            Self::Size => "count and size of a value do not fit each other",
            Self::Field => "a field has the wrong type, or is out of its range",
            Self::Missing => "a field that must be there is missing",
            Self::Performative => "no such performative",
        }
    }
}

/// The bytes that the first value takes, all of which were looked at.
pub(crate) fn value_len(bytes: &[u8]) -> Result<usize, Malformed> {
    let mut walk = Walk { bytes, at: 0, levels: [Level::default(); DEPTH_MAX], depth: 0 };
    let constructor = walk.constructor()?;
    walk.body(constructor)?;
    while let Some(level) = walk.innermost() {
        if level.left == 0 {
            if level.end != walk.at {
                return Err(Malformed::Size);
            }
            walk.depth -= 1;
            continue;
        }
        level.left -= 1;
        let of = level.of;
        let constructor = match of {
            Some(constructor) => constructor,
            None => walk.constructor()?,
        };
        walk.body(constructor)?;
    }
    Ok(walk.at)
}

/// A list, map or array that is walked through.
#[derive(Debug, Clone, Copy, Default)]
struct Level {
    /// Where it ends.
    end: usize,
    /// Values that are still to come.
    left: usize,
    /// The constructor of an array's elements.
    of: Option<u8>,
}

struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    levels: [Level; DEPTH_MAX],
    depth: usize,
}

impl Walk<'_> {
    fn innermost(&mut self) -> Option<&mut Level> {
        self.levels.get_mut(self.depth.checked_sub(1)?)
    }

    /// Where the innermost list ends.
    fn limit(&mut self) -> usize {
        let all = self.bytes.len();
        self.innermost().map_or(all, |level| level.end)
    }

    fn advance(&mut self, bytes: usize) -> Result<(), Malformed> {
        let to = self.at.checked_add(bytes).filter(|to| *to <= self.limit()).ok_or(Malformed::Cut)?;
        self.at = to;
        Ok(())
    }

    fn number(&mut self, width: usize) -> Result<usize, Malformed> {
        let from = self.at;
        self.advance(width)?;
        let bytes = self.bytes.get(from..self.at).ok_or(Malformed::Cut)?;
        Ok(bytes.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)))
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        let byte = self.bytes.get(self.at).copied().ok_or(Malformed::Cut)?;
        self.advance(1)?;
        Ok(byte)
    }

    /// A constructor, past the descriptors before it.
    fn constructor(&mut self) -> Result<u8, Malformed> {
        for _ in 0..DEPTH_MAX {
            let constructor = self.byte()?;
            if constructor != 0 {
                return Ok(constructor);
            }
            let descriptor = self.byte()?;
            if !matches!(descriptor, 0x44 | 0x53 | 0x80 | 0xa3 | 0xb3) {
                return Err(Malformed::Descriptor);
            }
            self.body(descriptor)?;
        }
        Err(Malformed::Nested)
    }

    /// Passes over a value without parts, or goes into one with parts.
    fn body(&mut self, constructor: u8) -> Result<(), Malformed> {
        match constructor >> 4 {
            0x4 => Ok(()),
            class @ 0x5..=0x9 => self.advance(1 << (class - 5)),
            0xa => self.number(1).and_then(|size| self.advance(size)),
            0xb => self.number(4).and_then(|size| self.advance(size)),
            0xc | 0xd => self.enter_list(constructor),
            0xe | 0xf => self.enter_array(constructor),
            _ => Err(Malformed::Constructor),
        }
    }

    /// Size and count; where the value ends, and the count.
    fn head(&mut self, width: usize) -> Result<(usize, usize), Malformed> {
        let size = self.number(width)?;
        let end = self.at.checked_add(size).filter(|end| *end <= self.limit()).ok_or(Malformed::Cut)?;
        let count = self.number(width)?;
        if end < self.at { Err(Malformed::Size) } else { Ok((end, count)) }
    }

    fn enter_list(&mut self, constructor: u8) -> Result<(), Malformed> {
        let width = if constructor >> 4 == 0xc { 1 } else { 4 };
        let (end, left) = self.head(width)?;
        let is_map = constructor & 0xf == 1;
        if left > end - self.at || is_map && left % 2 != 0 {
            return Err(Malformed::Size);
        }
        self.enter(Level { end, left, of: None })
    }

    fn enter_array(&mut self, constructor: u8) -> Result<(), Malformed> {
        let width = if constructor >> 4 == 0xe { 1 } else { 4 };
        let (end, left) = self.head(width)?;
        if left == 0 {
            self.at = end;
            return Ok(());
        }
        let of = self.constructor()?;
        if self.at > end {
            return Err(Malformed::Size);
        }
        if of >> 4 == 0x4 {
            // Elements without bytes: however many there are, nothing follows.
            return if self.at == end { Ok(()) } else { Err(Malformed::Size) };
        }
        if left > end - self.at {
            return Err(Malformed::Size);
        }
        self.enter(Level { end, left, of: Some(of) })
    }

    fn enter(&mut self, level: Level) -> Result<(), Malformed> {
        let place = self.levels.get_mut(self.depth).ok_or(Malformed::Nested)?;
        *place = level;
        self.depth += 1;
        Ok(())
    }
}
