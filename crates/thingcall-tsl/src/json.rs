//! JSON, as callers, devices and model files write it, read once into a small tree that borrows from the text.
//!
//! Written by hand for what the general reader does not keep: a number's own text (`10.0` is not `10`), keys that stand
//! twice and where, and words for the faults people make.
//!
//! **Invariant:** it takes exactly the grammar of RFC 8259 (with [`Grammar::Loose`] single quotes and bare keys beside
//! it) and no object with a key twice, and it never nests deeper than it is told, so neither reading a tree nor dropping
//! it can use up the stack.

use std::borrow::Cow;

use crate::words::{cut, quoted};

mod fault;
mod text;
mod write;

pub(crate) use fault::{Fault, FaultKind};
pub(crate) use write::{separated, string};

/// An object's members, in the order of the text. No key stands twice.
pub(crate) type Members<'a> = Vec<(Cow<'a, str>, Json<'a>)>;

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Json<'a> {
    Null,
    Bool(bool),
    /// As it was written.
    Number(&'a str),
    Text(Cow<'a, str>),
    Array(Vec<Json<'a>>),
    Object(Members<'a>),
}

/// What counts as JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grammar {
    /// RFC 8259.
    Strict,
    /// Single quotes and bare keys too, as the platform's parser takes them.
    Loose,
}

impl<'a> Json<'a> {
    /// Reads one value that takes up the whole text.
    pub(crate) fn read(text: &'a str, depth_max: usize) -> Result<Self, Box<Fault>> {
        Self::read_as(text, depth_max, Grammar::Strict)
    }

    /// The same, of a text with single quotes or bare keys.
    pub(crate) fn read_loose(text: &'a str, depth_max: usize) -> Result<Self, Box<Fault>> {
        Self::read_as(text, depth_max, Grammar::Loose)
    }

    fn read_as(text: &'a str, depth_max: usize, grammar: Grammar) -> Result<Self, Box<Fault>> {
        let mut reader = Reader { text, at: 0, depth_max, grammar };
        reader.skip_space();
        if reader.peek().is_none() {
            return Err(reader.fault(FaultKind::Empty));
        }
        let value = reader.value(depth_max)?;
        reader.skip_space();
        match reader.peek() {
            None => Ok(value),
            Some(_) => Err(reader.fault(FaultKind::Trailing)),
        }
    }

    /// Whether the text is one object, and each of its members is as it should be: its place, its name and what it is. No
    /// tree is made, so a name may stand twice, and one with escapes is none.
    pub(crate) fn all_members(
        text: &str,
        depth_max: usize,
        mut fits: impl FnMut(usize, &str, &Json<'_>) -> bool,
    ) -> bool {
        let mut reader = Reader { text, at: 0, depth_max, grammar: Grammar::Strict };
        reader.skip_space();
        let Some(levels) = depth_max.checked_sub(1).filter(|_| reader.take(b'{')) else { return false };
        reader.skip_space();
        if !reader.take(b'}') {
            for place in 0.. {
                reader.skip_space();
                let Some(name) = reader.plain_name() else { return false };
                if !reader.value(levels).is_ok_and(|value| fits(place, name, &value)) {
                    return false;
                }
                reader.skip_space();
                if reader.take(b'}') {
                    break;
                }
                if !reader.take(b',') {
                    return false;
                }
            }
        }
        reader.skip_space();
        reader.peek().is_none()
    }

    /// What it is, in words, with the value where that is short.
    pub(crate) fn kind(&self) -> Cow<'static, str> {
        match self {
            Self::Null => "null".into(),
            Self::Bool(true) => "true".into(),
            Self::Bool(false) => "false".into(),
            Self::Number(number) => format!("the number {}", cut(number)).into(),
            Self::Text(text) => format!("the text {}", quoted(text)).into(),
            Self::Array(_) => "an array".into(),
            Self::Object(_) => "an object".into(),
        }
    }
}

/// Stands at a byte of the text, always at the border of a character.
struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth_max: usize,
    grammar: Grammar,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// Goes past this byte if it stands here.
    fn take(&mut self, byte: u8) -> bool {
        let here = self.peek() == Some(byte);
        self.at += usize::from(here);
        here
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn fault(&self, kind: FaultKind) -> Box<Fault> {
        Box::new(Fault { kind, at: self.at, path: String::new() })
    }

    /// Something else stands here than `expected`.
    fn unexpected(&self, expected: &'static str) -> Box<Fault> {
        self.fault(match self.peek() {
            Some(b'\'') => FaultKind::SingleQuotes,
            Some(b'/') if matches!(self.text.as_bytes().get(self.at + 1), Some(b'/' | b'*')) => FaultKind::Comment,
            Some(_) => FaultKind::Unexpected { expected },
            None => FaultKind::Unfinished { expected },
        })
    }

    /// A value, with at most `levels` levels of objects and arrays.
    fn value(&mut self, levels: usize) -> Result<Json<'a>, Box<Fault>> {
        match self.peek() {
            Some(b'{') => self.object(self.level(levels)?),
            Some(b'[') => self.array(self.level(levels)?),
            Some(b'"') => self.string(b'"').map(Json::Text),
            Some(b'\'') if self.grammar == Grammar::Loose => self.string(b'\'').map(Json::Text),
            Some(b'-' | b'0'..=b'9') => self.number().map(Json::Number),
            _ => self.word(),
        }
    }

    fn level(&self, levels: usize) -> Result<usize, Box<Fault>> {
        levels.checked_sub(1).ok_or_else(|| self.fault(FaultKind::TooDeep { max: self.depth_max }))
    }

    fn word(&mut self) -> Result<Json<'a>, Box<Fault>> {
        for (word, value) in [("true", Json::Bool(true)), ("false", Json::Bool(false)), ("null", Json::Null)] {
            if self.rest().starts_with(word) {
                self.at += word.len();
                return Ok(value);
            }
        }
        Err(self.unexpected("a value"))
    }

    fn array(&mut self, levels: usize) -> Result<Json<'a>, Box<Fault>> {
        let mut items = Vec::new();
        self.at += 1;
        self.skip_space();
        if self.take(b']') {
            return Ok(Json::Array(items));
        }
        loop {
            self.skip_space();
            self.no_trailing_comma(b']', !items.is_empty())?;
            items.push(self.value(levels).map_err(|fault| fault.in_item(items.len()))?);
            self.skip_space();
            if self.take(b']') {
                return Ok(Json::Array(items));
            }
            if !self.take(b',') {
                return Err(self.unexpected("a comma or ]"));
            }
        }
    }

    fn object(&mut self, levels: usize) -> Result<Json<'a>, Box<Fault>> {
        let mut members = Vec::new();
        self.at += 1;
        self.skip_space();
        if self.take(b'}') {
            return Ok(Json::Object(members));
        }
        loop {
            self.skip_space();
            self.no_trailing_comma(b'}', !members.is_empty())?;
            members.push(self.member(levels)?);
            self.skip_space();
            if self.take(b'}') {
                break;
            }
            if !self.take(b',') {
                return Err(self.unexpected("a comma or }"));
            }
        }
        match twice(&members) {
            None => Ok(Json::Object(members)),
            Some(key) => Err(self.fault(FaultKind::Twice { key: key.to_owned() })),
        }
    }

    /// A member's name without escapes, and what stands between it and its value.
    fn plain_name(&mut self) -> Option<&'a str> {
        self.take(b'"').then_some(())?;
        let name = self.plain(b'"');
        self.take(b'"').then_some(())?;
        self.skip_space();
        self.take(b':').then_some(())?;
        self.skip_space();
        Some(name)
    }

    /// Nothing closes after a comma.
    fn no_trailing_comma(&self, close: u8, after_comma: bool) -> Result<(), Box<Fault>> {
        if after_comma && self.peek() == Some(close) { Err(self.fault(FaultKind::TrailingComma)) } else { Ok(()) }
    }

    fn member(&mut self, levels: usize) -> Result<(Cow<'a, str>, Json<'a>), Box<Fault>> {
        let key = match (self.peek(), self.grammar) {
            (Some(b'"'), _) => self.string(b'"')?,
            (Some(b'\''), Grammar::Loose) => self.string(b'\'')?,
            (Some(b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'$'), Grammar::Loose) => Cow::Borrowed(self.bare_key()),
            _ => return Err(self.unexpected("a key in double quotes")),
        };
        self.skip_space();
        if !self.take(b':') {
            return Err(self.unexpected("a colon"));
        }
        self.skip_space();
        match self.value(levels) {
            Ok(value) => Ok((key, value)),
            Err(fault) => Err(fault.in_member(&key)),
        }
    }

    fn number(&mut self) -> Result<&'a str, Box<Fault>> {
        let start = self.at;
        self.take(b'-');
        // A number does not begin with 0 unless a point or the end follows: 007 is not JSON.
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            if !self.take(b'+') {
                self.take(b'-');
            }
            self.digits()?;
        }
        match self.peek() {
            Some(b'0'..=b'9') => Err(self.unexpected("a number that does not begin with 0")),
            _ => Ok(self.since(start)),
        }
    }

    fn digits(&mut self) -> Result<(), Box<Fault>> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == start { Err(self.unexpected("a digit")) } else { Ok(()) }
    }
}

/// Objects up to this size are searched for a key that stands twice pair by pair: no memory is needed.
const PAIRWISE_MEMBERS_MAX: usize = 16;

/// The first key found that stands twice.
fn twice<'m>(members: &'m Members<'_>) -> Option<&'m str> {
    if members.len() <= PAIRWISE_MEMBERS_MAX {
        let mut earlier = members.iter().enumerate();
        let again = earlier.find(|(i, (key, _))| members.iter().take(*i).any(|(k, _)| k == key));
        return again.map(|(_, (key, _))| &**key);
    }
    let mut keys: Vec<&str> = members.iter().map(|(key, _)| &**key).collect();
    keys.sort_unstable();
    keys.iter().zip(keys.iter().skip(1)).find(|(a, b)| a == b).map(|(key, _)| *key)
}

#[cfg(test)]
mod tests;
