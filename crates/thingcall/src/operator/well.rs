//! What an operator may ask about whether all is well, beyond readiness: instances that share a store, products that do not answer.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde_json::{Value, json};
use thingcall_store::Store;
use thingcall_tsl::Directory;
use tokio::time::Instant;

use super::{answer, failure};
use crate::fellows;

/// `/instances` and `/silent-products`.
pub(crate) fn routes(store: Arc<Store>) -> Router {
    Router::new().route("/instances", get(all_instances)).route("/silent-products", get(silent)).with_state(store)
}

/// The instances that share the store; null where one has it alone.
async fn all_instances(State(store): State<Arc<Store>>) -> Response {
    match fellows::sharing(&store).await {
        Ok(told) => answer(StatusCode::OK, &told),
        Err(error) => failure(StatusCode::SERVICE_UNAVAILABLE, &format!("{error:#}")),
    }
}

/// Products of whose devices none answered the latest synchronous calls, as this instance saw it.
async fn silent(State(store): State<Arc<Store>>) -> Response {
    let now = Instant::now().into_std();
    let products = store.products().into_iter().filter_map(|product| {
        let silence = product.silence.lasting(now)?;
        let since = u64::try_from(silence.since.as_millis()).unwrap_or(u64::MAX);
        Some(json!({ "product": product.key.as_str(), "name": product.name, "calls": silence.calls, "sinceMs": since }))
    });
    answer(StatusCode::OK, &products.collect::<Vec<Value>>())
}
