//! What devices are answered.

use bytes::Bytes;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use thingcall_core::{DeviceKey, PostAnswer, Told, UnixMillis};

/// The members that the Python device SDK reads without a look whether they are there, and the two that others match by.
#[derive(Serialize)]
struct Answer<'a> {
    code: i64,
    data: Failed<'a>,
    #[serde(serialize_with = "verbatim")]
    id: &'a str,
    message: &'a str,
    method: &'a str,
    version: &'a str,
}

struct Failed<'a>(&'a [(String, String)]);

impl Serialize for Failed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, why)| (name, why)))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Time<'a> {
    #[serde(serialize_with = "verbatim")]
    device_send_time: &'a str,
    server_recv_time: String,
    server_send_time: String,
}

/// JSON as it came.
fn verbatim<S: Serializer>(json: &&str, serializer: S) -> Result<S::Ok, S::Error> {
    match serde_json::from_str::<&RawValue>(json) {
        Ok(json) => json.serialize(serializer),
        Err(_) => serializer.serialize_str(json),
    }
}

/// Where an answer goes.
pub fn answer_topic(answer: &PostAnswer) -> String {
    match &answer.told {
        Told::Done { echo, .. } => echo.topic.clone(),
        Told::Time { .. } => {
            let DeviceKey { product, name } = &answer.device;
            format!("/ext/ntp/{product}/{name}/response")
        }
    }
}

/// What it says, if it leaves at `now`.
pub fn answer_payload(answer: &PostAnswer, now: UnixMillis) -> Bytes {
    let written = match &answer.told {
        Told::Done { echo, code, message, failed } => serde_json::to_vec(&Answer {
            code: *code,
            data: Failed(failed),
            id: &echo.id,
            message,
            method: &echo.method,
            version: &echo.version,
        }),
        Told::Time { asked_at, came_at } => serde_json::to_vec(&Time {
            device_send_time: asked_at,
            server_recv_time: came_at.0.to_string(),
            server_send_time: now.0.to_string(),
        }),
    };
    // Texts and numbers can always be written.
    Bytes::from(written.unwrap_or_default())
}
