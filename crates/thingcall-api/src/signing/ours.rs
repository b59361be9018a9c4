//! What this server computes of a request.
//!
//! **Invariant:** it is asked of the code that lets requests in.

use hyper::http::request::Parts;
use tokio::time::Instant;

use super::finding::Step;
use crate::auth;
use crate::incoming::{Incoming, Scheme};
use crate::sign;

/// What it has of a request before it signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ours {
    /// The canonical request, of one that is signed with headers.
    pub(super) canonical: Option<String>,
    /// The string to sign.
    pub(super) string: String,
}

/// Reads a request as the front does.
pub(super) fn incoming<'a>(head: &'a Parts, body: &'a [u8]) -> Incoming<'a> {
    Incoming::read(Instant::now(), head, body)
}

impl Ours {
    /// Of a request; `None` where it has not all that a signature needs.
    pub(super) fn of(incoming: &Incoming<'_>) -> Option<Self> {
        let canonical = auth::canonical_request(incoming).ok()?;
        let canonical = canonical.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let string = match incoming.scheme {
            Scheme::V1 => {
                let mut string = Vec::new();
                auth::Claim::of(incoming, &mut string).ok()?;
                String::from_utf8(string).ok()?
            }
            Scheme::Acs3 => sign::acs3_string(canonical.as_ref()?.as_bytes()),
        };
        Some(Self { canonical, string })
    }

    /// What people compare: the longest text that tells all.
    pub(super) fn text(&self) -> (&'static str, &str) {
        self.canonical.as_deref().map_or(("string to sign", &*self.string), |text| ("canonical request", text))
    }

    /// Step by step.
    pub(super) fn steps(&self) -> Vec<Step> {
        let step = |name, text: &str| Step { name, text: text.to_owned() };
        let Some(canonical) = &self.canonical else {
            let encoded = self.string.splitn(3, '&').nth(2).unwrap_or_default();
            let query = percent_encoding::percent_decode_str(encoded).decode_utf8_lossy();
            return vec![step("canonical query", &query), step("string to sign", &self.string)];
        };
        vec![
            step("canonical request", canonical),
            step("hash of the canonical request", &sign::sha256_hex(canonical.as_bytes())),
            step("string to sign", &self.string),
        ]
    }
}

/// The name of a signature.
pub(super) const fn name(scheme: Scheme) -> &'static str {
    match scheme {
        Scheme::V1 => "HMAC-SHA1",
        Scheme::Acs3 => sign::ACS3,
    }
}
