//! The audit log: every request that may change something leaves an entry of each change, or one of itself.
//!
//! **Invariants:** no page can leave it out: the entry is written around the pages, of every request but those that only ask. A
//! request that was begun comes to its end, and to its entry, also if its visitor is gone. What nobody is known to have sent is
//! noted so many times a minute.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use thingcall_core::{AUDIT_DONE, AuditDoor, AuditEntry, PeerText, UnixMillis};
use thingcall_listen::Caller;
use tokio::spawn;

use crate::desk::Desk;
use crate::trail::{Done, Step, Trail};

/// Forms that change nothing on the server by themselves. What an action of theirs changes is noted all the same.
const NO_CHANGE: [&str; 2] = ["/language", "/explorer/{action}"];
/// How much of a path is noted.
const PATH_CHARS_MAX: usize = 200;
/// The header of a proxy that says for whom it asks.
const FORWARDED: &str = "x-forwarded-for";
/// What is known of a request before a page sees it.
struct Asked {
    /// The page, as routes name it.
    page: String,
    path: String,
    address: Option<IpAddr>,
}

/// Notes what a request changed.
pub(crate) async fn keep(State(desk): State<Arc<Desk>>, mut request: Request, next: Next) -> Response {
    if request.method() == Method::GET || request.method() == Method::HEAD {
        return next.run(request).await;
    }
    let asked = Asked {
        page: request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str).to_owned(),
        path: PeerText::at_most(request.uri().path(), PATH_CHARS_MAX).to_string(),
        address: address(&request, desk.config.behind_tls),
    };
    let trail = Trail::default();
    request.extensions_mut().insert(trail.clone());
    // On tasks of their own: who hangs up, or a page that panics, leaves no change without its entry.
    let noted = spawn(async move {
        let answered = spawn(next.run(request)).await;
        let answer = answered.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response());
        let entries = entries(&desk, &asked, trail.so_far(), answer.status());
        if !entries.is_empty() {
            desk.operations.audit(entries).await;
        }
        answer
    });
    noted.await.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

fn entries(desk: &Desk, asked: &Asked, done: Done, status: StatusCode) -> Vec<AuditEntry> {
    let at = UnixMillis::now();
    let Done { key, mut steps, more } = done;
    if steps.is_empty() {
        if NO_CHANGE.contains(&asked.page.as_str()) {
            return Vec::new();
        }
        let action = format!("POST {}", if asked.page.is_empty() { "-" } else { &asked.page });
        steps.push(Step { action, target: asked.path.clone(), outcome: outcome(status, key.as_deref()) });
    }
    if more > 0 {
        steps.push(Step { action: "more".to_owned(), target: more.to_string(), outcome: AUDIT_DONE.to_owned() });
    }
    if key.is_none() && !desk.strangers.one_more(at) {
        desk.metrics.audit_left_out.inc();
        return Vec::new();
    }
    let refused = steps.iter().all(|step| step.outcome != AUDIT_DONE);
    if refused && key.as_deref().is_some_and(|key| !desk.refusals.one_more(key, at)) {
        desk.metrics.audit_left_out.inc();
        return Vec::new();
    }
    let entry = |Step { action, target, outcome }| AuditEntry {
        at,
        door: AuditDoor::Console,
        key: key.clone(),
        action,
        target,
        outcome,
        address: asked.address,
    };
    steps.into_iter().map(entry).collect()
}

/// How a request ended that asked for no change: its page, or what is around it, said no.
fn outcome(status: StatusCode, key: Option<&str>) -> String {
    match (key, status) {
        (None, status) if status.is_redirection() => "NoLogin".to_owned(),
        (_, status) if status.is_success() || status.is_redirection() => AUDIT_DONE.to_owned(),
        (_, status) => status.as_u16().to_string(),
    }
}

/// From where it came: where a proxy is said to be in front, as that one says, which writes the last of these.
fn address(request: &Request, behind_proxy: bool) -> Option<IpAddr> {
    let said = behind_proxy.then(|| forwarded(request.headers())).flatten();
    said.or_else(|| request.extensions().get::<Caller>().map(|caller| caller.peer().ip()))
}

fn forwarded(headers: &HeaderMap) -> Option<IpAddr> {
    headers.get_all(FORWARDED).iter().next_back()?.to_str().ok()?.rsplit(',').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests;
