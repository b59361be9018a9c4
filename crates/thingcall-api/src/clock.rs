//! The wall clock, and how the API writes times.
//!
//! **Invariant:** the clock is read to judge the age of signatures, and for nothing else; it is a function so that
//! tests can stop it.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use thingcall_core::UnixMillis;

/// Tells the time.
pub(crate) type Clock = Arc<dyn Fn() -> UnixMillis + Send + Sync>;

/// Reads `YYYY-MM-DDThh:mm:ssZ`, the one form requests carry.
pub(crate) fn parse(text: &str) -> Option<UnixMillis> {
    let bytes: &[u8; 20] = text.as_bytes().try_into().ok()?;
    let &[c, y, z, a, b'-', m, n, b'-', d, e, b'T' | b't' | b' ', h, i, b':', p, q, b':', s, t, b'Z'] = bytes else {
        return None;
    };
    let year = i16::from(two(c, y)?) * 100 + i16::from(two(z, a)?);
    // A leap second counts as the one before it.
    let second = two(s, t).map(|second| if second == 60 { 59 } else { second })?;
    let time = DateTime::new(year, two(m, n)?, two(d, e)?, two(h, i)?, two(p, q)?, second, 0).ok()?;
    Offset::UTC.to_timestamp(time).ok().map(|time| UnixMillis(time.as_millisecond()))
}

/// The number of two digits.
fn two(tens: u8, ones: u8) -> Option<i8> {
    let digit = |byte: u8| byte.is_ascii_digit().then(|| (byte - b'0').cast_signed());
    Some(digit(tens)? * 10 + digit(ones)?)
}

/// Writes `YYYY-MM-DDThh:mm:ssZ`.
pub(crate) fn stamp(at: UnixMillis) -> String {
    written(at, "%Y-%m-%dT%H:%M:%SZ")
}

/// Writes `YYYY-MM-DDThh:mm:ss.mmmZ`, the `Utc...` members of answers.
pub(crate) fn utc(at: UnixMillis) -> String {
    written(at, "%Y-%m-%dT%H:%M:%S.%3fZ")
}

/// Writes `YYYY-MM-DD hh:mm:ss` in GMT, the `Gmt...` members of answers.
pub(crate) fn gmt(at: UnixMillis) -> String {
    written(at, "%Y-%m-%d %H:%M:%S")
}

fn written(at: UnixMillis, format: &str) -> String {
    Timestamp::from_millisecond(at.0).map(|time| time.strftime(format).to_string()).unwrap_or_default()
}
