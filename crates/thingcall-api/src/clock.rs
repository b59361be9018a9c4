//! The wall clock, and how the API writes times.
//!
//! **Invariant:** the clock is read to judge the age of signatures, and for nothing else; it is a function so that
//! tests can stop it.

use std::sync::Arc;

use jiff::Timestamp;
use thingcall_core::UnixMillis;

/// Tells the time.
pub(crate) type Clock = Arc<dyn Fn() -> UnixMillis + Send + Sync>;

/// Reads `YYYY-MM-DDThh:mm:ssZ`, the one form requests carry.
pub(crate) fn parse(text: &str) -> Option<UnixMillis> {
    if text.len() != "2026-01-02T03:04:05Z".len() || !text.ends_with('Z') {
        return None;
    }
    text.parse::<Timestamp>().ok().map(|time| UnixMillis(time.as_millisecond()))
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
