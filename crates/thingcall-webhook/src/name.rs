//! What a target is called.

use std::fmt;

use thingcall_core::ReaderName;

/// The section of the configuration that describes it, `[webhooks.NAME]`: 1 to 32 of `a-z 0-9 - _`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TargetName(String);

/// A text that is no name of a target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is none; a webhook's name is 1 to 32 of a-z 0-9 - _")]
pub struct NotAName(String);

/// What the names of targets begin with among the readers of the log.
const READERS: &str = "webhook:";
const BYTES_MAX: usize = 32;

impl TargetName {
    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name under which it reads the log.
    pub fn reader(&self) -> ReaderName {
        ReaderName(format!("{READERS}{}", self.0))
    }

    /// The target that reads the log under this name, if one does.
    pub fn of_reader(reader: &ReaderName) -> Option<Self> {
        reader.0.strip_prefix(READERS)?.parse().ok()
    }
}

impl std::str::FromStr for TargetName {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
        let named = !text.is_empty() && text.len() <= BYTES_MAX && text.bytes().all(fits);
        if named { Ok(Self(text.to_owned())) } else { Err(NotAName(text.chars().take(64).collect())) }
    }
}

impl fmt::Display for TargetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for TargetName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
