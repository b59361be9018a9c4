//! A question from its head to its answer.
//!
//! **Invariant:** every question at a path there is gets one answer and is counted once. One that cannot be read, or
//! that nobody can decide now, is answered with a status that no broker takes for a yes. A password is never logged.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use subtle::ConstantTimeEq;
use thingcall_core::{LookUpFailed, PeerText};
use thingcall_listen::Caller;
use tokio::time::timeout;
use tracing::field::display;

use crate::denial::Denial;
use crate::endpoint::Endpoint;
use crate::fields::{Fields, Form, Unreadable};
use crate::metrics::Decision;
use crate::who::{Doorkeeper, Who};

/// Why a question is not heard; for the log and the asker.
#[derive(Debug, thiserror::Error)]
enum Unheard {
    #[error("it does not show the secret")]
    Secret,
    #[error("its method is neither GET nor POST")]
    Method,
    #[error("it is larger than {0} bytes")]
    TooLarge(usize),
    #[error("its body did not come in time")]
    Slow,
    #[error("its body broke off")]
    Broken,
    #[error("questions that are not answered yet hold all bytes they may")]
    Busy,
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error("nobody can say now: {0}")]
    NotLookedUp(#[from] LookUpFailed),
}

impl Unheard {
    const fn status(&self) -> StatusCode {
        match self {
            Self::Secret => StatusCode::UNAUTHORIZED,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::Busy | Self::NotLookedUp(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Broken | Self::Unreadable(_) => StatusCode::BAD_REQUEST,
        }
    }
}

/// Answers a question.
pub(crate) async fn handle(State(keeper): State<Arc<Doorkeeper>>, request: Request) -> Response {
    let (shown, endpoint) = place(request.uri().path());
    let Some(endpoint) = endpoint else { return StatusCode::NOT_FOUND.into_response() };
    let heard =
        if shows(&keeper, shown, request.headers()) { read(&keeper, request).await } else { Err(Unheard::Secret) };
    let (form, fields) = match heard {
        Ok(heard) => heard,
        Err(unheard) => return not_heard(&keeper, endpoint, &unheard),
    };
    let decided = match endpoint.decide(&keeper, &fields).await {
        Err(Denial::Unreadable(unreadable)) => return not_heard(&keeper, endpoint, &unreadable.into()),
        Err(Denial::NotLookedUp(why)) => return not_heard(&keeper, endpoint, &why.into()),
        decided => decided,
    };
    note(&keeper, endpoint, &fields, &decided);
    endpoint.answer(&keeper, form, &decided)
}

/// The secret that a path shows, and its endpoint.
fn place(path: &str) -> (Option<&str>, Option<Endpoint>) {
    let path = path.strip_prefix('/').unwrap_or(path);
    match Endpoint::at(path) {
        Some(endpoint) => (None, Some(endpoint)),
        None => path.split_once('/').map_or((None, None), |(secret, rest)| (Some(secret), Endpoint::at(rest))),
    }
}

/// Whether a question shows the secret, if there is one; a path must not show one if there is none.
fn shows(keeper: &Doorkeeper, in_path: Option<&str>, headers: &HeaderMap) -> bool {
    let Some(secret) = &keeper.config.secret else { return in_path.is_none() };
    let header = headers.get(AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    let shown = header.or(in_path.map(str::as_bytes)).unwrap_or_default();
    secret.expose().as_bytes().ct_eq(shown).into()
}

async fn read(keeper: &Doorkeeper, request: Request) -> Result<(Form, Fields), Unheard> {
    let max = keeper.config.body_bytes_max.get();
    if request.method() == Method::GET {
        let query = request.uri().query().unwrap_or_default().as_bytes();
        if query.len() > max {
            return Err(Unheard::TooLarge(max));
        }
        return Ok((Form::Text, Fields::of_form(query)?));
    }
    if request.method() != Method::POST {
        return Err(Unheard::Method);
    }
    let json = request.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    let caller = request.extensions().get::<Caller>().cloned();
    let collected = timeout(keeper.config.body_read_timeout, Limited::new(request.into_body(), max).collect()).await;
    // Where nothing more is read, the answer must be told before the connection is reset.
    if let (Some(caller), Err(_) | Ok(Err(_))) = (&caller, &collected) {
        caller.cut_short();
    }
    let body: Bytes = match collected {
        Err(_elapsed) => return Err(Unheard::Slow),
        Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(Unheard::TooLarge(max)),
        Ok(Err(_)) if caller.is_some_and(|caller| caller.over_budget()) => return Err(Unheard::Busy),
        Ok(Err(_error)) => return Err(Unheard::Broken),
        Ok(Ok(body)) => body.to_bytes(),
    };
    if json { Ok((Form::Json, Fields::of_json(&body)?)) } else { Ok((Form::Text, Fields::of_form(&body)?)) }
}

fn not_heard(keeper: &Doorkeeper, endpoint: Endpoint, unheard: &Unheard) -> Response {
    let (broker, endpoint) = (endpoint.broker(), endpoint.word());
    keeper.metrics.decided(broker, endpoint, Decision::Error);
    let what = if matches!(unheard, Unheard::NotLookedUp(_)) { "answered" } else { "understood" };
    tracing::warn!(broker, endpoint, reason = %unheard, "question not {what}");
    (unheard.status(), unheard.to_string()).into_response()
}

fn note(keeper: &Doorkeeper, endpoint: Endpoint, fields: &Fields, decided: &Result<Who<'_>, Denial>) {
    let decision = match decided {
        Ok(_) => Decision::Allow,
        Err(Denial::NotOurs) if endpoint.has_other_backends() => Decision::Ignore,
        Err(_) => Decision::Deny,
    };
    let (broker, question) = (endpoint.broker(), endpoint.word());
    keeper.metrics.decided(broker, question, decision);
    let Err(denial) = decided else { return };
    // Asked about everybody before the question that counts, and what is another backend's to say.
    if decision == Decision::Ignore || matches!(denial, Denial::Superuser) {
        return;
    }
    if let Some(reason) = denial.reason() {
        keeper.metrics.denied(broker, reason);
    }
    let text = |name| fields.get(name).map(|text| display(PeerText::new(text)));
    let client_id = ["clientid", "client_id", "variable_map.client_id"].into_iter().find_map(text);
    let about = ["topic", "routing_key", "name"].into_iter().find_map(text);
    tracing::info!(broker, question, device = text("username"), client_id, about, reason = %denial, "refused");
}
