//! The canonical text of parameters, the same for both signatures: decoded, then encoded in one way.
//!
//! **Invariant:** works on decoded text alone. What a caller wrote on the wire (`+` or `%20`, raw `*` or `%2A`) is
//! gone before it comes here, because SDKs and their HTTP libraries differ in it.

use crate::decode::is_unreserved;

/// How the signs between and within names and values are written.
#[derive(Debug, Clone, Copy)]
struct Signs {
    percent: &'static [u8],
    equals: &'static [u8],
    and: &'static [u8],
}

const ONCE: Signs = Signs { percent: b"%", equals: b"=", and: b"&" };
/// The canonical text, encoded once more.
const TWICE: Signs = Signs { percent: b"%25", equals: b"%3D", and: b"%26" };

/// Appends `text` encoded: `%XX` upper-case, space as `%20`.
pub(crate) fn encode_into(out: &mut Vec<u8>, text: &str) {
    encode(out, text, ONCE.percent);
}

/// Appends `name=value` joined with `&`. The pairs are decoded, sorted by name.
pub(crate) fn query_into<'a>(out: &mut Vec<u8>, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) {
    write(out, pairs, ONCE);
}

/// Appends the same encoded once more, as the older signature signs it.
pub(crate) fn query_twice_into<'a>(out: &mut Vec<u8>, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) {
    write(out, pairs, TWICE);
}

/// The same as a text of its own.
pub(crate) fn query<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut out = Vec::with_capacity(512);
    query_into(&mut out, pairs);
    // It is of ASCII.
    String::from_utf8(out).unwrap_or_default()
}

fn write<'a>(out: &mut Vec<u8>, pairs: impl IntoIterator<Item = (&'a str, &'a str)>, signs: Signs) {
    for (i, (name, value)) in pairs.into_iter().enumerate() {
        if i > 0 {
            out.extend_from_slice(signs.and);
        }
        encode(out, name, signs.percent);
        out.extend_from_slice(signs.equals);
        encode(out, value, signs.percent);
    }
}

fn encode(out: &mut Vec<u8>, text: &str, percent: &[u8]) {
    let mut rest = text.as_bytes();
    while let Some(run) = rest.iter().position(|byte| !is_unreserved(*byte)) {
        let (unreserved, reserved) = rest.split_at(run);
        out.extend_from_slice(unreserved);
        let Some((byte, behind)) = reserved.split_first() else { return };
        out.extend_from_slice(percent);
        out.extend_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
        rest = behind;
    }
    out.extend_from_slice(rest);
}

/// The hexadecimal digit of a number below 16.
const fn digit(number: u8) -> u8 {
    if number < 10 { b'0' + number } else { b'A' + number - 10 }
}

#[cfg(test)]
mod tests;
