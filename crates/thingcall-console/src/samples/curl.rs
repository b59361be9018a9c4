//! A shell, which signs with openssl and sends with curl.
//!
//! **Invariant:** what it signs is sorted and percent-encoded already, so that nothing in it means anything to the shell.

use super::literal::percent;
use super::{Ask, READ_SECONDS};
use crate::given::flat;

/// A part of what is signed: as it is, or what the shell puts there.
enum Part {
    Is(String),
    Shell(&'static str),
}

/// The code.
pub(super) fn code(ask: &Ask<'_>) -> String {
    let is = |name: &str, text: &str| (name.to_owned(), Part::Is(percent(text)));
    let mut all = vec![
        is("Action", ask.action),
        is("Format", "JSON"),
        is("SignatureMethod", "HMAC-SHA1"),
        is("SignatureVersion", "1.0"),
        is("Version", "2018-01-20"),
        ("AccessKeyId".to_owned(), Part::Shell("$ALIBABA_CLOUD_ACCESS_KEY_ID")),
        ("SignatureNonce".to_owned(), Part::Shell("$nonce")),
        ("Timestamp".to_owned(), Part::Shell("$timestamp")),
    ];
    all.extend(flat(ask.params).iter().map(|(name, text)| is(name, text)));
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    let line = |(name, part): &(String, Part)| match part {
        Part::Is(text) => format!("{}={text}", percent(name)),
        Part::Shell(word) => format!("{}={word}", percent(name)),
    };
    let query = all.iter().map(line).collect::<Vec<_>>().join("\\\n&");
    format!(
        r#"#!/bin/sh
# Signs by RPC V1. The secret stands in openssl's command line for a moment: on a machine of your own alone.
nonce=$(openssl rand -hex 16)
timestamp=$(date -u +%Y-%m-%dT%H%%3A%M%%3A%SZ)
# The parameters, percent-encoded, in the order of their names.
query="{query}"
string_to_sign="POST&%2F&$(printf %s "$query" | sed 's/%/%25/g; s/&/%26/g; s/=/%3D/g')"
signature=$(printf %s "$string_to_sign" |
  openssl dgst -sha1 -hmac "$ALIBABA_CLOUD_ACCESS_KEY_SECRET&" -binary | openssl base64)
# In seconds; a synchronous call may take 8.
curl --silent --show-error --max-time {READ_SECONDS} --data "$query" --data-urlencode "Signature=$signature" \
  'http://{endpoint}/'
"#,
        endpoint = plain(ask.endpoint),
    )
}

/// What may stand in the name of a host with its port; nothing else is written.
fn plain(endpoint: &str) -> String {
    endpoint.chars().filter(|sign| sign.is_ascii_alphanumeric() || "-.:[]_".contains(*sign)).collect()
}
