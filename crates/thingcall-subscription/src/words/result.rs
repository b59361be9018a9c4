//! How an asynchronous call ended.
//!
//! Source of the codes: `PROTOCOL.md` 4.7, 9201 for a device that is offline and 9200 for one that never was activated. The
//! platform names none for the rest, which have 500 here, with the outcome's word in the message.

use std::borrow::Cow;

use serde::Serialize;
use thingcall_core::{DeviceKey, EndedCall, Outcome, ServiceId, Words};

use super::values::Verbatim;
use super::words;

const OFFLINE: i64 = 9201;
const NEVER_ACTIVATED: i64 = 9200;
const FAILED: i64 = 500;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    gmt_create: i64,
    iot_id: &'a str,
    product_key: &'a str,
    device_name: &'a str,
    request_id: u32,
    code: i64,
    message: Cow<'a, str>,
    topic: String,
    data: Verbatim<'a>,
}

pub(super) fn result(ended: &EndedCall) -> Words {
    let EndedCall { at, id, device, iot_id, service, outcome, code, data, activated, trace, .. } = ended;
    let (code, message) = match (code, *outcome == Outcome::Offline, activated) {
        (Some(code), ..) => (*code, message(ended)),
        (None, true, true) => (OFFLINE, message(ended)),
        (None, true, false) => (NEVER_ACTIVATED, Cow::Borrowed("not activated: the device has never connected")),
        (None, false, _) => (FAILED, message(ended)),
    };
    let body = Body {
        gmt_create: at.0,
        iot_id: iot_id.as_str(),
        product_key: device.product.as_str(),
        device_name: device.name.as_str(),
        request_id: id.as_u32(),
        code,
        message,
        topic: topic(device, service),
        data: Verbatim(data.as_deref().unwrap_or("{}")),
    };
    Words { trace: trace.clone(), ..words(device, "thing/downlink/reply/message", &body) }
}

/// The topic of the reply; for properties that were set, that of the request, as the platform has it.
fn topic(device: &DeviceKey, service: &ServiceId) -> String {
    let DeviceKey { product, name } = device;
    if service.sets_properties() {
        return format!("/sys/{product}/{name}/thing/service/property/set");
    }
    format!("/sys/{product}/{name}/thing/service/{service}_reply")
}

/// A device's words are told as they are; ours say how the call ended.
fn message(ended: &EndedCall) -> Cow<'_, str> {
    match (ended.outcome, ended.message.as_deref()) {
        (Outcome::Ok, None) => Cow::Borrowed("success"),
        (Outcome::Ok | Outcome::DeviceError, Some(message)) => Cow::Borrowed(message),
        (outcome, None) => Cow::Borrowed(outcome.as_str()),
        (outcome, Some(why)) => Cow::Owned(format!("{outcome}: {why}")),
    }
}
