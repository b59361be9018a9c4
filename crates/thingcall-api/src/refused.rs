//! What is noted of a request that was refused.
//!
//! **Invariant:** neither arguments nor more of what the caller wrote than anybody would read.

use std::borrow::Cow;
use std::time::Duration;

use thingcall_core::{Executed, FailedAt, Failure, Outcome, PeerText, RequestId, UnixMillis};
use tokio::time::Instant;

use crate::auth;
use crate::error::ActionError;
use crate::gateway::GatewayError;
use crate::incoming::Incoming;
use crate::params::Params;
use crate::topic::named_in_topic;

/// As much of what a refused caller wrote is kept.
const CHARS_MAX: usize = 300;
/// So many devices of a request are counted.
const DEVICES_MAX: usize = 100;

/// What a request says it is: what is noted of it where it is refused.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    id: RequestId,
    received: Instant,
    key_id: Option<String>,
    action: String,
    device: String,
    service: String,
}

impl Said {
    /// What this one says.
    pub(crate) fn by(incoming: &Incoming<'_>) -> Self {
        Self {
            id: incoming.id,
            received: incoming.received,
            key_id: auth::claimed_key(incoming).map(|id| PeerText::new(id).to_string()),
            action: incoming.action().map(|action| PeerText::new(action).to_string()).unwrap_or_default(),
            device: device(&incoming.params),
            service: PeerText::new(incoming.params.get("Identifier").unwrap_or_default()).to_string(),
        }
    }

    /// With what refused it.
    fn refused(self, why: &ActionError) -> Failure {
        let (code, text) = said(why);
        let Self { id, received, key_id, action, device, service } = self;
        let (action, elapsed) = (action.into(), received.elapsed());
        Failure { key_id, action, device, service, elapsed, ..not_let_in(id, why.outcome(), code, &text) }
    }
}

/// The device that a request is about: by its IotId, as PRODUCTKEY/DEVICENAME, or of several the first one. Where there is no
/// device, its product.
fn device(params: &Params<'_>) -> String {
    let given = |name| params.get(name).filter(|text| !text.is_empty());
    if let Some(id) = given("IotId") {
        return PeerText::new(id).to_string();
    }
    let several = params.list("DeviceName").unwrap_or_default();
    let in_topic = || named_in_topic(given("ProductKey")?, given("TopicFullName")?).filter(|name| !name.is_empty());
    let name = given("DeviceName").or_else(|| several.first().copied()).or_else(in_topic);
    let more = match several.len() {
        0 | 1 => String::new(),
        count if count > DEVICES_MAX => format!(" and {DEVICES_MAX} or more others"),
        2 => " and 1 other".to_owned(),
        count => format!(" and {} others", count - 1),
    };
    match (given("ProductKey"), name) {
        (Some(product), Some(name)) => format!("{}/{}{more}", PeerText::new(product), PeerText::new(name)),
        (Some(product), None) => PeerText::new(product).to_string(),
        (None, Some(name)) => format!("/{}{more}", PeerText::new(name)),
        (None, None) => String::new(),
    }
}

/// A refused request, as whoever looks for it later sees it.
pub(crate) fn noted(incoming: &Incoming<'_>, why: &ActionError) -> Failure {
    Said::by(incoming).refused(why)
}

/// A request of which nothing but this is left when it fails, and no engine knew of it.
pub(crate) fn noted_later(said: Said, why: &ActionError) -> Failure {
    let executed = match why {
        ActionError::Gateway(_) => Executed::No,
        ActionError::Service(failure) => failure.executed,
    };
    Failure { executed, ..said.refused(why) }
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
        action: Cow::Borrowed(""),
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
        trace_id: None,
    }
}
