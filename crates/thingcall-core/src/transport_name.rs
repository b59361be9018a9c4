//! What a transport is called.
//!
//! **Invariant:** two names are equal if and only if their texts are.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// What the operator calls one way to devices: the section of the configuration that describes it. Cheap to copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TransportName(&'static str);

/// The names that are not known when the program is built. Names come from the configuration and from the store, which
/// holds what an operator wrote: they are few, and are kept for good.
static OTHERS: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

impl TransportName {
    /// The broker inside thingcall.
    pub const EMBEDDED: Self = Self("embedded");
    /// What `[mqtt]` describes.
    pub const MQTT: Self = Self("mqtt");
    /// What `[amqp]` describes.
    pub const AMQP: Self = Self("amqp");

    /// The longest name, in bytes.
    pub const BYTES_MAX: usize = 32;

    /// The name with this text. `None` if it is no name: 1 to 32 of `A-Z a-z 0-9 - _`.
    pub fn new(text: &str) -> Option<Self> {
        let known = [Self::EMBEDDED, Self::MQTT, Self::AMQP].into_iter().find(|name| name.0 == text);
        if known.is_some() {
            return known;
        }
        let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if text.is_empty() || text.len() > Self::BYTES_MAX || !text.bytes().all(fits) {
            return None;
        }
        let mut others = OTHERS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = others.get(text) {
            return Some(Self(kept));
        }
        let kept: &'static str = Box::leak(text.to_owned().into_boxed_str());
        others.insert(kept);
        Some(Self(kept))
    }

    /// Its text.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for TransportName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl serde::Serialize for TransportName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

impl<'de> serde::Deserialize<'de> for TransportName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::new(&text).ok_or_else(|| serde::de::Error::custom(NotAName))
    }
}

/// A text that is no name of a transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a transport's name is 1 to 32 of A-Z a-z 0-9 - _")]
pub struct NotAName;

impl std::str::FromStr for TransportName {
    type Err = NotAName;
    fn from_str(text: &str) -> Result<Self, NotAName> {
        Self::new(text).ok_or(NotAName)
    }
}

#[cfg(test)]
mod tests;
