//! Who may call: access keys and secrets.

use std::fmt;
use std::sync::Arc;

use crate::{AllowList, Target, UnixMillis};

/// A text that is never printed: its `Debug` says `[secret]`, it has no `Display`.
#[derive(Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(transparent)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The text itself, for computing with it and for the one place where it is shown on purpose.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// What `Data.Result` of a synchronous call holds. Alibaba's documents show both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResultShape {
    /// The whole Alink reply: code, data, id, message, version.
    #[default]
    Envelope,
    /// The `data` member alone; a code other than 200 fails the call.
    Data,
}

/// A key a caller signs with.
#[derive(Debug, Clone)]
pub struct AccessKey {
    /// The public half, `AccessKeyId`.
    pub id: String,
    /// The signing half.
    pub secret: Secret,
    /// Whom it belongs to: keys of one account share its quota.
    pub account: String,
    /// `false` after `thingcall key disable`.
    pub enabled: bool,
    /// For a key used with STS: the token every request must carry.
    pub security_token: Option<Secret>,
    /// The shape of results for this key, where it differs from the server's.
    pub result: Option<ResultShape>,
    /// What it may do, where that is not everything.
    pub allow: Option<Arc<AllowList>>,
    /// Of a key that ends by itself.
    pub temporary: Option<Temporary>,
}

/// What a key that ends by itself was made of. It may do no more than that one, and ends with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Temporary {
    /// The id of that key.
    pub of: String,
    /// When it ends.
    pub ends_at: UnixMillis,
}

impl AccessKey {
    /// Whether it has ended by itself.
    pub fn has_ended(&self, now: UnixMillis) -> bool {
        self.temporary.as_ref().is_some_and(|temporary| temporary.ends_at <= now)
    }

    /// Whether it is enabled and has not ended.
    pub fn stands(&self, now: UnixMillis) -> bool {
        self.enabled && !self.has_ended(now)
    }

    /// Whether its rules allow this; a key without rules may do everything.
    pub fn allows(&self, action: &str, target: Target<'_>) -> bool {
        self.allow.as_ref().is_none_or(|rules| rules.allows(action, target))
    }
}

/// A key as far as a call came to know it.
#[derive(Debug, Clone)]
pub enum RecordedKey {
    /// The one that signed.
    Signed(Arc<AccessKey>),
    /// What a refused request said of it, or what is left of it by now.
    Said(String),
}

impl RecordedKey {
    /// Its `AccessKeyId`.
    pub fn id(&self) -> &str {
        match self {
            Self::Signed(key) => &key.id,
            Self::Said(id) => id,
        }
    }
}

/// Where the front looks up keys. Answers from memory.
pub trait Keys: Send + Sync {
    /// The key with this id.
    fn key(&self, id: &str) -> Option<Arc<AccessKey>>;
}
