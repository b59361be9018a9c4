//! What an operator may ask about the instance itself.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde_json::json;

use super::answer;
use crate::instance::Membership;

/// `/instance`.
pub(crate) fn routes(membership: Arc<Membership>) -> Router {
    Router::new().route("/instance", get(instance)).with_state(membership)
}

async fn instance(State(membership): State<Arc<Membership>>) -> Response {
    let (instance, slot) = membership.now();
    answer(StatusCode::OK, &json!({ "instance": instance, "slot": slot }))
}
