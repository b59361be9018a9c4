//! What an operator may ask about calls that have not ended, and have done to one of them.
//!
//! **Invariant:** of a call that is ended nobody is told that it was not sent unless its device was not seen since.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::middleware;
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::{Value, json};
use thingcall_core::{
    CallFilter, CallId, CallOrder, CallPlaces, CallRecords, DeviceRef, Executed, Instance, Journal, JournalError,
    Outcome, Record, RecordState, UnixMillis,
};
use thingcall_engine::{Engine, RunningCall, WaitsFor};
use thingcall_store::Store;
use thingcall_tsl::Directory;

use super::{answer, failure, no_browser};

/// How many calls are told.
const OLDEST: usize = 20;
const OLDEST_MAX: usize = 10_000;

type Parts = (Arc<Engine>, Arc<Store>);

/// `/pending` and `/calls/{id}/cancel`.
pub(crate) fn routes(engine: Arc<Engine>, store: Arc<Store>) -> Router {
    let changing = Router::new().route("/calls/{id}/cancel", post(cancel)).layer(middleware::from_fn(no_browser));
    Router::new().route("/pending", get(pending)).merge(changing).with_state((engine, store))
}

/// The calls that wait here and asynchronous ones of the store, oldest first.
async fn pending(State((engine, store)): State<Parts>, RawQuery(query): RawQuery) -> Response {
    let Some(oldest) = oldest(query.as_deref().unwrap_or_default()) else {
        return failure(StatusCode::BAD_REQUEST, &format!("right is oldest=N, of 1 to {OLDEST_MAX}"));
    };
    let filter = CallFilter { only_open: true, ..CallFilter::default() };
    let from = (CallOrder::OldestFirst, CallPlaces { journal: 0, records: 0 });
    let open = match store.calls(&filter, from, oldest).await {
        Ok(open) => open,
        Err(error) => return failure(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
    };
    let now = UnixMillis::now();
    let open = open.iter().map(|call| {
        let age = u64::try_from(now.0 - call.accepted_at.0).unwrap_or(0);
        let value = json!({
            "messageId": call.call_id.map(|id| id.to_string()), "requestId": call.request_id, "action": call.action,
            "device": call.device, "identifier": call.service, "mode": "async", "waitsFor": call.state.map(RecordState::as_str),
            "transport": call.transport, "accessKeyId": call.key_id, "ageMs": age,
        });
        (age, value)
    });
    let here = engine.running_calls(oldest);
    // One that a plugin has in hand may be in the journal as well.
    let is_here = |value: &Value| here.iter().any(|call| value["messageId"] == call.id.to_string());
    let open = open.filter(|(_, value)| !is_here(value));
    let mut all: Vec<_> = here.iter().map(running).chain(open).collect();
    all.sort_by_key(|(age, _)| std::cmp::Reverse(*age));
    let all: Vec<_> = all.into_iter().take(oldest).map(|(_, value)| value).collect();
    answer(StatusCode::OK, &all)
}

fn oldest(query: &str) -> Option<usize> {
    if query.is_empty() {
        return Some(OLDEST);
    }
    query.strip_prefix("oldest=")?.parse().ok().filter(|oldest| (1..=OLDEST_MAX).contains(oldest))
}

fn running(call: &RunningCall) -> (u64, Value) {
    let age = u64::try_from(call.age.as_millis()).unwrap_or(u64::MAX);
    let (waits_for, transport, plugin) = match &call.waits_for {
        WaitsFor::Turn => ("turn", None, None),
        WaitsFor::Device(transport) => ("device", Some(transport.to_string()), None),
        WaitsFor::Plugin(plugin) => ("plugin", None, Some(plugin)),
    };
    let value = json!({
        "messageId": call.id.to_string(), "requestId": call.request_id.to_string(), "device": call.device.to_string(),
        "identifier": call.service.to_string(), "mode": call.mode.as_str(), "waitsFor": waits_for, "transport": transport,
        "plugin": plugin, "ageMs": age,
    });
    (age, value)
}

/// Ends one.
async fn cancel(State((engine, store)): State<Parts>, Path(id): Path<String>) -> Response {
    let Ok(id) = id.parse::<CallId>() else {
        return failure(StatusCode::BAD_REQUEST, "right is a MessageId, a decimal number");
    };
    if let Some(mode) = engine.cancel(id) {
        let ended = json!({ "messageId": id.to_string(), "mode": mode.as_str(), "cancelled": true });
        return answer(StatusCode::OK, &ended);
    }
    if !engine.holds(id)
        && let Some(other) = holder(&store, id.slot()).await
    {
        let why = format!(
            "instance {} brings calls of slot {} to their end; ask that one, at {}",
            other.name,
            id.slot(),
            other.operator
        );
        return answer(StatusCode::CONFLICT, &json!({ "error": why, "operator": other.operator }));
    }
    match cancel_recorded(&engine, &store, id).await {
        Ok(ended) if ended.is_empty() => {
            let why =
                format!("no call {id} waits here, and none is open in the store; `thingcall pending` lists those");
            failure(StatusCode::NOT_FOUND, &why)
        }
        Ok(_) if !engine.holds(id) => {
            let why = format!("another instance brings calls of slot {} to their end; ask that one", id.slot());
            failure(StatusCode::CONFLICT, &why)
        }
        Ok(ended) => answer(StatusCode::OK, &ended.first()),
        Err(error) => failure(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
    }
}

/// The instance that has a slot's calls, where several share the store.
async fn holder(store: &Store, slot: u8) -> Option<Instance> {
    let leases = store.leases().ok().flatten()?;
    leases.all().await.ok()?.into_iter().find(|state| state.slot == slot)?.holder
}

/// Ends the open calls with this id, of which there is one but for chance. What became of each.
async fn cancel_recorded(engine: &Engine, store: &Store, id: CallId) -> Result<Vec<Value>, JournalError> {
    let is_open = |record: &Record| record.state != RecordState::Ended;
    let mut all = Vec::new();
    for found in store.find(id).await?.into_iter().filter(is_open) {
        let device = &found.device.key;
        if !engine.holds(id) {
            all.push(Value::Null);
            continue;
        }
        // Behind what was noted of it before.
        let open = Journal::open_calls(store, device, usize::MAX).await?;
        let Some(record) = open.into_iter().find(|record| record.id == id) else { continue };
        engine.cancel_recorded(&record, executed(store, &record).await);
        store.flush().await;
        let records = Journal::find(store, id).await?;
        let Some(ended) = records.into_iter().find(|record| record.device.key == *device) else { continue };
        all.push(json!({
            "messageId": id.to_string(), "mode": "async", "device": device.to_string(),
            "cancelled": ended.outcome == Some(Outcome::Cancelled), "outcome": ended.outcome.map(Outcome::as_str),
            "text": ended.message,
        }));
    }
    Ok(all)
}

/// Whether the device may have it. A command that waits in the outbox may have left without an acknowledgement while its
/// device was there.
async fn executed(store: &Store, record: &Record) -> Executed {
    if record.state != RecordState::Queued {
        return Executed::Maybe;
    }
    let device = Directory::device(store, &DeviceRef::Key(record.device.key.clone())).await;
    let unseen =
        device.is_ok_and(|device| !device.online && device.last_seen_at.is_none_or(|seen| seen < record.accepted_at));
    if unseen { Executed::No } else { Executed::Maybe }
}
