//! Which page answers which request.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{Method, StatusCode, Uri};
use axum::middleware;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};

use crate::desk::Desk;
use crate::pages::{
    calls, changes, device_log, devices, explorer, keys, overview, plugins, products, results, settings, signature,
};
use crate::seat::Seat;
use crate::{assets, audit, guard, layout, login};

/// All pages.
pub(crate) fn all(desk: Arc<Desk>) -> Router {
    let body_bytes_max = desk.config.body_bytes_max.get();
    results_and_settings()
        .route("/", get(overview::show))
        .route("/login", get(login::ask).post(login::enter))
        .route("/logout", post(login::leave))
        .route("/language", post(login::language))
        .route("/assets/{tag}/{name}", get(assets::serve))
        .route("/products", get(products::list).post(products::create))
        .route("/products/{product}", get(products::show))
        .route("/products/{product}/name", post(products::rename))
        .route("/products/{product}/settings", post(products::set))
        .route("/products/{product}/secret", post(products::secret))
        .route("/products/{product}/remove", post(products::remove))
        .route("/products/{product}/model", get(products::edit))
        .route("/products/{product}/model/check", post(products::check))
        .route("/products/{product}/model/save", post(products::save))
        .route("/products/{product}/model/file", get(products::file))
        .route("/products/{product}/versions", get(products::versions).post(products::publish))
        .route("/products/{product}/versions/{version}", get(products::version))
        .route("/products/{product}/versions/{version}/restore", post(products::restore))
        .route("/devices", get(devices::list).post(devices::add))
        .route("/devices/list", post(devices::add_list))
        .route("/devices/{product}/{name}", get(devices::show))
        .route("/devices/{product}/{name}/log", get(device_log::follow))
        .route("/devices/{product}/{name}/{what}", post(devices::change))
        .route("/calls", get(calls::list))
        .route("/calls/live", get(calls::follow))
        .route("/calls/{id}", get(calls::show))
        .route("/calls/{id}/cancel", post(calls::cancel))
        .route("/calls/{id}/again", post(calls::again))
        .route("/explorer", get(explorer::list))
        .route("/explorer/{action}", get(explorer::show).post(explorer::send))
        .route("/plugins", get(plugins::list))
        .route("/plugins/rescan", post(plugins::rescan))
        .route("/plugins/{name}", get(|| async { Redirect::to("/plugins") }))
        .route("/plugins/{name}/try", get(plugins::trial).post(plugins::try_out))
        .route("/plugins/{name}/{what}", post(plugins::change))
        .route("/audit", get(changes::list))
        .route("/signature", get(signature::ask).post(signature::explain))
        .route("/signature/steps", post(signature::steps))
        .fallback(missing)
        .method_not_allowed_fallback(nothing_to_look_at)
        .layer(DefaultBodyLimit::max(body_bytes_max))
        .layer(middleware::from_fn(guard::same_origin))
        .layer(middleware::from_fn_with_state(desk.clone(), audit::keep))
        .layer(middleware::from_fn(guard::headers))
        .with_state(desk)
}

/// What goes to applications, keys, and the configuration.
fn results_and_settings() -> Router<Arc<Desk>> {
    Router::new()
        .route("/results", get(results::show))
        .route("/results/tail", get(results::tail))
        .route("/results/tail/rows", get(results::follow_tail))
        .route("/results/groups", post(results::create_group))
        .route("/results/groups/{id}", get(results::group))
        .route("/results/groups/{id}/{what}", post(results::change_group))
        .route("/results/subscribe", post(results::subscribe))
        .route("/results/unsubscribe", post(results::unsubscribe))
        .route("/results/webhooks/{name}", get(results::webhook))
        .route("/results/webhooks/{name}/retry", post(results::retry))
        .route("/keys", get(keys::list).post(keys::create))
        .route("/keys/{id}", get(keys::show))
        .route("/keys/{id}/{what}", post(keys::change))
        .route("/settings", get(settings::show))
        .route("/settings/log", post(settings::set_log))
}

/// What only forms are sent to has nothing to look at; who comes there by an address, such as after a change of the language, is led to
/// the page above.
async fn nothing_to_look_at(method: Method, uri: Uri) -> Response {
    match uri.path().rsplit_once('/') {
        Some((above, _)) if method == Method::GET && !above.is_empty() => Redirect::to(above).into_response(),
        Some(_) | None => StatusCode::METHOD_NOT_ALLOWED.into_response(),
    }
}

async fn missing(seat: Seat) -> Response {
    let text = seat.lang.say("There is no such page.", "没有该页面。");
    (StatusCode::NOT_FOUND, layout::plain(seat.lang, text)).into_response()
}
