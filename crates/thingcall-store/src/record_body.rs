//! A record as a row holds it: what it is looked for by in columns, the rest as JSON.
//!
//! **Invariant:** a member that is not there has its default, so that what any release wrote can be read.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thingcall_core::{
    CallId, CallMode, CallRecord, CallSource, CallTimes, DeviceRef, Hop, KeptCall, KeptHop, KeptLate, LateAnswer,
    Letter, PeerText, RecordedDevice, RecordedService, TransportKind, UnixMillis,
};

use crate::columns::{self, Columns};
use crate::record_tables::{LATE, LateRow, RecordRow};
use crate::records_config::RecordsConfig;

/// As much is kept of what a caller was told, and of a hint.
const TEXT_CHARS_MAX: usize = 1000;

/// What stands in no column.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Body {
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    executed: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stage: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transport: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plugin: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    /// In microseconds, by step.
    times: BTreeMap<String, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_code: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
    /// Stands last.
    #[serde(skip_serializing_if = "Option::is_none")]
    late: Option<Late>,
}

/// An answer that came after the end.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Late {
    at: i64,
    after_end_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<String>,
}

/// The row of a call that this instance had.
pub(crate) fn row(record: CallRecord, instance: Option<&str>, config: &RecordsConfig) -> RecordRow {
    let (product, device) = device_of(record.device);
    let reply = record.reply.as_ref();
    let body = Body {
        mode: record.mode.map(|mode| CallMode::as_str(mode).to_owned()),
        code: record.code.map(std::borrow::Cow::into_owned),
        executed: Some(record.executed.as_str().to_owned()),
        stage: Some(record.stage.as_str().to_owned()),
        transport: record.transport.map(|kind| TransportKind::as_str(kind).to_owned()),
        plugin: record.plugin,
        instance: instance.map(str::to_owned),
        text: own(&record.text),
        hint: record.hint.as_deref().and_then(own),
        times: record.times.steps().into_iter().map(|(step, at)| (step.as_str().to_owned(), at)).collect(),
        args: match &record.letter {
            Some(letter) => Some(letter_text(letter, config.args_bytes_max)),
            None => record.args.as_ref().and_then(|args| fits(args.as_str(), config.args_bytes_max)),
        },
        reply_code: reply.map(|reply| reply.code),
        data: match &record.said {
            Some(said) => Some(Value::Object(bytes_in(said, config.reply_bytes_max)).to_string()),
            None => reply.and_then(|reply| fits(&reply.data, config.reply_bytes_max)),
        },
        trace_id: record.trace_id.map(|id| id.to_string()),
        late: None,
    };
    RecordRow {
        call_id: record.call_id.map(|id| i64::from(id.as_u32())),
        request_id: record.request_id.to_string(),
        action: (!record.action.is_empty()).then(|| record.action.into_owned()),
        product,
        device,
        service: match record.service {
            RecordedService::Named(service) => service.to_string(),
            RecordedService::Said(text) => text,
        },
        key_id: record.key.as_ref().map(|key| key.id().to_owned()),
        outcome: record.outcome.as_str(),
        accepted_at: record.accepted_at.0,
        // Of texts and numbers only.
        body: serde_json::to_string(&body).unwrap_or_default(),
    }
}

/// What is added to the record of a call whose answer came too late.
pub(crate) fn late(late: LateAnswer, config: &RecordsConfig) -> LateRow {
    let LateAnswer { request_id, call_id, at, after_end, answer } = late;
    let (code, message, data) = match answer {
        Ok(body) => (Some(body.code), body.message, fits(&body.data, config.reply_bytes_max)),
        Err(malformed) => (None, Some(malformed.to_string()), None),
    };
    let (message, after_end_ms) = (message.as_deref().and_then(own), wide_millis(after_end));
    let body = Late { at: at.0, after_end_ms, code, message, data };
    // Of texts and numbers only.
    let object = serde_json::to_string(&body).unwrap_or_default();
    let member = format!("{LATE}{}", object.strip_prefix('{').unwrap_or("}"));
    LateRow { call_id: i64::from(call_id.as_u32()), request_id: request_id.to_string(), member }
}

fn wide_millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn own(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| PeerText::at_most(text, TEXT_CHARS_MAX).to_string())
}

fn fits(text: &str, max: usize) -> Option<String> {
    (max > 0 && text.len() <= max).then(|| text.to_owned())
}

/// An application's own message: where it goes, and what is in it.
fn letter_text(letter: &Letter, bytes_max: usize) -> String {
    let mut told = Map::new();
    if let Some(topic) = letter.to.topic() {
        told.insert("topic".to_owned(), topic.into());
    }
    told.append(&mut bytes_in(&letter.payload, bytes_max));
    Value::Object(told).to_string()
}

/// Bytes of an application or a device: as text where they are some, else in Base64; of more than are kept their number.
fn bytes_in(bytes: &[u8], bytes_max: usize) -> Map<String, Value> {
    let is_text = |text: &&str| !text.chars().any(|character| character.is_control() && !"\n\r\t".contains(character));
    let (name, value) = match std::str::from_utf8(bytes).ok().filter(is_text) {
        _ if bytes.len() > bytes_max => ("bytes", bytes.len().into()),
        Some(text) => ("text", text.into()),
        None => ("base64", STANDARD.encode(bytes).into()),
    };
    Map::from_iter([(name.to_owned(), value)])
}

fn device_of(device: RecordedDevice) -> (String, String) {
    let known = |key: &thingcall_core::DeviceKey| (key.product.to_string(), key.name.to_string());
    match device {
        RecordedDevice::Known(device) => known(&device.key),
        RecordedDevice::Asked(DeviceRef::Key(key)) => known(&key),
        RecordedDevice::Asked(DeviceRef::IotId(id)) => (String::new(), id.to_string()),
        RecordedDevice::Said(text) => match text.split_once('/') {
            Some((product, name)) if !product.is_empty() => (product.to_owned(), name.to_owned()),
            Some(_) => (String::new(), text),
            None => (String::new(), text),
        },
    }
}

/// Times, and a call's way in its trace, as a text of the journal holds them; `None` of none. A release that knows no traces
/// reads no times where there is one.
pub(crate) fn beside_text(times: &CallTimes, trace: Option<&Hop>) -> Option<String> {
    let mut beside: Map<_, _> =
        times.steps().into_iter().map(|(step, at)| (step.as_str().to_owned(), Value::from(at))).collect();
    beside.extend(trace.map(|hop| (TRACE.to_owned(), hop.keep().to_text().into())));
    (!beside.is_empty()).then(|| Value::Object(beside).to_string())
}

/// The same, read. What is no such text has none.
pub(crate) fn beside_of(text: Option<&str>) -> (CallTimes, Option<KeptHop>) {
    let beside: Map<String, Value> = text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let times = beside.iter().filter_map(|(step, at)| Some((step.clone(), at.as_u64()?))).collect();
    (read_times(&times), beside.get(TRACE).and_then(Value::as_str).and_then(KeptHop::read))
}

/// The trace alone. Where there is none, as mostly, the text is not parsed.
pub(crate) fn trace_beside(text: Option<&str>) -> Option<KeptHop> {
    beside_of(text.filter(|text| text.contains(TRACE))).1
}

/// Its name beside the steps'.
const TRACE: &str = "trace";

/// Steps that are not known are of another release.
fn read_times(by_word: &BTreeMap<String, u64>) -> CallTimes {
    let mut times = CallTimes::default();
    for (step, at) in by_word {
        if let Ok(step) = step.parse() {
            times.set_micros(step, *at);
        }
    }
    times
}

/// A row that was read.
pub(crate) fn kept(row: &impl Columns) -> Result<KeptCall, sqlx::Error> {
    // Whoever wrote something else there is told of what stands in columns.
    let body: Body = serde_json::from_str(row.text("body")?).unwrap_or_default();
    let (product, device) = (row.text("product")?, row.text("device")?);
    let times = read_times(&body.times);
    let id = row.maybe_number("call_id")?.map(|id| CallId::from_u32(u32::try_from(id).unwrap_or(u32::MAX)));
    Ok(KeptCall {
        source: CallSource::Records,
        place: row.number("seq")?,
        request_id: row.text("request_id")?.to_owned(),
        call_id: id,
        action: row.maybe_text("action")?.map(str::to_owned),
        device: if product.is_empty() { device.to_owned() } else { format!("{product}/{device}") },
        service: row.text("service")?.to_owned(),
        key_id: row.maybe_text("key_id")?.map(str::to_owned),
        mode: body.mode,
        state: None,
        outcome: columns::outcome(row)?,
        code: body.code,
        executed: body.executed,
        stage: body.stage,
        transport: body.transport,
        plugin: body.plugin,
        instance: body.instance,
        text: body.text,
        hint: body.hint,
        accepted_at: UnixMillis(row.number("accepted_at")?),
        times,
        args: body.args,
        reply_code: body.reply_code,
        data: body.data,
        late: body.late.map(|late| KeptLate {
            at: UnixMillis(late.at),
            after_end: Duration::from_millis(late.after_end_ms),
            code: late.code,
            message: late.message,
            data: late.data,
        }),
        trace_id: body.trace_id,
    })
}
