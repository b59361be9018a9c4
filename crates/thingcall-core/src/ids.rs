//! Names of things, each a type of its own, checked once.
//!
//! **Invariant:** none of the text ids can hold `/`, `+`, `#`, `&`, `|`, a space or a control character, so none can
//! change the meaning of a topic, a routing key, a user name or a client id that is built from it.

use std::fmt;
use std::str::FromStr;

use smol_str::SmolStr;
use uuid::Uuid;

/// Why a text is not an id: what it was meant to be and what is right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a {what}: {rule}")]
pub struct InvalidId {
    /// The kind of id, in words.
    pub what: &'static str,
    /// What would be right.
    pub rule: &'static str,
    /// What was given, cut to 64 characters.
    pub text: String,
}

/// Which signs an id may have beside letters and digits: a bit for each.
const fn signs(mut allowed: &[u8]) -> u128 {
    let mut bits = 0;
    while let [sign, others @ ..] = allowed {
        bits |= 1 << *sign;
        allowed = others;
    }
    bits
}

/// Whether `text` has a length and an alphabet.
fn fits(text: &str, max: usize, signs: u128) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || (byte.is_ascii() && signs >> byte & 1 == 1);
    !text.is_empty() && text.len() <= max && text.bytes().all(allowed)
}

#[cold]
fn invalid(what: &'static str, rule: &'static str, text: &str) -> InvalidId {
    InvalidId { what, rule, text: text.chars().take(64).collect() }
}

// Short ones, as most are, stand where they are used: to read one off a topic allocates nothing.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:literal, $extra:literal, $rule:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(SmolStr);

        impl $name {
            /// The text, as it stands in topics and answers.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<&str> for $name {
            type Error = InvalidId;
            fn try_from(text: &str) -> Result<Self, InvalidId> {
                const SIGNS: u128 = signs($extra);
                if fits(text, $max, SIGNS) { Ok(Self(text.into())) } else { Err(invalid($what, $rule, text)) }
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::try_from(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
                Self::try_from(&*text).map_err(serde::de::Error::custom)
            }
        }
    };
}

text_id! {
    /// Names a product: 1 to 32 letters, digits, `-`, `_`. Alibaba's own have 11 letters and digits.
    ProductKey, "product key", 32, b"-_", "1 to 32 of A-Z a-z 0-9 - _"
}
text_id! {
    /// Names a device within its product: 1 to 32 letters, digits, `-`, `_`, `@`, `.`, `:` (RegisterDevice's alphabet).
    DeviceName, "device name", 32, b"-_@.:", "1 to 32 of A-Z a-z 0-9 - _ @ . :"
}
text_id! {
    /// Names a device across all products: 1 to 64 letters and digits, given at registration.
    IotId, "IotId", 64, b"-_", "1 to 64 of A-Z a-z 0-9 - _"
}
text_id! {
    /// Names a custom module of a thing model (`functionBlockId`): 1 to 30 letters, digits, `_`.
    ModuleId, "module id", 30, b"_", "1 to 30 of A-Z a-z 0-9 _"
}
text_id! {
    /// Names a service, property, event or parameter in a thing model: 1 to 50 letters, digits, `_`.
    Identifier, "identifier", 50, b"_", "1 to 50 of A-Z a-z 0-9 _"
}

/// A service of a thing model: `service` of the default module, or `module:service`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServiceId {
    /// `None` for the default module.
    pub module: Option<ModuleId>,
    /// The service's identifier within its module.
    pub service: Identifier,
}

impl ServiceId {
    /// The built-in service of the default module that sets properties. No service of a thing model has its name.
    pub fn set_properties() -> Self {
        Self { module: None, service: Identifier(SET.into()) }
    }

    /// Whether it is [`Self::set_properties`].
    pub fn sets_properties(&self) -> bool {
        self.module.is_none() && self.service.as_str() == SET
    }
}

/// An identifier that thing models keep free.
const SET: &str = "set";

impl TryFrom<&str> for ServiceId {
    type Error = InvalidId;
    fn try_from(text: &str) -> Result<Self, InvalidId> {
        match text.split_once(':') {
            None => Ok(Self { module: None, service: text.try_into()? }),
            Some((module, service)) => Ok(Self { module: Some(module.try_into()?), service: service.try_into()? }),
        }
    }
}

impl FromStr for ServiceId {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Self::try_from(text)
    }
}

impl fmt::Display for ServiceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.module {
            None => write!(f, "{}", self.service),
            Some(module) => write!(f, "{module}:{}", self.service),
        }
    }
}

/// The one id of a call: the caller's `MessageId`, the Alink `id`, the id in an RRPC topic, and `requestId` of an
/// asynchronous result. Written in decimal; 32 bits because Alink documents 0..4294967295 and firmware keeps it so
/// (`PROTOCOL.md` 3.1).
///
/// The top 6 bits are the slot of the instance that made it, the low 26 its counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId(u32);

impl CallId {
    /// Highest instance slot.
    pub const SLOT_MAX: u8 = 63;
    const COUNTER_BITS: u32 = 26;
    /// No call gets an id below this one: device SDKs that put a count of their own in the place of a request's id count
    /// here, and must not be taken for the holder of slot 0.
    pub const DEVICES_COUNTS: u32 = 1 << 20;

    /// The id with this counter (its low 26 bits count) in this instance's slot (its low 6 bits count).
    pub const fn new(slot: u8, counter: u32) -> Self {
        Self(((slot as u32) << Self::COUNTER_BITS) | (counter & ((1 << Self::COUNTER_BITS) - 1)))
    }

    /// The id whose decimal text a device or a caller gave.
    pub const fn from_u32(value: u32) -> Self {
        Self(value)
    }

    /// The number itself.
    pub const fn as_u32(self) -> u32 {
        self.0
    }

    /// Whether it is no call's: so low a number is a device's own count.
    pub const fn is_devices_count(self) -> bool {
        self.0 < Self::DEVICES_COUNTS
    }

    /// The slot of the instance that made it.
    pub const fn slot(self) -> u8 {
        (self.0 >> Self::COUNTER_BITS) as u8
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for CallId {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let wrong = || InvalidId {
            what: "call id",
            rule: "a decimal number from 0 to 4294967295",
            text: text.chars().take(64).collect(),
        };
        let more = |number: u64, byte: u8| byte.is_ascii_digit().then(|| number * 10 + u64::from(byte - b'0'));
        // Zeros may stand before its ten digits.
        let digits = if text.len() > 10 { text.trim_start_matches('0') } else { text };
        let number = (!text.is_empty() && digits.len() <= 10).then(|| digits.bytes().try_fold(0, more)).flatten();
        number.and_then(|number| u32::try_from(number).ok()).map(Self).ok_or_else(wrong)
    }
}

/// Names one HTTP request in answers and logs: an upper-case UUID, as Alibaba's gateway writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId(Uuid);

impl RequestId {
    /// A new random one.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// The length of its text.
    pub const TEXT_LEN: usize = 36;

    /// Writes its text.
    pub fn write(self, text: &mut [u8; Self::TEXT_LEN]) -> &mut str {
        self.0.hyphenated().encode_upper(text)
    }
}

impl FromStr for RequestId {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Uuid::parse_str(text).map(Self).map_err(|_| InvalidId {
            what: "request id",
            rule: "32 hexadecimal digits in five groups",
            text: text.chars().take(64).collect(),
        })
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}", self.0.hyphenated())
    }
}

#[cfg(test)]
mod tests;
