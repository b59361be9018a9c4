//! What is noted of a signed request that changes something.
//!
//! **Invariants:** only of requests whose signature is right, and of none that calls a device: those are in the records of calls. What
//! another part of this program asks for is noted by that part.

use thingcall_core::{AUDIT_DONE, AuditDoor, AuditEntry, UnixMillis, audit_target, only_reads};

use crate::actions::{Action, ActionKind};
use crate::app::App;
use crate::auth;
use crate::error::ActionError;
use crate::incoming::Incoming;
use crate::origin::Origin;

/// Notes how it ended.
pub(crate) fn note(app: &App, incoming: &Incoming<'_>, origin: &Origin, refused: Option<&ActionError>) {
    let Origin::Network(caller) = origin else { return };
    let Some(action) = incoming.action().and_then(|name| name.parse::<Action>().ok()) else { return };
    if !caller.is_vouched() || !is_change(action) {
        return;
    }
    let (at, key) = (UnixMillis::now(), auth::claimed_key(incoming));
    if refused.is_some() && key.is_some_and(|key| !app.refusals.one_more(key, at)) {
        app.metrics.audit_left_out.inc();
        return;
    }
    app.audit.audit(AuditEntry {
        at,
        door: AuditDoor::Api,
        key: key.map(str::to_owned),
        action: action.as_str().to_owned(),
        target: audit_target(incoming.params.all()),
        outcome: refused.map_or_else(|| AUDIT_DONE.to_owned(), |why| why.code().into_owned()),
        address: Some(caller.peer().ip()),
    });
}

fn is_change(action: Action) -> bool {
    match action.kind() {
        ActionKind::Device(_) | ActionKind::Record(_) => false,
        ActionKind::Directory(_) | ActionKind::Subscription(_) | ActionKind::Fleet(_) => !only_reads(action.as_str()),
    }
}
