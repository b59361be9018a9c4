//! Names and secrets that are made up: from the operating system's generator, since some of them are secrets.

use thingcall_core::{FleetCallId, GroupId, RequestId};

const LOWER: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
const MIXED: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// The operating system gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("no random bytes from the operating system")]
pub(crate) struct NoRandomness;

/// 11 letters and digits, as Alibaba's product keys; the first is a letter.
pub(crate) fn product_key() -> Result<String, NoRandomness> {
    Ok(format!("a{}", text(MIXED, 10)?))
}

/// 20 letters and digits.
pub(crate) fn device_name() -> Result<String, NoRandomness> {
    text(MIXED, 20)
}

/// 32 lower-case letters and digits.
pub(crate) fn device_secret() -> Result<String, NoRandomness> {
    text(LOWER, 32)
}

/// 32 letters and digits.
pub(crate) fn iot_id() -> Result<String, NoRandomness> {
    text(MIXED, 32)
}

/// 26 letters and digits.
pub(crate) fn group_id() -> Result<String, NoRandomness> {
    text(MIXED, GroupId::CHARS)
}

/// A number that every caller can hold: 1 to 2^53 - 1.
pub(crate) fn batch_id() -> Result<i64, NoRandomness> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(i64::from_be_bytes(bytes) & ((1 << 53) - 1) | 1)
}

/// 26 letters and digits.
pub(crate) fn fleet_call_id() -> Result<String, NoRandomness> {
    text(MIXED, FleetCallId::CHARS)
}

/// `LTAI` and 20 letters and digits.
pub(crate) fn access_key_id() -> Result<String, NoRandomness> {
    Ok(format!("LTAI{}", text(MIXED, 20)?))
}

/// `STS.` and 24 letters and digits.
pub(crate) fn temporary_key_id() -> Result<String, NoRandomness> {
    Ok(format!("STS.{}", text(MIXED, 24)?))
}

/// 64 letters and digits.
pub(crate) fn security_token() -> Result<String, NoRandomness> {
    text(MIXED, 64)
}

/// What tells this process from those before it and beside it: not a secret.
pub(crate) fn holder() -> String {
    RequestId::random().to_string()
}

/// 30 letters and digits.
pub(crate) fn access_key_secret() -> Result<String, NoRandomness> {
    text(MIXED, 30)
}

/// `length` characters of `alphabet`, each as likely as the others: bytes beyond its last whole multiple are thrown away.
fn text(alphabet: &[u8], length: usize) -> Result<String, NoRandomness> {
    let fair = 256 - 256 % alphabet.len();
    let mut text = String::with_capacity(length);
    while text.len() < length {
        let mut bytes = [0; 64];
        getrandom::fill(&mut bytes).map_err(|_| NoRandomness)?;
        let fair_ones = bytes.iter().map(|byte| usize::from(*byte)).filter(|byte| *byte < fair);
        let letters = fair_ones.filter_map(|byte| alphabet.get(byte % alphabet.len()));
        text.extend(letters.map(|letter| char::from(*letter)).take(length - text.len()));
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
