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
    let mut members = Members::default();
    let mut at = sign(payload, 0, b'{')?;
    match sign(payload, at, b'}') {
        Some(end) => at = end,
        None => loop {
            let name = space(payload, at);
            at = string(payload, name, Escapes::None)?;
            let place = place(&mut members, payload.get(name + 1..at - 1)?);
            let begin = space(payload, sign(payload, at, b':')?);
            at = value(payload, begin)?;
            if let Some(place) = place {
                let value = text.get(begin..at)?;
                // `null` is as good as nothing for most members: to be told by the one who knows which.
                if value == "null" || place.replace(value).is_some() {
                    return None;
                }
            }
            match sign(payload, at, b',') {
                Some(next) => at = next,
                None => break at = sign(payload, at, b'}')?,
            }
        },
    }
    (space(payload, at) == payload.len()).then_some(members)
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

// Each of these says where what begins at a place of the text ends, if it is there.

/// White space, of which there may be none.
#[inline]
fn space(text: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\n' | b'\r') = text.get(at) {
        at += 1;
    }
    at
}

/// A sign, and whatever white space stands before it.
#[inline]
fn sign(text: &[u8], at: usize, sign: u8) -> Option<usize> {
    let at = space(text, at);
    (text.get(at) == Some(&sign)).then_some(at + 1)
}

/// Whether a string may have escapes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Escapes {
    None,
    Short,
}

fn string(text: &[u8], at: usize, escapes: Escapes) -> Option<usize> {
    let mut at = (text.get(at) == Some(&b'"')).then_some(at + 1)?;
    loop {
        match text.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' if escapes == Escapes::Short => {
                matches!(text.get(at + 1)?, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't').then_some(())?;
                at += 1;
            }
            b'\\' | 0..0x20 => return None,
            _ => {}
        }
        at += 1;
    }
}

fn value(text: &[u8], at: usize) -> Option<usize> {
    match text.get(at)? {
        b'{' | b'[' => nested(text, at),
        _ => scalar(text, at),
    }
}

fn scalar(text: &[u8], at: usize) -> Option<usize> {
    match text.get(at)? {
        b'"' => string(text, at, Escapes::Short),
        b'-' | b'0'..=b'9' => number(text, at),
        _ => {
            let rest = text.get(at..)?;
            let word = ["true", "false", "null"].into_iter().find(|word| rest.starts_with(word.as_bytes()))?;
            Some(at + word.len())
        }
    }
}

fn number(text: &[u8], at: usize) -> Option<usize> {
    let at = at + usize::from(text.get(at) == Some(&b'-'));
    // None begins with 0 unless a point or the end follows.
    let mut at = if text.get(at) == Some(&b'0') { at + 1 } else { digits(text, at)? };
    if text.get(at) == Some(&b'.') {
        at = digits(text, at + 1)?;
    }
    if let Some(b'e' | b'E') = text.get(at) {
        at = digits(text, at + 1 + usize::from(matches!(text.get(at + 1), Some(b'+' | b'-'))))?;
    }
    Some(at)
}

/// At least one.
#[inline]
fn digits(text: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    while let Some(b'0'..=b'9') = text.get(at) {
        at += 1;
    }
    (at > start).then_some(at)
}

/// An object or an array, and all that is in it.
fn nested(text: &[u8], mut at: usize) -> Option<usize> {
    // The lowest bit is of the innermost level: 1 for an object.
    let (mut levels, mut depth) = (0_u64, 0_u32);
    loop {
        // A value begins here.
        if let Some(open @ (b'{' | b'[')) = text.get(at) {
            (depth < DEPTH_MAX).then_some(())?;
            (levels, depth) = (levels << 1 | u64::from(*open == b'{'), depth + 1);
            at = space(text, at + 1);
            if !matches!(text.get(at)?, b'}' | b']') {
                at = name(text, at, levels)?;
                continue;
            }
        } else {
            at = scalar(text, at)?;
        }
        // What was read is over, and with it each level that closes here.
        loop {
            if let Some(next) = sign(text, at, b',') {
                at = name(text, space(text, next), levels)?;
                break;
            }
            at = sign(text, at, if levels & 1 == 1 { b'}' } else { b']' })?;
            (levels, depth) = (levels >> 1, depth - 1);
            if depth == 0 {
                return Some(at);
            }
        }
    }
}

/// In an object, the name of a member and what stands between it and its value.
#[inline]
fn name(text: &[u8], at: usize, levels: u64) -> Option<usize> {
    if levels & 1 == 0 {
        return Some(at);
    }
    Some(space(text, sign(text, string(text, at, Escapes::Short)?, b':')?))
}

#[cfg(test)]
mod tests;
