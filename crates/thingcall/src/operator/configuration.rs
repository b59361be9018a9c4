//! `POST /reload`: the configuration is read anew; the answer comes when that is done.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::middleware;
use axum::response::Response;
use axum::routing::post;
use serde_json::{Value, json};

use super::{answer, as_json, no_browser};
use crate::config::{Changed, Setting};
use crate::reconfigure::Reconfiguring;

/// It.
pub(crate) fn routes(reconfiguring: Arc<Reconfiguring>) -> Router {
    let router = Router::new().route("/reload", post(reload)).layer(middleware::from_fn(no_browser));
    router.with_state(reconfiguring)
}

/// Goes on to its end although nobody waits any more.
async fn reload(State(reconfiguring): State<Arc<Reconfiguring>>) -> Response {
    let done = tokio::spawn(async move {
        let done = reconfiguring.reload().await;
        let plugins = if done.problems.is_empty() { reconfiguring.reloads().all().await } else { Vec::new() };
        let plugins: Vec<_> = plugins.iter().map(|(file, loaded)| as_json(file, loaded)).collect();
        let told = |all: &[Changed]| all.iter().map(changed).collect::<Vec<_>>();
        let status = if done.problems.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
        let body = json!({
            "changed": told(&done.changed),
            "needRestart": told(&done.restart),
            "problems": done.problems,
            "doubts": done.doubts,
            "plugins": plugins,
        });
        (status, body)
    });
    match done.await {
        Ok((status, body)) => answer(status, &body),
        Err(error) => super::failure(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

/// What is another; values of secrets, and of plugins, are not shown.
pub(super) fn changed(one: &Changed) -> Value {
    let shown = |setting: &Option<Setting>| match setting {
        None => Value::Null,
        Some(Setting { value: None, .. }) => json!("(not shown)"),
        Some(Setting { value: Some(value), .. }) => json!(value),
    };
    let place = one.after.as_ref().or(one.before.as_ref()).map(|setting| setting.place.to_string());
    json!({ "key": one.key, "name": one.named(), "before": shown(&one.before), "after": shown(&one.after), "place": place })
}
