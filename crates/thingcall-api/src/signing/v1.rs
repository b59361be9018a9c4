//! The older signature, made right and made wrong.

mod changes;

use thingcall_core::Secret;

use super::spelling::Spelling;
use super::tries::Way;
use crate::encoded::base64_of;
use crate::sign;

pub(super) use changes::{Parts, changes};

/// A way to make it.
#[derive(Debug, Clone)]
pub(super) struct V1Way {
    pub(super) method: String,
    /// Decoded, in the order in which they were sent, without `Signature`.
    pub(super) pairs: Vec<(String, String)>,
    pub(super) secret: Secret,
    order: Order,
    inner: Spelling,
    outer: Spelling,
    slash: &'static str,
    before: &'static str,
    end: &'static str,
    suffix: &'static str,
    mac: Mac,
    written: Written,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Order {
    Bytes,
    AsSent,
    IgnoringCase,
    /// The pairs as `name=value`, so that `A.10` comes before `A.1`.
    Joined,
}

#[derive(Debug, Clone, Copy)]
enum Mac {
    Sha1,
    Sha256,
}

#[derive(Debug, Clone, Copy)]
enum Written {
    Base64,
    Hex,
    HexInBase64,
    PlusAsSpace,
    Unpadded,
}

impl V1Way {
    /// The right one.
    pub(super) fn right(method: &str, pairs: Vec<(String, String)>, secret: &Secret) -> Self {
        Self {
            method: method.to_owned(),
            pairs,
            secret: secret.clone(),
            order: Order::Bytes,
            inner: Spelling::RIGHT,
            outer: Spelling::RIGHT,
            slash: "%2F",
            before: "",
            end: "",
            suffix: "&",
            mac: Mac::Sha1,
            written: Written::Base64,
        }
    }
}

/// Puts pairs in an order.
pub(super) fn ordered(pairs: &[(String, String)], order: Order) -> Vec<(&str, &str)> {
    let mut all: Vec<_> = pairs.iter().map(|(name, value)| (&**name, &**value)).collect();
    match order {
        Order::Bytes => all.sort_unstable(),
        Order::AsSent => {}
        Order::IgnoringCase => all.sort_by_key(|(name, _)| name.to_lowercase()),
        Order::Joined => all.sort_by_key(|(name, value)| format!("{name}={value}")),
    }
    all
}

/// Joins pairs, encoded.
pub(super) fn joined(pairs: &[(&str, &str)], spelling: Spelling) -> String {
    let one = |(name, value): &(&str, &str)| format!("{}={}", spelling.write(name), spelling.write(value));
    pairs.iter().map(one).collect::<Vec<_>>().join("&")
}

impl Way for V1Way {
    fn text(&self) -> String {
        let query = joined(&ordered(&self.pairs, self.order), self.inner);
        let (trailing, end) = if self.end == "&" { ("&", "") } else { ("", self.end) };
        let query = self.outer.write(&format!("{}{query}{trailing}", self.before));
        format!("{}&{}&{query}{end}", self.method, self.slash)
    }

    fn signature(&self, text: &str) -> String {
        let key = format!("{}{}", self.secret.expose(), self.suffix);
        let bytes = match self.mac {
            Mac::Sha1 => sign::hmac_sha1(key.as_bytes(), text),
            Mac::Sha256 => sign::hmac_sha256(key.as_bytes(), text),
        };
        match self.written {
            Written::Base64 => base64_of(&bytes),
            Written::Hex => sign::hex_of(&bytes),
            Written::HexInBase64 => base64_of(sign::hex_of(&bytes).as_bytes()),
            Written::PlusAsSpace => base64_of(&bytes).replace('+', " "),
            Written::Unpadded => base64_of(&bytes).trim_end_matches('=').to_owned(),
        }
    }
}
