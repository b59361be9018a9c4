//! What devices say by themselves: reports, tags, questions of the time, and their applications' own messages.
//!
//! Source: `PROTOCOL.md` 9.1 to 9.4. Values stay as the device wrote them; what of them the model knows, others say.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use thingcall_core::{DeviceKey, DropReason, Post, PostEcho, Said, Series, Tag};

mod answer;
mod values;

pub use answer::{answer_payload, answer_topic};

use values::{members, scalar, timed};

/// The filters under which an external broker delivers what devices say by themselves. None of them matches what we answer.
pub const POST_FILTERS: &[&str] = &[
    "/sys/+/+/thing/event/+/post",
    "/sys/+/+/thing/event/property/batch/post",
    "/sys/+/+/thing/event/property/history/post",
    "/sys/+/+/thing/deviceinfo/update",
    "/sys/+/+/thing/deviceinfo/delete",
    "/sys/+/+/thing/model/up_raw",
    "/ext/ntp/+/+/request",
    "/+/+/user/#",
];

/// A parameter is not as it must be, or nobody here does anything with the request.
const WRONG: i64 = 460;
/// Too many properties in one message.
const TOO_MANY: i64 = 6106;
/// As many properties may be in one message.
const PROPERTIES_MAX: usize = 200;

/// What a topic of this side is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind<'t> {
    /// `thing/event/property/post`.
    Properties,
    /// `thing/event/{id}/post`.
    Event(&'t str),
    /// `thing/event/property/batch/post`.
    Batch,
    /// `thing/event/property/history/post`.
    History,
    /// `thing/deviceinfo/update`.
    SetTags,
    /// `thing/deviceinfo/delete`.
    RemoveTags,
    /// `/ext/ntp/{pk}/{dn}/request`.
    AskTime,
    /// `/{pk}/{dn}/user/...`.
    Custom,
    /// A request that nobody here does anything with.
    Unsupported,
}

impl<'t> Kind<'t> {
    /// What is below `/sys/{pk}/{dn}/`; `None` if it is no request of a device's.
    pub(crate) fn of_sys(rest: &'t str) -> Option<Self> {
        let thing = rest.strip_prefix("thing/")?;
        Some(match thing {
            "event/property/post" => Self::Properties,
            "event/property/batch/post" => Self::Batch,
            "event/property/history/post" => Self::History,
            "deviceinfo/update" => Self::SetTags,
            "deviceinfo/delete" => Self::RemoveTags,
            // What only this side publishes, and what answers it.
            _ if thing.starts_with("service/") || thing.starts_with("model/") || thing.ends_with("_reply") => {
                return None;
            }
            _ => match thing.strip_prefix("event/").and_then(|thing| thing.strip_suffix("/post")) {
                Some(id) if !id.is_empty() && !id.contains('/') => Self::Event(id),
                Some(_) | None => Self::Unsupported,
            },
        })
    }

    /// What a request is for that has no topic of its own.
    fn of_method(method: &'t str) -> Option<Self> {
        Some(match method {
            "thing.event.property.post" => Self::Properties,
            "thing.event.property.batch.post" => Self::Batch,
            "thing.event.property.history.post" => Self::History,
            "thing.deviceinfo.update" => Self::SetTags,
            "thing.deviceinfo.delete" => Self::RemoveTags,
            _ => {
                let id = method.strip_prefix("thing.event.")?.strip_suffix(".post")?;
                return (!id.contains('.')).then_some(Self::Event(id));
            }
        })
    }
}

/// What a request holds. Members are cut out as text, so that a wrong type in one does not hide the others.
struct Request<'a> {
    id: Option<&'a RawValue>,
    version: Option<&'a RawValue>,
    sys: Option<&'a RawValue>,
    params: Option<&'a RawValue>,
    method: Option<&'a RawValue>,
}

/// Reads a message on a topic of this kind.
pub(crate) fn read(device: DeviceKey, kind: Kind<'_>, topic: &str, payload: &Bytes) -> Result<Post, DropReason> {
    let bytes = payload.len();
    let (echo, said) = match kind {
        Kind::Custom => (None, Said::Custom { topic: topic.to_owned(), payload: payload.clone() }),
        Kind::AskTime => (None, asks_time(payload)?),
        Kind::Properties
        | Kind::Event(_)
        | Kind::Batch
        | Kind::History
        | Kind::SetTags
        | Kind::RemoveTags
        | Kind::Unsupported => {
            let request = request(payload).ok_or(DropReason::UnreadablePost)?;
            (echo(&request, topic), said(&request, kind, &device))
        }
    };
    Ok(Post { device, echo, said, bytes })
}

/// What a device reported in its own bytes, once translated; `None` if that is no report. It gets no answer: nobody would
/// put one into its bytes.
pub fn post_of(device: &DeviceKey, translated: &[u8]) -> Option<Post> {
    let request = request(translated)?;
    let method = text(request.method?)?;
    let said = said(&request, Kind::of_method(&method)?, device);
    Some(Post { device: device.clone(), echo: None, said, bytes: translated.len() })
}

fn request(payload: &[u8]) -> Option<Request<'_>> {
    let members = members(serde_json::from_slice(trimmed(payload)).ok()?)?;
    let member = |name| {
        let found = members.iter().find(|(member, _)| member == name).map(|(_, value)| *value);
        found.filter(|value| value.get() != "null")
    };
    Some(Request {
        id: member("id"),
        version: member("version"),
        sys: member("sys"),
        params: member("params"),
        method: member("method"),
    })
}

/// Without what some encoders put around a text: a byte order mark before it, zero bytes behind it.
fn trimmed(payload: &[u8]) -> &[u8] {
    let mut payload = payload.strip_prefix(b"\xef\xbb\xbf").unwrap_or(payload);
    while let Some(rest) = payload.strip_suffix(b"\0") {
        payload = rest;
    }
    payload.trim_ascii_start()
}

fn asks_time(payload: &[u8]) -> Result<Said, DropReason> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Question<'a> {
        #[serde(borrow)]
        device_send_time: Option<&'a RawValue>,
    }
    let question: Question<'_> = serde_json::from_slice(trimmed(payload)).map_err(|_| DropReason::UnreadablePost)?;
    Ok(Said::AsksTime(question.device_send_time.map_or(r#""""#, RawValue::get).to_owned()))
}

/// What its answer repeats, if it wants one: it does unless it says `"sys":{"ack":0}`.
fn echo(request: &Request<'_>, topic: &str) -> Option<PostEcho> {
    let ack = request.sys.and_then(members).into_iter().flatten().find(|(name, _)| name == "ack");
    if ack.is_some_and(|(_, ack)| scalar(ack) == "0") {
        return None;
    }
    let method = || topic.split('/').skip(4).collect::<Vec<_>>().join(".");
    Some(PostEcho {
        topic: format!("{topic}_reply"),
        id: request.id.map_or(r#""""#, RawValue::get).to_owned(),
        version: request.version.and_then(text).unwrap_or_else(|| "1.0".to_owned()),
        method: request.method.and_then(text).unwrap_or_else(method),
    })
}

fn said(request: &Request<'_>, kind: Kind<'_>, device: &DeviceKey) -> Said {
    let read = match kind {
        Kind::Properties => properties(request.params),
        Kind::Event(id) => event(id, request.params),
        Kind::Batch => batch(request.params),
        Kind::History => history(request.params, device),
        Kind::SetTags => tags(request.params).map(Said::TagsSet),
        Kind::RemoveTags => {
            tags(request.params).map(|tags| Said::TagsRemoved(tags.into_iter().map(|tag| tag.key).collect()))
        }
        Kind::AskTime | Kind::Custom | Kind::Unsupported => {
            let method = request.method.and_then(text).unwrap_or_default();
            let method: String = method.chars().take(80).collect();
            Err((WRONG, format!("request parameter error: {method:?} is not supported here")))
        }
    };
    read.unwrap_or_else(|(code, why)| Said::Refused { code, why })
}

/// What a request is refused with.
type Refusal = (i64, String);

fn wrong(what: &str) -> Refusal {
    (WRONG, format!("request parameter error: {what}"))
}

type Params<'a> = Option<&'a RawValue>;

fn properties(params: Params<'_>) -> Result<Said, Refusal> {
    let params = params.and_then(members).ok_or_else(|| wrong("params is no object of properties"))?;
    few(params.len())?;
    Ok(Said::Properties(params.iter().map(|(id, value)| timed(id, value)).collect()))
}

fn few(properties: usize) -> Result<(), Refusal> {
    if properties <= PROPERTIES_MAX {
        return Ok(());
    }
    Err((TOO_MANY, format!("{properties} properties in one message; at most {PROPERTIES_MAX} may be")))
}

fn event(id: &str, params: Params<'_>) -> Result<Said, Refusal> {
    let params = params.filter(|params| params.get().starts_with('{'));
    Ok(Said::Event(timed(id, params.ok_or_else(|| wrong("params is no object"))?)))
}

fn batch(params: Params<'_>) -> Result<Said, Refusal> {
    let params = params.and_then(members).ok_or_else(|| wrong("params is no object"))?;
    let mut series = Series::default();
    for (name, of) in &params {
        let Some(of) = members(of) else { return Err(wrong(&format!("params.{name} is no object"))) };
        match name.as_str() {
            "properties" => {
                few(of.len())?;
                series.properties = of.iter().flat_map(|(id, values)| each(values, |v| timed(id, v))).collect();
            }
            "events" => series.events = of.iter().flat_map(|(id, values)| each(values, |v| timed(id, v))).collect(),
            _ => {}
        }
    }
    Ok(Said::Batch(series))
}

fn history(params: Params<'_>, device: &DeviceKey) -> Result<Said, Refusal> {
    let params = params.ok_or_else(|| wrong("params is missing"))?;
    let (mut properties, mut events) = (Vec::new(), Vec::new());
    for of in each(params, |of| of) {
        for (name, of) in members(of).ok_or_else(|| wrong("params is no array of objects"))? {
            match name.as_str() {
                "identity" if !is_identity(of, device) => {
                    return Err(wrong("params.identity is not of this device; sub-devices are not supported here"));
                }
                "properties" => {
                    for of_one_time in each(of, members) {
                        let of_one_time =
                            of_one_time.ok_or_else(|| wrong("params.properties is no array of objects"))?;
                        few(of_one_time.len())?;
                        properties.push(of_one_time.iter().map(|(id, value)| timed(id, value)).collect());
                    }
                }
                "events" => {
                    for of_one_time in each(of, members) {
                        let of_one_time = of_one_time.ok_or_else(|| wrong("params.events is no array of objects"))?;
                        events.extend(of_one_time.iter().map(|(id, value)| timed(id, value)));
                    }
                }
                _ => {}
            }
        }
    }
    Ok(Said::History { properties, events })
}

fn is_identity(identity: &RawValue, device: &DeviceKey) -> bool {
    members(identity).unwrap_or_default().into_iter().all(|(name, value)| match name.as_str() {
        "productKey" => scalar(value) == device.product.as_str(),
        "deviceName" => scalar(value) == device.name.as_str(),
        _ => true,
    })
}

fn tags(params: Params<'_>) -> Result<Vec<Tag>, Refusal> {
    let params = params.ok_or_else(|| wrong("params is missing"))?;
    let tag = |of: &RawValue| {
        let (mut key, mut value) = (None, String::new());
        for (name, said) in members(of)? {
            match name.as_str() {
                "attrKey" => key = Some(scalar(said)),
                "attrValue" => value = scalar(said),
                _ => {}
            }
        }
        key.filter(|key| !key.is_empty()).map(|key| Tag { key, value })
    };
    let tags: Option<Vec<_>> = each(params, tag).into_iter().collect();
    tags.ok_or_else(|| wrong("params is no array of objects with an attrKey"))
}

/// Each item of an array; what is no array counts as one with a single item.
fn each<'a, T>(json: &'a RawValue, read: impl Fn(&'a RawValue) -> T) -> Vec<T> {
    match serde_json::from_str::<Vec<&'a RawValue>>(json.get()) {
        Ok(items) => items.into_iter().map(read).collect(),
        Err(_) => vec![read(json)],
    }
}

fn text(raw: &RawValue) -> Option<String> {
    serde_json::from_str(raw.get()).ok()
}

#[cfg(test)]
mod tests;
