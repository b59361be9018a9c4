//! The older signature: system parameters among the others, `HMAC-SHA1` over the canonical parameters.

use super::Claim;
use crate::gateway::GatewayError;
use crate::headers::System;
use crate::incoming::{Incoming, Scheme};
use crate::sign;

/// What the parameters claim; `string` becomes the string to sign.
pub(super) fn claim<'a>(incoming: &'a Incoming<'_>, string: &mut Vec<u8>) -> Result<Claim<'a>, GatewayError> {
    let params = &incoming.params;
    refuse_other_methods(incoming)?;
    let key_id = params.need("AccessKeyId")?;
    let signature = params.need("Signature")?;
    let version = params.need("SignatureVersion")?;
    if version != "1.0" {
        return Err(GatewayError::Invalid {
            name: "SignatureVersion",
            problem: format!("it is {version:?}; right is 1.0"),
        });
    }
    let time = time(incoming).ok_or(GatewayError::Missing("Timestamp"))?;
    string.clear();
    sign::v1_string_into(string, incoming.head.method.as_str(), params.without("Signature"));
    Ok(Claim {
        scheme: Scheme::V1,
        key_id,
        signature,
        time,
        nonce: params.need("SignatureNonce")?,
        token: params.get("SecurityToken"),
    })
}

/// The key's id and the time, where they are among what is there.
pub(super) fn foreseen<'a>(incoming: &'a Incoming<'_>) -> (Option<&'a str>, Option<&'a str>) {
    (incoming.params.get("AccessKeyId"), time(incoming))
}

/// One published example spells it with a capital S in the middle.
fn time<'a>(incoming: &'a Incoming<'_>) -> Option<&'a str> {
    let params = &incoming.params;
    params.get("Timestamp").or_else(|| params.get("TimeStamp"))
}

/// Says it of what SDKs can be told to use and is not known here, before anything else is found missing.
fn refuse_other_methods(incoming: &Incoming<'_>) -> Result<(), GatewayError> {
    let params = &incoming.params;
    if incoming.said(System::Bearer).is_some() || params.get("SignatureType") == Some("BEARERTOKEN") {
        return Err(GatewayError::SignatureMethod("BEARERTOKEN".to_owned()));
    }
    match params.get("SignatureMethod") {
        Some("HMAC-SHA1") => Ok(()),
        Some(other) => Err(GatewayError::SignatureMethod(other.chars().take(64).collect())),
        None if params.get("AccessKeyId").is_none() => Err(GatewayError::Missing("AccessKeyId")),
        None => Err(GatewayError::Missing("SignatureMethod")),
    }
}
