//! Alink envelopes: requests to devices, and their replies.
//!
//! Source: `PROTOCOL.md` 5.1. Two SDKs drop a request whose `id` is no JSON string, or which lacks one of its four members
//! (3.2), so all four are always sent.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use thingcall_core::{CallId, Delivery, MalformedReply, RawReply, Repairs, Reply, ReplyBody};

use crate::words::{joined, service_words};

mod mend;
mod scan;

const ID: &str = r#"{"id":""#;

/// What is published to the device: a letter's bytes, its own where it speaks such, else the request.
pub fn payload(delivery: &Delivery) -> Bytes {
    if let Some(letter) = &delivery.letter {
        return letter.payload.clone();
    }
    delivery.raw.clone().unwrap_or_else(|| request_payload(delivery))
}

/// The request a device gets: id, version, params as the caller wrote them, method.
pub fn request_payload(delivery: &Delivery) -> Bytes {
    let Delivery { id, params, service, .. } = delivery;
    let mut digits = itoa::Buffer::new();
    let [module, colon, service] = service_words(service, "property.set");
    Bytes::from(joined([
        ID,
        digits.format(id.as_u32()),
        r#"","version":"1.0","params":"#,
        params.as_str(),
        r#","method":"thing.service."#,
        module,
        colon,
        service,
        "\"}",
    ]))
}

/// The id of a request that [`request_payload`] made.
pub fn request_id(payload: &[u8]) -> Option<CallId> {
    let rest = payload.strip_prefix(ID.as_bytes())?;
    let end = rest.iter().position(|byte| *byte == b'"')?;
    std::str::from_utf8(rest.get(..end)?).ok()?.parse().ok()
}

/// What a device said in its own bytes, once translated; `None` if that is no reply.
pub fn reply_of(raw: &RawReply, translated: &[u8]) -> Option<Reply> {
    let Envelope::Reply(payload_id, body, repairs) = read(translated) else { return None };
    let RawReply { device, transport, topic_id, payload, .. } = raw;
    let (device, bytes) = (device.clone(), payload.len());
    Some(Reply { device, transport: *transport, payload_id, topic_id: *topic_id, repairs, body, bytes })
}

/// A message on a topic for replies.
#[derive(Debug)]
pub(crate) enum Envelope {
    /// A reply: its id, where it has a usable one, what it says, and what was mended in it.
    Reply(Option<CallId>, Result<ReplyBody, MalformedReply>, Repairs),
    /// A request, not a reply: an echo of our own, on topics that both share. Elsewhere a device that answers so.
    Request {
        /// Its id.
        id: Option<CallId>,
        /// Where a reply's output would be.
        output: Output,
    },
}

/// Where the output of a reply without a code is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    /// In `params`, where a request has its input.
    InParams,
    /// Not there.
    Nowhere,
}

/// What a reply or a request may hold. Members are cut out as text, so that a wrong type in one does not hide the others.
#[derive(Default)]
struct Members<'a> {
    id: Option<&'a str>,
    code: Option<&'a str>,
    /// `null` too, if it is there.
    data: Option<&'a str>,
    message: Option<&'a str>,
    method: Option<&'a str>,
    params: Option<&'a str>,
}

/// Reads a message in one parse. Numbers in `data` stay as the device wrote them.
pub(crate) fn read(payload: &[u8]) -> Envelope {
    match members(payload) {
        Ok(members) => envelope(&members, Repairs::NONE),
        Err(problem) => mend::framed(payload, problem),
    }
}

fn members(payload: &[u8]) -> Result<Members<'_>, MalformedReply> {
    scan::members(payload).map_or_else(|| parsed(payload), Ok)
}

/// What [`scan`] leaves: what is not quite right, and what is written in a way that is rare.
#[cold]
fn parsed(payload: &[u8]) -> Result<Members<'_>, MalformedReply> {
    #[derive(Deserialize)]
    struct Parsed<'a> {
        #[serde(borrow)]
        id: Option<&'a RawValue>,
        #[serde(borrow)]
        code: Option<&'a RawValue>,
        #[serde(borrow, default, deserialize_with = "said")]
        data: Option<&'a RawValue>,
        #[serde(borrow)]
        message: Option<&'a RawValue>,
        #[serde(borrow)]
        method: Option<&'a RawValue>,
        #[serde(borrow)]
        params: Option<&'a RawValue>,
    }
    // An array of five would be taken for the members in their order.
    if payload.trim_ascii_start().first() != Some(&b'{') {
        return Err(MalformedReply::NotJson("it does not start with {".to_owned()));
    }
    let parsed: Parsed<'_> =
        serde_json::from_slice(payload).map_err(|problem| MalformedReply::NotJson(problem.to_string()))?;
    let [id, code, data, message, method, params] =
        [parsed.id, parsed.code, parsed.data, parsed.message, parsed.method, parsed.params]
            .map(|member| member.map(RawValue::get));
    Ok(Members { id, code, data, message, method, params })
}

/// A member that is there, `null` too.
fn said<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

fn envelope(members: &Members<'_>, mut repairs: Repairs) -> Envelope {
    let id = members.id.and_then(|raw| id(raw, &mut repairs));
    if members.code.is_none() && members.method.is_some() {
        return Envelope::Request { id, output: output(members) };
    }
    let body = body(members, &mut repairs);
    Envelope::Reply(id, body, repairs)
}

/// SDKs echo the id as text; one echoes a number where it got one.
fn id(raw: &str, repairs: &mut Repairs) -> Option<CallId> {
    let digits = unquoted(raw).unwrap_or(raw);
    digits.parse().ok().or_else(|| mend::id(digits.trim_matches('"'), repairs))
}

/// What stands in the quotes of a text.
fn unquoted(raw: &str) -> Option<&str> {
    raw.strip_prefix('"')?.strip_suffix('"')
}

fn body(members: &Members<'_>, repairs: &mut Repairs) -> Result<ReplyBody, MalformedReply> {
    Ok(ReplyBody {
        code: code(members, repairs)?,
        message: members.message.and_then(text),
        data: data(members.data, repairs)?,
    })
}

fn output(members: &Members<'_>) -> Output {
    if members.params.is_some() { Output::InParams } else { Output::Nowhere }
}

/// A reply must say whether the device did it.
pub(crate) fn no_code(output: Output) -> MalformedReply {
    let problem = match output {
        Output::InParams => r#"is missing, the output is in "params"; right is {"id":"...","code":200,"data":{...}}"#,
        Output::Nowhere => "is missing; right is a whole number such as 200",
    };
    MalformedReply::Member { member: "code", problem: problem.to_owned() }
}

fn code(members: &Members<'_>, repairs: &mut Repairs) -> Result<i64, MalformedReply> {
    let raw = members.code.ok_or_else(|| no_code(output(members)))?;
    raw.parse().ok().or_else(|| mend::code(raw, repairs)).ok_or_else(|| MalformedReply::Member {
        member: "code",
        problem: format!("is {}; right is a whole number such as 200", cut(raw)),
    })
}

fn data(raw: Option<&str>, repairs: &mut Repairs) -> Result<String, MalformedReply> {
    match raw {
        None => Ok("{}".to_owned()),
        Some(object) if object.starts_with('{') => Ok(object.to_owned()),
        Some(other) => mend::data(other, repairs).ok_or_else(|| MalformedReply::Member {
            member: "data",
            problem: format!("is {}; right is a JSON object", cut(other)),
        }),
    }
}

fn text(raw: &str) -> Option<String> {
    match unquoted(raw) {
        Some(text) if text.bytes().all(|byte| byte != b'\\') => Some(text.to_owned()),
        Some(_) => serde_json::from_str(raw).ok(),
        None => None,
    }
}

/// The start of a text, for an error.
fn cut(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
pub(crate) mod tests;
