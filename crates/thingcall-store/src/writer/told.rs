//! The ends of calls that somebody wants to be told of.

use std::collections::HashMap;

use thingcall_core::{EndedCall, JournalEntry, UnixMillis};

use crate::calls::{self, CallKey, Called, NotWritten, Noted};

/// Those of new calls that are written down with their end.
pub(super) fn at_once(
    entries: &[&JournalEntry],
    refused: &HashMap<CallKey, NotWritten>,
    at: UnixMillis,
    is_told: impl Fn(&CallKey) -> bool,
) -> Vec<EndedCall> {
    let ended = entries.iter().filter(|entry| entry.answer.is_some()).filter(|entry| {
        let key = calls::key_of(entry);
        !refused.contains_key(&key) && is_told(&key)
    });
    ended.filter_map(|entry| calls::ended_at_once(entry, at)).collect()
}

/// Those that were noted, where the calls were open.
pub(super) fn failed(noted: &[(&CallKey, &Noted)], open: &HashMap<CallKey, Called>) -> Vec<EndedCall> {
    noted.iter().filter_map(|(key, noted)| Some(open.get(*key)?.ended(key, noted.end.as_ref()?))).collect()
}
