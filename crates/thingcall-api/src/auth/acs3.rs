//! The newer signature: system parameters in headers, `HMAC-SHA256` over a canonical request.
//!
//! **Invariant:** which headers are signed is the caller's choice, since SDKs differ in it; but every header that is
//! believed here must be among them.

use enum_map::EnumMap;
use hyper::HeaderMap;
use memchr::memchr;
use smallvec::SmallVec;

use super::Claim;
use crate::gateway::GatewayError;
use crate::headers::System;
use crate::incoming::{Incoming, Scheme};
use crate::params::Params;
use crate::{canonical, sign};

/// The headers that mean something and are in every request.
/// Without `Host`, a request that was signed for another server would be taken by this one.
const BELIEVED: [System; 3] = [System::Action, System::Version, System::Host];

/// What the headers claim; `string` becomes the string to sign.
pub(super) fn claim<'a>(incoming: &'a Incoming<'_>, string: &mut Vec<u8>) -> Result<Claim<'a>, GatewayError> {
    let authorization = Authorization::of(incoming)?;
    let signed = SignedHeaders::of(authorization.signed_headers);
    let believed = |header: System| {
        let name = header.as_str();
        if !signed.has[header] {
            return Err(GatewayError::IncompleteSignature(format!("the header {name} is not signed")));
        }
        let text = incoming.said(header).filter(|text| !text.is_empty());
        text.ok_or_else(|| GatewayError::IncompleteSignature(format!("the header {name} is missing")))
    };
    for header in BELIEVED {
        believed(header)?;
    }
    let (time, nonce) = (believed(System::Date)?, believed(System::Nonce)?);
    let hash = believed(System::ContentHash)?;
    let actual = sign::body_hash(incoming.body);
    if hash != actual && !hash.eq_ignore_ascii_case(&actual) {
        return Err(GatewayError::ContentHash(actual.into_owned()));
    }
    canonical_request(incoming, &authorization, (&signed, hash), string)?;
    sign::acs3_string_of(string);
    Ok(Claim {
        scheme: Scheme::Acs3,
        key_id: authorization.credential,
        signature: authorization.signature,
        time,
        nonce,
        token: incoming.said(System::Token).map(|_| believed(System::Token)).transpose()?,
    })
}

/// The key's id and the time, where they are there.
pub(super) fn foreseen<'a>(incoming: &'a Incoming<'_>) -> Result<(Option<&'a str>, Option<&'a str>), GatewayError> {
    Ok((Some(Authorization::of(incoming)?.credential), incoming.said(System::Date)))
}

/// The canonical request, whether or not what it is made of is all there.
pub(super) fn canonical(incoming: &Incoming<'_>) -> Result<Vec<u8>, GatewayError> {
    let authorization = Authorization::of(incoming)?;
    let signed = SignedHeaders::of(authorization.signed_headers);
    let hash = incoming.said(System::ContentHash).unwrap_or_default();
    let mut out = Vec::with_capacity(1024);
    canonical_request(incoming, &authorization, (&signed, hash), &mut out)?;
    Ok(out)
}

/// The names of the signed headers. SDKs sign six to eight.
struct SignedHeaders<'a> {
    names: SmallVec<[(&'a str, Option<System>); 8]>,
    has: EnumMap<System, bool>,
}

impl<'a> SignedHeaders<'a> {
    /// Of names with a `;` between.
    fn of(text: &'a str) -> Self {
        let (mut names, mut has) = (SmallVec::new(), EnumMap::default());
        for name in pieces(text, b';') {
            let system = System::of(name);
            if let Some(system) = system {
                has[system] = true;
            }
            names.push((name, system));
        }
        Self { names, has }
    }
}

/// The parts of the `Authorization` header.
#[derive(Debug)]
struct Authorization<'a> {
    credential: &'a str,
    signed_headers: &'a str,
    signature: &'a str,
}

impl<'a> Authorization<'a> {
    fn of(incoming: &'a Incoming<'_>) -> Result<Self, GatewayError> {
        Self::read(incoming.said(System::Authorization).unwrap_or_default())
    }

    fn read(text: &'a str) -> Result<Self, GatewayError> {
        let Some(rest) = text.strip_prefix(sign::ACS3).filter(|rest| rest.is_empty() || rest.starts_with(' ')) else {
            let algorithm = text.split(' ').next().unwrap_or_default();
            return Err(GatewayError::SignatureMethod(algorithm.chars().take(64).collect()));
        };
        let (mut credential, mut signed_headers, mut signature) = (None, None, None);
        for (name, value) in pieces(rest, b',').filter_map(|part| split_once(part.trim_ascii(), b'=')) {
            let place = match name {
                "Credential" => &mut credential,
                "SignedHeaders" => &mut signed_headers,
                "Signature" => &mut signature,
                _ => continue,
            };
            if place.is_none() && !value.is_empty() {
                *place = Some(value);
            }
        }
        let missing = |name: &str| GatewayError::IncompleteSignature(format!("Authorization has no {name}"));
        Ok(Self {
            credential: credential.ok_or_else(|| missing("Credential"))?,
            signed_headers: signed_headers.ok_or_else(|| missing("SignedHeaders"))?,
            signature: signature.ok_or_else(|| missing("Signature"))?,
        })
    }
}

/// The pieces of a text between signs of ASCII. `str::split` is for signs of any kind and costs many times as much.
fn pieces(text: &str, sign: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let split = split_once(text, sign);
        rest = split.map(|(_, behind)| behind);
        Some(split.map_or(text, |(piece, _)| piece))
    })
}

/// What is before and what is behind a sign of ASCII.
fn split_once(text: &str, sign: u8) -> Option<(&str, &str)> {
    let at = memchr(sign, text.as_bytes())?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// Writes the canonical request into `out`.
fn canonical_request(
    incoming: &Incoming<'_>,
    authorization: &Authorization<'_>,
    (signed, hash): (&SignedHeaders<'_>, &str),
    out: &mut Vec<u8>,
) -> Result<(), GatewayError> {
    let head = incoming.head;
    let query = head.uri.query().unwrap_or_default();
    out.clear();
    for part in [head.method.as_str(), "\n", head.uri.path(), "\n"] {
        out.extend_from_slice(part.as_bytes());
    }
    // A form body is covered by its hash; only the query's parameters stand here.
    if incoming.params.query_is_canonical() {
        out.extend_from_slice(query.as_bytes());
    } else if incoming.body.is_empty() {
        canonical::query_into(out, incoming.params.all());
    } else {
        canonical::query_into(out, Params::read(query, &[]).all());
    }
    out.push(b'\n');
    for (name, system) in &signed.names {
        match system.and_then(|header| incoming.system().only(header)) {
            Some(value) => push(out, name, value),
            None => push_header(out, &head.headers, name)?,
        }
        out.push(b'\n');
    }
    for part in ["\n", authorization.signed_headers, "\n", hash] {
        out.extend_from_slice(part.as_bytes());
    }
    Ok(())
}

/// Appends `name:value`.
fn push(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    for part in [name.as_bytes(), b":", value] {
        out.extend_from_slice(part);
    }
}

/// Appends `name:value`; several headers of one name are one, with commas.
fn push_header(out: &mut Vec<u8>, headers: &HeaderMap, name: &str) -> Result<(), GatewayError> {
    let mut values = headers.get_all(name).iter().map(|value| value.as_bytes().trim_ascii());
    let missing = || GatewayError::IncompleteSignature(format!("the header {name} is signed but was not sent"));
    push(out, name, values.next().ok_or_else(missing)?);
    for further in values {
        out.push(b',');
        out.extend_from_slice(further);
    }
    Ok(())
}
