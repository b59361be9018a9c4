//! What an operator may ask about calls that ended badly and devices that were not understood: what the running server
//! remembers of them.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde_json::{Map, Value, json};
use thingcall_core::{DeviceKey, Failure, Outcome, TransportKind};
use thingcall_engine::{Engine, LastDropped};

use super::{answer, failure};
use crate::output::moment;

/// `/calls/{id}` and `/devices/{productKey}/{deviceName}/dropped` and `.../presence`.
pub(crate) fn routes(engine: Arc<Engine>) -> Router {
    Router::new()
        .route("/calls/{id}", get(calls))
        .route("/devices/{product}/{name}/dropped", get(dropped))
        .route("/devices/{product}/{name}/presence", get(presence))
        .with_state(engine)
}

/// Failed and slow calls by RequestId or MessageId, newest first; an empty list if none is remembered.
async fn calls(State(engine): State<Arc<Engine>>, Path(id): Path<String>) -> Response {
    let found: Vec<_> = engine.failures(&id).iter().map(as_json).collect();
    answer(StatusCode::OK, &found)
}

/// The device's last message that led to nothing.
async fn dropped(State(engine): State<Arc<Engine>>, Path((product, name)): Path<(String, String)>) -> Response {
    let (Ok(product), Ok(name)) = (product.parse(), name.parse()) else {
        return failure(StatusCode::BAD_REQUEST, "right is /devices/PRODUCTKEY/DEVICENAME/dropped");
    };
    match engine.last_dropped(&DeviceKey { product, name }) {
        Some(last) => answer(StatusCode::OK, &dropped_as_json(&last)),
        None => failure(StatusCode::NOT_FOUND, "no message of this device led to nothing, as far as is remembered"),
    }
}

/// What each transport knows of the device's connection.
async fn presence(State(engine): State<Arc<Engine>>, Path((product, name)): Path<(String, String)>) -> Response {
    let (Ok(product), Ok(name)) = (product.parse(), name.parse()) else {
        return failure(StatusCode::BAD_REQUEST, "right is /devices/PRODUCTKEY/DEVICENAME/presence");
    };
    let all = engine.presence(&DeviceKey { product, name }).into_iter();
    let words: Map<_, _> = all.map(|(transport, known)| (transport.to_string(), known.as_str().into())).collect();
    answer(StatusCode::OK, &words)
}

fn as_json(failure: &Failure) -> Value {
    without_nulls(json!({
        "at": moment(failure.at),
        "requestId": failure.request_id,
        "messageId": failure.call_id.map(|id| id.to_string()),
        "device": failure.device,
        "identifier": failure.service,
        "outcome": failure.outcome.as_str(),
        "slow": (failure.outcome == Outcome::Ok).then_some(true),
        "code": failure.code,
        "executed": failure.executed.as_str(),
        "stage": failure.stage.as_str(),
        "text": failure.text,
        "hint": failure.hint,
        "elapsedMs": u64::try_from(failure.elapsed.as_millis()).unwrap_or(u64::MAX),
        "transport": failure.transport.map(TransportKind::as_str),
        "plugin": failure.plugin,
    }))
}

fn dropped_as_json(last: &LastDropped) -> Value {
    without_nulls(json!({
        "at": moment(last.at),
        "transport": last.transport.as_str(),
        "reason": last.reason.as_str(),
        "topic": last.topic,
        "bytes": last.bytes,
        "problem": last.problem,
        "times": last.times,
        "right": last.reason.right(),
    }))
}

fn without_nulls(mut value: Value) -> Value {
    if let Some(members) = value.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    value
}
