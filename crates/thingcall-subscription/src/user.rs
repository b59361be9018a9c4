//! The user name that a consumer signs in with: `{clientId}|k=v,k=v,...|`, and its signature, the password.
//!
//! No age of the time stamp is checked: every client signs once and connects again with the same user name for as long as
//! it lives, and the platform's own early sample has a constant. Source: `PROTOCOL.md` 10.1 and 10.2.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::machine::BodyEncoding;

/// The longest user name taken. One with a token of the platform's has about 1,200 bytes.
pub const USER_BYTES_MAX: usize = 6 * 1024;
/// The longest client id.
pub const CLIENT_ID_CHARS_MAX: usize = 64;

/// Who a consumer says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct User<'a> {
    /// The application's own name for this client.
    pub client_id: &'a str,
    /// The consumer group.
    pub group: &'a str,
    /// The access key whose secret the password is made with.
    pub key_id: &'a str,
    /// The instance; `None` where it is absent or empty, as with the platform's old public instances.
    pub instance: Option<&'a str>,
    /// The token of temporary credentials, with `authMode=ststoken`.
    pub security_token: Option<&'a str>,
    /// How bodies are to be written.
    pub body: BodyEncoding,
    method: Method,
    timestamp: &'a str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Md5,
    Sha1,
    Sha256,
}

/// What is wrong with a user name; for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UserFault {
    /// It is too long.
    #[error("the user name has more than {USER_BYTES_MAX} bytes")]
    TooLong,
    /// There is no bar.
    #[error("the user name is not of the form clientId|k=v,k=v,...|")]
    Form,
    /// The client id is empty or too long.
    #[error("the client id before the bar must have 1 to {CLIENT_ID_CHARS_MAX} characters")]
    ClientId,
    /// A pair is missing, or its value is empty.
    #[error("the user name has no {0}")]
    Missing(&'static str),
    /// `authMode` is unknown.
    #[error("authMode must be aksign or ststoken")]
    AuthMode,
    /// `signMethod` is unknown.
    #[error("signMethod must be hmacmd5, hmacsha1 or hmacsha256")]
    SignMethod,
    /// `timestamp` is no number.
    #[error("timestamp must be a number of milliseconds")]
    Timestamp,
}

/// The value of a pair; `None` if it is not there or empty. A token may hold `=`: a pair is split at its first one.
fn value<'a>(pairs: &'a str, name: &str) -> Option<&'a str> {
    let mut all = pairs.split(',').filter_map(|pair| pair.split_once('='));
    all.find(|(key, _)| *key == name).map(|(_, value)| value).filter(|value| !value.is_empty())
}

impl<'a> User<'a> {
    /// Takes a user name apart.
    ///
    /// # Errors
    /// What of it is wrong.
    pub fn read(text: &'a str) -> Result<Self, UserFault> {
        if text.len() > USER_BYTES_MAX {
            return Err(UserFault::TooLong);
        }
        let (client_id, pairs) = text.split_once('|').ok_or(UserFault::Form)?;
        if client_id.is_empty() || client_id.chars().count() > CLIENT_ID_CHARS_MAX {
            return Err(UserFault::ClientId);
        }
        let pairs = pairs.strip_suffix('|').unwrap_or(pairs);
        let optional = |name| value(pairs, name);
        let required = |name| optional(name).ok_or(UserFault::Missing(name));
        let security_token = match required("authMode")? {
            "aksign" => None,
            "ststoken" => Some(required("securityToken")?),
            _ => return Err(UserFault::AuthMode),
        };
        let timestamp = required("timestamp")?;
        if !timestamp.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(UserFault::Timestamp);
        }
        let is_base64 = optional("encode").is_some_and(|encode| encode.eq_ignore_ascii_case("base64"));
        Ok(Self {
            client_id,
            group: required("consumerGroupId")?,
            key_id: required("authId")?,
            instance: optional("iotInstanceId"),
            security_token,
            body: if is_base64 { BodyEncoding::Base64 } else { BodyEncoding::Plain },
            method: Method::named(required("signMethod")?).ok_or(UserFault::SignMethod)?,
            timestamp,
        })
    }

    /// For the log, of a user name that may be none: the client id, `authId` and `consumerGroupId`, as far as they are there.
    pub fn shown(text: &str) -> (&str, Option<&str>, Option<&str>) {
        let (client_id, pairs) = text.split_once('|').unwrap_or((text, ""));
        let pairs = pairs.strip_suffix('|').unwrap_or(pairs);
        (client_id, value(pairs, "authId"), value(pairs, "consumerGroupId"))
    }

    /// Whether the password is the signature by this secret.
    pub fn proves(&self, password: &[u8], secret: &[u8]) -> bool {
        let right = STANDARD.encode(self.method.sign(secret, self.signed_text().as_bytes()));
        right.as_bytes().ct_eq(password).into()
    }

    /// Names sorted. Client id, group and instance are not signed.
    fn signed_text(&self) -> String {
        let Self { key_id, timestamp, .. } = self;
        match self.security_token {
            Some(token) => format!("authId={key_id}&securityToken={token}&timestamp={timestamp}"),
            None => format!("authId={key_id}&timestamp={timestamp}"),
        }
    }
}

impl Method {
    /// Without regard to case: a sample of the platform's says `Hmacsha1`.
    fn named(name: &str) -> Option<Self> {
        let all = [("hmacmd5", Self::Md5), ("hmacsha1", Self::Sha1), ("hmacsha256", Self::Sha256)];
        all.into_iter().find(|(known, _)| name.eq_ignore_ascii_case(known)).map(|(_, method)| method)
    }

    fn sign(self, secret: &[u8], text: &[u8]) -> Vec<u8> {
        match self {
            Self::Md5 => mac::<Hmac<Md5>>(secret, text),
            Self::Sha1 => mac::<Hmac<Sha1>>(secret, text),
            Self::Sha256 => mac::<Hmac<Sha256>>(secret, text),
        }
    }
}

fn mac<M: Mac + KeyInit>(secret: &[u8], text: &[u8]) -> Vec<u8> {
    // HMAC takes a key of any length.
    M::new_from_slice(secret).map(|mac| mac.chain_update(text).finalize().into_bytes().to_vec()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
