//! The newer signature: system parameters in headers, `HMAC-SHA256` over a canonical request.
//!
//! **Invariant:** which headers are signed is the caller's choice, since SDKs differ in it; but every header that is
//! believed here must be among them.

use axum::http::HeaderMap;

use super::{Claim, Scheme};
use crate::gateway::Refusal;
use crate::params::Params;
use crate::request::Incoming;
use crate::{canonical, sign};

/// The headers that mean something and are in every request.
const BELIEVED: [&str; 5] =
    ["x-acs-action", "x-acs-version", "x-acs-date", "x-acs-signature-nonce", "x-acs-content-sha256"];
const TOKEN: &str = "x-acs-security-token";

/// What the headers claim.
pub(super) fn claim<'a>(incoming: &'a Incoming<'_>) -> Result<Claim<'a>, Refusal> {
    let authorization = Authorization::read(incoming.header("authorization").unwrap_or_default())?;
    let believed = |name: &'static str| {
        if !authorization.signed_headers.split(';').any(|signed| signed == name) {
            return Err(Refusal::IncompleteSignature(format!("the header {name} is not signed")));
        }
        let text = incoming.header(name).filter(|text| !text.is_empty());
        text.ok_or_else(|| Refusal::IncompleteSignature(format!("the header {name} is missing")))
    };
    for name in BELIEVED {
        believed(name)?;
    }
    let hash = believed("x-acs-content-sha256")?;
    let actual = sign::sha256_hex(incoming.body);
    if !hash.eq_ignore_ascii_case(&actual) {
        return Err(Refusal::ContentHash(actual));
    }
    let request = canonical_request(incoming, authorization.signed_headers, hash)?;
    Ok(Claim {
        scheme: Scheme::Acs3,
        key_id: authorization.credential,
        signature: authorization.signature,
        string_to_sign: sign::acs3_string(&request),
        time: believed("x-acs-date")?,
        nonce: believed("x-acs-signature-nonce")?,
        token: incoming.header(TOKEN).map(|_| believed(TOKEN)).transpose()?,
    })
}

/// The parts of the `Authorization` header.
#[derive(Debug)]
struct Authorization<'a> {
    credential: &'a str,
    signed_headers: &'a str,
    signature: &'a str,
}

impl<'a> Authorization<'a> {
    fn read(text: &'a str) -> Result<Self, Refusal> {
        let (algorithm, rest) = text.split_once(' ').unwrap_or((text, ""));
        if algorithm != sign::ACS3 {
            return Err(Refusal::SignatureMethod(algorithm.chars().take(64).collect()));
        }
        let part = |name: &str| {
            let mut parts = rest.split(',').filter_map(|part| part.trim().split_once('='));
            let value = parts.find_map(|(other, value)| (other == name && !value.is_empty()).then_some(value));
            value.ok_or_else(|| Refusal::IncompleteSignature(format!("Authorization has no {name}")))
        };
        Ok(Self {
            credential: part("Credential")?,
            signed_headers: part("SignedHeaders")?,
            signature: part("Signature")?,
        })
    }
}

fn canonical_request(incoming: &Incoming<'_>, signed_headers: &str, hash: &str) -> Result<Vec<u8>, Refusal> {
    let head = incoming.head;
    let mut out = Vec::with_capacity(1024);
    // A form body is covered by its hash; only the query's parameters stand here.
    let query = if incoming.body.is_empty() {
        canonical::query(incoming.params.all())
    } else {
        canonical::query(Params::read(head.uri.query().unwrap_or_default(), &[]).all())
    };
    for part in [head.method.as_str(), head.uri.path(), &query] {
        out.extend_from_slice(part.as_bytes());
        out.push(b'\n');
    }
    for name in signed_headers.split(';') {
        push_header(&mut out, &head.headers, name)?;
    }
    out.push(b'\n');
    out.extend_from_slice(signed_headers.as_bytes());
    out.push(b'\n');
    out.extend_from_slice(hash.as_bytes());
    Ok(out)
}

/// Appends `name:value` and a line feed; several headers of one name are one, with commas.
fn push_header(out: &mut Vec<u8>, headers: &HeaderMap, name: &str) -> Result<(), Refusal> {
    out.extend_from_slice(name.as_bytes());
    for (i, value) in headers.get_all(name).iter().enumerate() {
        out.push(if i == 0 { b':' } else { b',' });
        out.extend_from_slice(value.as_bytes().trim_ascii());
    }
    if !headers.contains_key(name) {
        return Err(Refusal::IncompleteSignature(format!("the header {name} is signed but was not sent")));
    }
    out.push(b'\n');
    Ok(())
}
