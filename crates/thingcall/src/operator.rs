//! What an operator may ask about plugins, and have done to them, on the listener of `/metrics`.
//!
//! **Invariant:** no web page can have anything done. The listener has no key, so what changes something must carry a
//! header that a page cannot send without asking first, which is always refused; and whatever a browser marks as its
//! own is refused too.

use std::path;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use prometheus::Registry as Metering;
use serde::Serialize;
use serde_json::{Value, json};
use thingcall_engine::Engine;
use thingcall_loader::{LoadError, Loaded, Plugins};
use thingcall_store::Store;

use crate::certificates;
use crate::config::Config;
use crate::instance::Membership;
use crate::limits;
use crate::observe::Observed;
use crate::reconfigure::Reconfiguring;
use crate::reloads::Reloads;

mod calls;
mod configuration;
mod devices;
mod instance;
mod pending;
mod products;
mod results;
mod status;
mod top;
mod trials;
mod well;
mod wire;

/// The header of requests that change something; its value must be [`HEADER_VALUE`].
pub(crate) const HEADER: &str = "x-thingcall";
/// Its value.
pub(crate) const HEADER_VALUE: &str = "1";

/// The query of a reload that is done also if the plugin ended the server again and again.
pub(crate) const FORCE: &str = "force=true";

/// Who makes and keeps calls, and who is loaded on whose behalf.
type Around<'a> = ((&'a Arc<Engine>, &'a Arc<Store>), (&'a Arc<Membership>, &'a Arc<Plugins>));

/// All that an operator may ask.
pub(crate) fn all(
    config: &Config,
    reconfiguring: &Arc<Reconfiguring>,
    ((engine, store), (membership, plugins)): Around<'_>,
    (observed, metering): (&Observed, &Metering),
) -> Result<Router, prometheus::Error> {
    let status = status::StatusDesk {
        observed: observed.clone(),
        plugins: plugins.clone(),
        membership: membership.clone(),
        store: store.clone(),
        config: Arc::new(config.clone()),
        reconfiguring: reconfiguring.clone(),
    };
    limits::register(config, metering)?;
    certificates::register(config, metering)?;
    let reloads = reconfiguring.reloads();
    let all = routes(reloads.clone())
        .merge(top::routes(engine.clone(), membership.clone()))
        .merge(calls::routes(engine.clone(), store.clone()))
        .merge(pending::routes(engine.clone(), store.clone()))
        .merge(products::routes(store.clone(), config.transports()))
        .merge(devices::routes(engine.clone(), store.clone()))
        .merge(well::routes(store.clone()))
        .merge(trials::routes(reloads.clone(), store.clone(), metering)?)
        .merge(results::routes(store, config))
        .merge(instance::routes(membership.clone()))
        .merge(configuration::routes(reconfiguring.clone()))
        .merge(status::routes(status));
    Ok(all)
}

/// `/plugins` and what is below.
fn routes(reloads: Arc<Reloads>) -> Router {
    let changing = Router::new()
        .route("/plugins/rescan", post(rescan))
        .route("/plugins/{name}/reload", post(reload))
        .route("/plugins/{name}/rollback", post(rollback))
        .route("/plugins/{name}/forget", post(forget))
        .layer(middleware::from_fn(no_browser));
    Router::new().route("/plugins", get(list)).route("/plugins/{name}", get(show)).merge(changing).with_state(reloads)
}

/// Lets pass what cannot come from a web page.
async fn no_browser(request: Request, next: Next) -> Response {
    match from_browser(request.headers()) {
        None => next.run(request).await,
        Some(why) => failure(StatusCode::FORBIDDEN, why),
    }
}

fn from_browser(headers: &HeaderMap) -> Option<&'static str> {
    if headers.contains_key(header::ORIGIN) || headers.contains_key("sec-fetch-site") {
        return Some("this is not for web pages; use `thingcall plugin reload`");
    }
    if headers.get(HEADER).is_none_or(|value| value != HEADER_VALUE) {
        return Some("the header `X-Thingcall: 1` is missing; it keeps web pages out");
    }
    None
}

async fn list(State(reloads): State<Arc<Reloads>>) -> Response {
    answer(StatusCode::OK, &reloads.plugins().list())
}

async fn show(State(reloads): State<Arc<Reloads>>, Path(name): Path<String>) -> Response {
    let found = reloads.plugins().list().into_iter().find(|plugin| plugin.name.as_deref() == Some(name.as_str()));
    match found {
        Some(plugin) => answer(StatusCode::OK, &plugin),
        None => refused(&LoadError::UnknownPlugin(name)),
    }
}

async fn reload(State(reloads): State<Arc<Reloads>>, Path(name): Path<String>, RawQuery(query): RawQuery) -> Response {
    match reloads.one(&name, query.as_deref() == Some(FORCE)).await {
        Ok(loaded) => answer(StatusCode::OK, &loaded),
        Err(error) => refused(&error),
    }
}

async fn rollback(State(reloads): State<Arc<Reloads>>, Path(name): Path<String>) -> Response {
    match reloads.rollback(&name).await {
        Ok(loaded) => answer(StatusCode::OK, &loaded),
        Err(error) => refused(&error),
    }
}

async fn forget(State(reloads): State<Arc<Reloads>>, Path(name): Path<String>) -> Response {
    match reloads.plugins().forget(&name).await {
        Ok(()) => answer(StatusCode::OK, &json!({ "name": name, "forgotten": true })),
        Err(error) => refused(&error),
    }
}

async fn rescan(State(reloads): State<Arc<Reloads>>) -> Response {
    let all = reloads.all().await;
    let all: Vec<_> = all.iter().map(|(file, loaded)| as_json(file, loaded)).collect();
    answer(StatusCode::OK, &all)
}

/// What became of one file.
fn as_json(file: &path::Path, loaded: &Result<Loaded, LoadError>) -> Value {
    match loaded {
        Ok(loaded) => json!(loaded),
        Err(error) => json!({ "file": file, "error": error.to_string() }),
    }
}

fn refused(error: &LoadError) -> Response {
    let status = if matches!(error, LoadError::UnknownPlugin(_)) {
        StatusCode::NOT_FOUND
    } else if matches!(error, LoadError::ShutDown) {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    };
    failure(status, &error.to_string())
}

fn failure(status: StatusCode, why: &str) -> Response {
    answer(status, &json!({ "error": why }))
}

fn answer(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_string(body) {
        Ok(text) => (status, [(header::CONTENT_TYPE, "application/json")], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

#[cfg(test)]
mod tests;
