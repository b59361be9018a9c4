//! Texts made of pieces, and services as topics and envelopes write them.

use thingcall_core::ServiceId;

/// The pieces one after the other, in a text of just their length: what has room to spare is written down a second time
/// where it becomes `Bytes`.
#[inline]
pub(crate) fn joined<const N: usize>(pieces: [&str; N]) -> String {
    let mut text = String::with_capacity(pieces.iter().map(|piece| piece.len()).sum());
    for piece in pieces {
        text.push_str(piece);
    }
    text
}

/// A service in three pieces; `set` stands for the built-in one that sets properties.
pub(crate) fn service_words<'a>(service: &'a ServiceId, set: &'a str) -> [&'a str; 3] {
    match &service.module {
        Some(module) => [module.as_str(), ":", service.service.as_str()],
        None if service.sets_properties() => ["", "", set],
        None => ["", "", service.service.as_str()],
    }
}
