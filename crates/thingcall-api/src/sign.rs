//! Both signatures: what the server computes to compare, and what a client sends.
//!
//! **Invariant:** pure text and hashes; one implementation for both sides, so what this client signs is what this
//! server checks. That both are right is proved by vectors computed with Alibaba's own SDKs.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use thingcall_core::{Secret, UnixMillis};
use uuid::Uuid;

use crate::{canonical, clock};

/// The API's version, the only one there is.
pub const VERSION: &str = "2018-01-20";

/// The name of the header signature.
pub const ACS3: &str = "ACS3-HMAC-SHA256";

/// The SHA-256 of nothing.
const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Who signs.
#[derive(Debug, Clone)]
pub struct Signer {
    /// The public half of the key.
    pub key_id: String,
    /// The signing half.
    pub secret: Secret,
    /// The token of a key used with STS.
    pub security_token: Option<Secret>,
}

/// A request signed with headers: what to send beside the action's parameters in the query, which must be
/// [`SignedHeaders::query`] or decode to the same.
#[derive(Debug, Clone)]
pub struct SignedHeaders {
    /// The encoded query.
    pub query: String,
    /// The headers, lower-case names, `authorization` last; `host` is among them and must be sent as it is here.
    pub headers: Vec<(&'static str, String)>,
}

/// The string that a V1 signature signs. `method` is the real HTTP method; `params` are all decoded parameters of query
/// and form body, in any order; `Signature` is left out.
pub fn v1_string_to_sign<N: AsRef<str>, V: AsRef<str>>(method: &str, params: &[(N, V)]) -> String {
    let mut out = Vec::with_capacity(1024);
    v1_string_into(&mut out, method, sorted(params).into_iter().filter(|(name, _)| *name != "Signature"));
    // It is of ASCII, but for the method.
    String::from_utf8(out).unwrap_or_default()
}

/// The V1 signature (`HMAC-SHA1` over [`v1_string_to_sign`], in Base64) of these parameters.
pub fn v1_signature<N: AsRef<str>, V: AsRef<str>>(method: &str, params: &[(N, V)], secret: &str) -> String {
    v1_sign(&v1_string_to_sign(method, params), secret)
}

/// All parameters of a signed V1 request, encoded, for the query or for a form body. `params` are the action's own.
pub fn v1_request(method: &str, action: &str, params: &[(&str, &str)], signer: &Signer, at: UnixMillis) -> String {
    let (time, nonce) = (clock::stamp(at), Uuid::new_v4().to_string());
    let mut all = v1_parameters(action, params, signer, (&time, &nonce));
    let signature = v1_signature(method, &all, signer.secret.expose());
    all.push(("Signature", &signature));
    canonical::query(all)
}

/// All parameters that a V1 signature signs, with this time and nonce.
pub(crate) fn v1_parameters<'a>(
    action: &'a str,
    params: &[(&'a str, &'a str)],
    signer: &'a Signer,
    (time, nonce): (&'a str, &'a str),
) -> Vec<(&'a str, &'a str)> {
    let mut all = vec![
        ("AccessKeyId", signer.key_id.as_str()),
        ("Action", action),
        ("Format", "JSON"),
        ("SignatureMethod", "HMAC-SHA1"),
        ("SignatureNonce", nonce),
        ("SignatureVersion", "1.0"),
        ("Timestamp", time),
        ("Version", VERSION),
    ];
    all.extend(signer.security_token.iter().map(|token| ("SecurityToken", token.expose())));
    all.extend_from_slice(params);
    all
}

/// A request signed with headers. `host` is what the `Host` header will say, with the port; the body is empty.
pub fn acs3_request(
    host: &str,
    action: &str,
    params: &[(&str, &str)],
    signer: &Signer,
    at: UnixMillis,
) -> SignedHeaders {
    let nonce = Uuid::new_v4().simple().to_string();
    let mut headers = acs3_headers(host, action, signer, (&clock::stamp(at), &nonce));
    let query = canonical::query(sorted(params));
    let authorization = acs3_authorization("POST", &query, &headers, &signer.key_id, signer.secret.expose());
    headers.push(("authorization", authorization));
    SignedHeaders { query, headers }
}

/// The headers that are signed of a request without a body, sorted, with this time and nonce.
pub(crate) fn acs3_headers(
    host: &str,
    action: &str,
    signer: &Signer,
    (time, nonce): (&str, &str),
) -> Vec<(&'static str, String)> {
    let mut headers = vec![
        ("host", host.to_owned()),
        ("x-acs-action", action.to_owned()),
        ("x-acs-content-sha256", EMPTY_SHA256.to_owned()),
        ("x-acs-date", time.to_owned()),
        ("x-acs-signature-nonce", nonce.to_owned()),
        ("x-acs-version", VERSION.to_owned()),
    ];
    if let Some(token) = &signer.security_token {
        headers.push(("x-acs-accesskey-id", signer.key_id.clone()));
        headers.push(("x-acs-security-token", token.expose().to_owned()));
        headers.sort_unstable();
    }
    headers
}

/// The `Authorization` header of a request to `/`. `query` is canonical; `headers` are lower-case, sorted, all that is
/// to be signed, `x-acs-content-sha256` among them.
pub fn acs3_authorization(method: &str, query: &str, headers: &[(&str, String)], key_id: &str, secret: &str) -> String {
    let mut names = String::with_capacity(128);
    let mut request = String::with_capacity(1024);
    for part in [method, "\n/\n", query, "\n"] {
        request.push_str(part);
    }
    for (name, value) in headers {
        if !names.is_empty() {
            names.push(';');
        }
        names.push_str(name);
        for part in [name, ":", value.trim(), "\n"] {
            request.push_str(part);
        }
    }
    let hash = headers.iter().find(|(name, _)| *name == "x-acs-content-sha256").map_or("", |(_, value)| value);
    for part in ["\n", &names, "\n", hash] {
        request.push_str(part);
    }
    let signature = acs3_sign(&acs3_string(request.as_bytes()), secret);
    format!("{ACS3} Credential={key_id},SignedHeaders={names},Signature={signature}")
}

/// Appends the V1 string to sign of decoded, sorted parameters.
pub(crate) fn v1_string_into<'a>(out: &mut Vec<u8>, method: &str, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) {
    out.extend_from_slice(method.as_bytes());
    out.extend_from_slice(b"&%2F&");
    canonical::query_twice_into(out, pairs);
}

/// Signs a V1 string.
pub(crate) fn v1_sign(string: &str, secret: &str) -> String {
    BASE64.encode(hmac_sha1(&v1_key(secret), string))
}

/// The key of the older signature's HMAC.
fn v1_key(secret: &str) -> Vec<u8> {
    [secret.as_bytes(), b"&"].concat()
}

/// The HMAC-SHA1 of a text.
pub(crate) fn hmac_sha1(key: &[u8], text: &str) -> Vec<u8> {
    hmac::<Hmac<Sha1>>(key, text.as_bytes()).as_ref().to_vec()
}

/// The HMAC-SHA256 of a text.
pub(crate) fn hmac_sha256(key: &[u8], text: &str) -> Vec<u8> {
    hmac::<Hmac<Sha256>>(key, text.as_bytes()).as_ref().to_vec()
}

/// The ACS3 string to sign of a canonical request.
pub(crate) fn acs3_string(canonical_request: &[u8]) -> String {
    format!("{ACS3}\n{}", sha256_hex(canonical_request))
}

/// Puts the ACS3 string to sign of a canonical request in its place.
pub(crate) fn acs3_string_of(text: &mut Vec<u8>) {
    let hash: [u8; 32] = Sha256::digest(&*text).into();
    let mut digits = [0; 64];
    hex_into(&hash, &mut digits);
    text.clear();
    for part in [ACS3.as_bytes(), b"\n", &digits] {
        text.extend_from_slice(part);
    }
}

/// Signs an ACS3 string.
pub(crate) fn acs3_sign(string: &str, secret: &str) -> String {
    hex_of(hmac::<Hmac<Sha256>>(secret.as_bytes(), string.as_bytes()).as_ref())
}

/// The SHA-256 of bytes, in hexadecimal.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex_of(&Sha256::digest(bytes))
}

/// The SHA-256 of a body, in hexadecimal. Most requests have none.
pub(crate) fn body_hash(body: &[u8]) -> Cow<'static, str> {
    if body.is_empty() { Cow::Borrowed(EMPTY_SHA256) } else { Cow::Owned(sha256_hex(body)) }
}

/// In lower case.
pub(crate) fn hex_of(bytes: &[u8]) -> String {
    let mut out = vec![0; bytes.len() * 2];
    // It is as long as it must be, and of ASCII.
    hex::encode_to_slice(bytes, &mut out).ok();
    String::from_utf8(out).unwrap_or_default()
}

fn hmac<M: Mac + KeyInit>(key: &[u8], text: &[u8]) -> impl AsRef<[u8]> + use<M> {
    let mut mac = keyed::<M>(key);
    mac.update(text);
    mac.finalize().into_bytes()
}

#[expect(clippy::expect_used, reason = "an HMAC takes keys of every length")]
fn keyed<M: KeyInit>(key: &[u8]) -> M {
    <M as KeyInit>::new_from_slice(key).expect("an HMAC key")
}

/// A secret, ready to sign: both HMACs have taken in their key.
#[derive(Debug)]
pub(crate) struct SigningKey {
    v1: Hmac<Sha1>,
    acs3: Hmac<Sha256>,
}

/// Room for the text of a signature: 64 hexadecimal digits, or 28 of Base64.
pub(crate) type SignatureText = [u8; 64];

impl SigningKey {
    pub(crate) fn new(secret: &str) -> Self {
        Self { v1: keyed(&v1_key(secret)), acs3: keyed(secret.as_bytes()) }
    }

    /// What [`v1_sign`] says, written into `text`.
    pub(crate) fn v1_sign<'t>(&self, string: &[u8], text: &'t mut SignatureText) -> &'t [u8] {
        let mut mac = self.v1.clone();
        mac.update(string);
        // It has room for more than twice that.
        let written = BASE64.encode_slice(mac.finalize().into_bytes(), text).unwrap_or_default();
        text.get(..written).unwrap_or_default()
    }

    /// What [`acs3_sign`] says, written into `text`.
    pub(crate) fn acs3_sign<'t>(&self, string: &[u8], text: &'t mut SignatureText) -> &'t [u8] {
        let mut mac = self.acs3.clone();
        mac.update(string);
        hex_into(&mac.finalize().into_bytes().into(), text);
        text
    }
}

/// Writes 32 bytes in lower case. One step for all of them, since the compiler does many digits at a time so.
fn hex_into(bytes: &[u8; 32], text: &mut [u8; 64]) {
    let digit = |nibble: u8| nibble + b'0' + if nibble > 9 { b'a' - b'0' - 10 } else { 0 };
    for (digits, byte) in text.as_chunks_mut::<2>().0.iter_mut().zip(bytes) {
        *digits = [digit(byte >> 4), digit(byte & 15)];
    }
}

/// The pairs in the order in which they are signed.
pub(crate) fn sorted<N: AsRef<str>, V: AsRef<str>>(params: &[(N, V)]) -> Vec<(&str, &str)> {
    let mut pairs: Vec<_> = params.iter().map(|(name, value)| (name.as_ref(), value.as_ref())).collect();
    pairs.sort_unstable();
    pairs
}

#[cfg(test)]
mod tests;
