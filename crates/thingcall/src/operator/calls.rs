//! What an operator may ask about calls that are kept, those that ended badly and devices that were not understood: what the running server
//! remembers of them.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde_json::{Map, Value, json};
use thingcall_core::{
    CallFilter, CallOrder, CallPlaces, CallRecords, DeviceKey, DeviceRef, Failure, Outcome, ProductKey, ServiceId,
    TransportKind, UnixMillis,
};
use thingcall_engine::{Engine, LastDropped};
use thingcall_store::Store;

use super::{answer, failure, wire};
use crate::calls::outcome;
use crate::kept;
use crate::named::named;
use crate::output::moment;
use crate::tool::device_ref;

/// `/calls`, `/calls/{id}` and `/devices/{productKey}/{deviceName}/dropped` and `.../presence`.
pub(crate) fn routes(engine: Arc<Engine>, store: Arc<Store>) -> Router {
    let kept = Router::new().route("/calls", get(list)).with_state(store);
    Router::new()
        .route("/calls/{id}", get(calls))
        .route("/devices/{product}/{name}/dropped", get(dropped))
        .route("/devices/{product}/{name}/presence", get(presence))
        .with_state(engine)
        .merge(kept)
}

/// How many calls a page has at most.
const PAGE_CALLS_MAX: usize = 500;

/// Calls that are kept, newest first, a page at a time: `next` of one is `before` of the next.
async fn list(State(store): State<Arc<Store>>, RawQuery(query): RawQuery) -> Response {
    let asked = match Listed::read(query.as_deref().unwrap_or_default()) {
        Ok(asked) => asked,
        Err(why) => return failure(StatusCode::BAD_REQUEST, &why),
    };
    let found = store.calls(&asked.filter, (CallOrder::NewestFirst, asked.before), asked.limit).await;
    match found {
        Ok(calls) => {
            let next = calls.iter().fold(asked.before, CallPlaces::at);
            let next = (calls.len() == asked.limit).then(|| format!("{}-{}", next.journal, next.records));
            let mut told: Vec<_> = calls.iter().map(kept::as_json).collect();
            if asked.names_one() {
                for (call, told) in calls.iter().zip(&mut told) {
                    told["wire"] = wire::of(&*store, call).await.unwrap_or_default();
                }
            }
            answer(StatusCode::OK, &without_nulls(json!({ "calls": told, "next": next })))
        }
        Err(error) => failure(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
    }
}

/// Which page of which calls.
struct Listed {
    filter: CallFilter,
    before: CallPlaces,
    limit: usize,
}

impl Listed {
    fn names_one(&self) -> bool {
        self.filter.call_id.is_some() || self.filter.request_id.is_some()
    }

    fn read(query: &str) -> Result<Self, String> {
        let mut listed = Self { filter: CallFilter::default(), before: CallPlaces::END, limit: 100 };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            listed.take(&name, &value).map_err(|why| format!("{name}: {why}"))?;
        }
        Ok(listed)
    }

    fn take(&mut self, name: &str, value: &str) -> Result<(), String> {
        let Self { filter, before, limit } = self;
        match name {
            "device" => {
                let DeviceRef::Key(key) = device_ref(value)? else {
                    return Err("write PRODUCTKEY/DEVICENAME".to_owned());
                };
                filter.device = Some(key);
            }
            "service" => filter.service = Some(ServiceId::try_from(value).map_err(|error| error.to_string())?),
            "outcome" => filter.outcome = Some(outcome(value)?),
            "id" => named(value)?.looked_for(filter),
            "action" => filter.action = Some(value.to_owned()),
            "key" => filter.key_id = Some(value.to_owned()),
            "product" => filter.product = Some(ProductKey::try_from(value).map_err(|error| error.to_string())?),
            "since" => filter.since = Some(moment_of(value)?),
            "until" => filter.until = Some(moment_of(value)?),
            "limit" => {
                let fits = value.parse().ok().filter(|limit| (1..=PAGE_CALLS_MAX).contains(limit));
                *limit = fits.ok_or_else(|| format!("right is 1 to {PAGE_CALLS_MAX}"))?;
            }
            "before" => *before = place(value).ok_or("right is `next` of the page before")?,
            _ => {
                let right =
                    "right are id, device, product, action, service, outcome, key, since, until, limit and before";
                return Err(right.to_owned());
            }
        }
        Ok(())
    }
}

/// A moment, or how long ago it was.
fn moment_of(text: &str) -> Result<UnixMillis, String> {
    if let Ok(moment) = text.parse::<jiff::Timestamp>() {
        return Ok(UnixMillis(moment.as_millisecond()));
    }
    let age = humantime::parse_duration(text).map_err(|_| {
        format!("{text:?} is neither a duration, such as 1h, nor a moment, such as 2026-11-30T14:02:00Z")
    })?;
    let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
    Ok(UnixMillis(UnixMillis::now().0.saturating_sub(age)))
}

fn place(text: &str) -> Option<CallPlaces> {
    let (journal, records) = text.split_once('-')?;
    Some(CallPlaces { journal: journal.parse().ok()?, records: records.parse().ok()? })
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
    answer(StatusCode::OK, &presence_words(&engine, &DeviceKey { product, name }))
}

/// The same in words, by the names of the transports.
pub(super) fn presence_words(engine: &Engine, device: &DeviceKey) -> Map<String, Value> {
    let all = engine.presence(device).into_iter();
    all.map(|(transport, known)| (transport.to_string(), known.as_str().into())).collect()
}

fn as_json(failure: &Failure) -> Value {
    without_nulls(json!({
        "at": moment(failure.at),
        "requestId": failure.request_id,
        "accessKeyId": failure.key_id,
        "messageId": failure.call_id.map(|id| id.to_string()),
        "action": (!failure.action.is_empty()).then_some(&*failure.action),
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
        "traceId": failure.trace_id.map(|id| id.to_string()),
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

pub(super) fn without_nulls(mut value: Value) -> Value {
    if let Some(members) = value.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    value
}
