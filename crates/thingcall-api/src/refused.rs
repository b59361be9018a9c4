//! What is noted of a request that was refused.
//!
//! **Invariant:** neither arguments nor more of what the caller wrote than anybody would read.

use std::borrow::Cow;
use std::time::Duration;

use thingcall_core::{Executed, FailedAt, Failure, Outcome, PeerText, RequestId, UnixMillis};

use crate::auth;
use crate::error::ActionError;
use crate::gateway::GatewayError;
use crate::incoming::Incoming;

/// As much of what a refused caller wrote is kept.
const CHARS_MAX: usize = 300;

/// A refused request, as whoever looks for it later sees it.
pub(crate) fn noted(incoming: &Incoming<'_>, why: &ActionError) -> Failure {
    let (code, text) = said(why);
    let given = |name| incoming.params.get(name).unwrap_or_default();
    let device = match given("IotId") {
        "" if given("ProductKey").is_empty() && given("DeviceName").is_empty() => String::new(),
        "" => format!("{}/{}", PeerText::new(given("ProductKey")), PeerText::new(given("DeviceName"))),
        id => PeerText::new(id).to_string(),
    };
    Failure {
        key_id: auth::claimed_key(incoming).map(|id| PeerText::new(id).to_string()),
        device,
        service: PeerText::new(given("Identifier")).to_string(),
        elapsed: incoming.received.elapsed(),
        ..not_let_in(incoming.id, why.outcome(), code, &text)
    }
}

/// A request of which nothing is left when it fails, and no engine knew of it.
pub(crate) fn noted_later(id: RequestId, why: &ActionError) -> Failure {
    let (code, text) = said(why);
    let executed = match why {
        ActionError::Gateway(_) => Executed::No,
        ActionError::Service(failure) => failure.executed,
    };
    Failure { executed, ..not_let_in(id, why.outcome(), code, &text) }
}

fn said(why: &ActionError) -> (Cow<'static, str>, String) {
    match why {
        // The string to sign holds the arguments, which belong into no log.
        ActionError::Gateway(error @ GatewayError::SignatureDoesNotMatch(_)) => {
            (error.code(), "Specified signature is not matched with our calculation".to_owned())
        }
        ActionError::Gateway(error) => (error.code(), error.to_string()),
        ActionError::Service(failure) => (failure.code.as_str().into(), failure.text.clone()),
    }
}

/// What could not be read as a request, and so says nothing of a device.
pub(crate) fn noted_unread(id: RequestId, why: &GatewayError) -> Failure {
    not_let_in(id, why.outcome(), why.code(), &why.to_string())
}

/// A request that came no further than this, and of which nothing more is known.
fn not_let_in(id: RequestId, outcome: Outcome, code: Cow<'static, str>, text: &str) -> Failure {
    Failure {
        at: UnixMillis::now(),
        request_id: id.to_string(),
        key_id: None,
        call_id: None,
        device: String::new(),
        service: String::new(),
        outcome,
        code: Some(code),
        executed: Executed::No,
        stage: FailedAt::Front,
        text: PeerText::at_most(text, CHARS_MAX).to_string(),
        hint: None,
        elapsed: Duration::ZERO,
        transport: None,
        plugin: None,
    }
}
