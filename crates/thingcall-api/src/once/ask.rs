//! What a request says of its token.

use sha2::{Digest, Sha256};
use thingcall_core::{AccessKey, OnceClaim, OnceKey};
use tokio::time::Instant;

use crate::gateway::GatewayError;
use crate::headers::System;
use crate::incoming::Incoming;

/// The parameter. The platform's other products call it so.
const TOKEN: &str = "ClientToken";
/// The longest token. Source: the platform's documents.
const TOKEN_BYTES_MAX: usize = 64;
/// What differs where the same is asked again: who signs it, when and how, and how the answer is written.
const NOT_ASKED: [&str; 14] = [
    "AccessKeyId",
    "Action",
    TOKEN,
    "Format",
    "RegionId",
    "SecurityToken",
    "Signature",
    "SignatureMethod",
    "SignatureNonce",
    "SignatureType",
    "SignatureVersion",
    "TimeStamp",
    "Timestamp",
    "Version",
];

/// A request with a token.
#[derive(Debug)]
pub(crate) struct OnceAsk {
    pub(crate) claim: OnceClaim,
    /// How long its caller waits.
    pub(crate) deadline: Instant,
}

impl OnceAsk {
    /// What a request says, if it has a token.
    pub(crate) fn of(
        incoming: &Incoming<'_>,
        action: &str,
        key: &AccessKey,
        deadline: Instant,
    ) -> Result<Option<Box<Self>>, GatewayError> {
        let (header, parameter) = (incoming.said(System::IdempotencyKey), incoming.params.get(TOKEN));
        let token = match (header.map(unquoted), parameter) {
            (None, None) => return Ok(None),
            (Some(token), None) | (None, Some(token)) => token,
            (Some(header), Some(parameter)) if header == parameter => parameter,
            (Some(_), Some(_)) => {
                return Err(invalid("it and the header Idempotency-Key say two things; give one of them"));
            }
        };
        let fits = (1..=TOKEN_BYTES_MAX).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_graphic());
        if !fits {
            return Err(invalid("right are 1 to 64 letters, digits and signs of ASCII"));
        }
        let key = OnceKey { account: key.account.clone(), token: token.to_owned() };
        let claim = OnceClaim { key, digest: digest(incoming, action), request_id: incoming.id };
        Ok(Some(Box::new(Self { claim, deadline })))
    }
}

/// A string as headers of this name have it, with quotes, or as most write it.
fn unquoted(value: &str) -> &str {
    value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value)
}

const fn invalid_text(problem: String) -> GatewayError {
    GatewayError::Invalid { name: TOKEN, problem }
}

fn invalid(problem: &str) -> GatewayError {
    invalid_text(problem.to_owned())
}

/// Of the action and all its own parameters, which are sorted.
fn digest(incoming: &Incoming<'_>, action: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut add = |text: &str| {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    };
    add(action);
    for (name, value) in incoming.params.all().filter(|(name, _)| !NOT_ASKED.contains(name)) {
        add(name);
        add(value);
    }
    hash.finalize().into()
}
