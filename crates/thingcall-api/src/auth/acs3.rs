//! The newer signature: system parameters in headers, `HMAC-SHA256` over a canonical request.
//!
//! **Invariant:** which headers are signed is the caller's choice, since SDKs differ in it; but every header that is
//! believed here must be among them.

use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HOST, HeaderName};
use smallvec::SmallVec;

use super::Claim;
use crate::gateway::GatewayError;
use crate::incoming::{Incoming, Scheme};
use crate::params::Params;
use crate::{canonical, headers, sign};

/// The headers that mean something and are in every request.
/// Without `Host`, a request that was signed for another server would be taken by this one.
static BELIEVED: [&HeaderName; 3] = [&headers::ACTION, &headers::VERSION, &HOST];

/// What the headers claim.
pub(super) fn claim<'a>(incoming: &'a Incoming<'_>) -> Result<Claim<'a>, GatewayError> {
    let authorization = Authorization::read(incoming.header(&AUTHORIZATION).unwrap_or_default())?;
    let signed: SignedHeaders<'_> = authorization.signed_headers.split(';').collect();
    let believed = |name: &HeaderName| {
        if !signed.contains(&name.as_str()) {
            return Err(GatewayError::IncompleteSignature(format!("the header {name} is not signed")));
        }
        let text = incoming.header(name).filter(|text| !text.is_empty());
        text.ok_or_else(|| GatewayError::IncompleteSignature(format!("the header {name} is missing")))
    };
    for name in BELIEVED {
        believed(name)?;
    }
    let (time, nonce) = (believed(&headers::DATE)?, believed(&headers::NONCE)?);
    let hash = believed(&headers::CONTENT_HASH)?;
    let actual = sign::body_hash(incoming.body);
    if !hash.eq_ignore_ascii_case(&actual) {
        return Err(GatewayError::ContentHash(actual.into_owned()));
    }
    let request = canonical_request(incoming, &authorization, &signed, hash)?;
    Ok(Claim {
        scheme: Scheme::Acs3,
        key_id: authorization.credential,
        signature: authorization.signature,
        string_to_sign: sign::acs3_string(&request),
        time,
        nonce,
        token: incoming.header(&headers::TOKEN).map(|_| believed(&headers::TOKEN)).transpose()?,
    })
}

/// The key's id and the time, where they are there.
pub(super) fn foreseen<'a>(incoming: &'a Incoming<'_>) -> Result<(Option<&'a str>, Option<&'a str>), GatewayError> {
    let authorization = Authorization::read(incoming.header(&AUTHORIZATION).unwrap_or_default())?;
    Ok((Some(authorization.credential), incoming.header(&headers::DATE)))
}

/// The canonical request, whether or not what it is made of is all there.
pub(super) fn canonical(incoming: &Incoming<'_>) -> Result<Vec<u8>, GatewayError> {
    let authorization = Authorization::read(incoming.header(&AUTHORIZATION).unwrap_or_default())?;
    let signed: SignedHeaders<'_> = authorization.signed_headers.split(';').collect();
    canonical_request(incoming, &authorization, &signed, incoming.header(&headers::CONTENT_HASH).unwrap_or_default())
}

/// The names of the signed headers. SDKs sign six to eight.
type SignedHeaders<'a> = SmallVec<[&'a str; 8]>;

/// The parts of the `Authorization` header.
#[derive(Debug)]
struct Authorization<'a> {
    credential: &'a str,
    signed_headers: &'a str,
    signature: &'a str,
}

impl<'a> Authorization<'a> {
    fn read(text: &'a str) -> Result<Self, GatewayError> {
        let (algorithm, rest) = text.split_once(' ').unwrap_or((text, ""));
        if algorithm != sign::ACS3 {
            return Err(GatewayError::SignatureMethod(algorithm.chars().take(64).collect()));
        }
        let (mut credential, mut signed_headers, mut signature) = (None, None, None);
        for (name, value) in rest.split(',').filter_map(|part| part.trim().split_once('=')) {
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

fn canonical_request(
    incoming: &Incoming<'_>,
    authorization: &Authorization<'_>,
    signed: &SignedHeaders<'_>,
    hash: &str,
) -> Result<Vec<u8>, GatewayError> {
    let head = incoming.head;
    let mut out = String::with_capacity(1024);
    out.push_str(head.method.as_str());
    out.push('\n');
    out.push_str(head.uri.path());
    out.push('\n');
    // A form body is covered by its hash; only the query's parameters stand here.
    if incoming.body.is_empty() {
        canonical::query_into(&mut out, incoming.params.all());
    } else {
        canonical::query_into(&mut out, Params::read(head.uri.query().unwrap_or_default(), &[]).all());
    }
    let mut out = out.into_bytes();
    out.push(b'\n');
    for name in signed {
        push_header(&mut out, &head.headers, name)?;
    }
    out.push(b'\n');
    out.extend_from_slice(authorization.signed_headers.as_bytes());
    out.push(b'\n');
    out.extend_from_slice(hash.as_bytes());
    Ok(out)
}

/// Appends `name:value` and a line feed; several headers of one name are one, with commas.
fn push_header(out: &mut Vec<u8>, headers: &HeaderMap, name: &str) -> Result<(), GatewayError> {
    let mut values = headers.get_all(name).iter();
    let missing = || GatewayError::IncompleteSignature(format!("the header {name} is signed but was not sent"));
    out.extend_from_slice(name.as_bytes());
    out.push(b':');
    out.extend_from_slice(values.next().ok_or_else(missing)?.as_bytes().trim_ascii());
    for further in values {
        out.push(b',');
        out.extend_from_slice(further.as_bytes().trim_ascii());
    }
    out.push(b'\n');
    Ok(())
}
