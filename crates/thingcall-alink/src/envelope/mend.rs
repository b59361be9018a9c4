//! What devices write that is not quite right, and what they mean by it.
//!
//! **Invariant:** nothing here runs for an answer that is right, and each thing that is mended is told.

use serde_json::value::RawValue;
use thingcall_core::{CallId, MalformedReply, Repair, Repairs};

use super::{Envelope, envelope, members};

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads a message without what stands around its text.
#[cold]
pub(super) fn framed(payload: &[u8], problem: MalformedReply) -> Envelope {
    let mut repairs = Repairs::NONE;
    let mut text = payload;
    if let Some(rest) = text.strip_prefix(BYTE_ORDER_MARK) {
        text = rest;
        repairs.add(Repair::ByteOrderMark);
    }
    if text.last() == Some(&0) {
        let end = text.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        text = text.get(..end).unwrap_or_default();
        repairs.add(Repair::TrailingNul);
    }
    if repairs.is_empty() {
        return Envelope::Reply(None, Err(problem), repairs);
    }
    match members(text) {
        Ok(members) => envelope(&members, repairs),
        Err(problem) => Envelope::Reply(None, Err(problem), Repairs::NONE),
    }
}

/// `7.0` for 7.
#[cold]
pub(super) fn id(digits: &str, repairs: &mut Repairs) -> Option<CallId> {
    let (whole, zeros) = digits.split_once('.')?;
    let id = zeros.bytes().all(|byte| byte == b'0').then(|| whole.parse().ok())??;
    repairs.add(Repair::IdAsFloat);
    Some(id)
}

/// `200.0`, `2e2`, `"200"`.
#[cold]
pub(super) fn code(raw: &str, repairs: &mut Repairs) -> Option<i64> {
    let number = raw.trim_matches('"').trim();
    let code = match number.parse() {
        Ok(code) => code,
        Err(_) => {
            let value: f64 = number.parse().ok().filter(|value: &f64| value.fract() == 0.0)?;
            let code = format!("{value:.0}").parse().ok()?;
            repairs.add(Repair::CodeAsFloat);
            code
        }
    };
    if raw.starts_with('"') {
        repairs.add(Repair::CodeAsText);
    }
    Some(code)
}

/// Nothing, in all the ways that languages write it, or the object as a text.
#[cold]
pub(super) fn data(raw: &str, repairs: &mut Repairs) -> Option<String> {
    let (repair, data) = match empty(raw) {
        Some(repair) => (repair, "{}".to_owned()),
        None => {
            let text: String = serde_json::from_str(raw).ok()?;
            let text = text.trim();
            match text {
                "" => (Repair::DataEmptyText, "{}".to_owned()),
                _ if empty(text).is_some() => (Repair::DataAsText, "{}".to_owned()),
                _ if text.starts_with('{') => {
                    let _is_json: &RawValue = serde_json::from_str(text).ok()?;
                    (Repair::DataAsText, text.to_owned())
                }
                _ => return None,
            }
        }
    };
    repairs.add(repair);
    Some(data)
}

fn empty(json: &str) -> Option<Repair> {
    match json.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(items) if items.trim().is_empty() => Some(Repair::DataEmptyArray),
        Some(_) => None,
        None => (json == "null").then_some(Repair::DataNull),
    }
}
