//! What is done to access keys.

use std::time::Duration;

use thingcall_core::AllowList;

/// What is to be done to one.
#[derive(Debug, Clone)]
pub enum KeyChange {
    /// A new one is made.
    Create {
        /// Its id; a new one, if there is none.
        id: Option<String>,
        /// Whom it belongs to.
        account: String,
        /// What it may do; everything, if there are none.
        allow: Option<AllowList>,
    },
    /// One is made of another, and ends by itself.
    CreateTemporary {
        /// The id of the one it is made of.
        of: String,
        /// How long it lasts.
        lasts: Duration,
        /// What of that one's it may do; all, if there are none.
        allow: Option<AllowList>,
    },
    /// It may do this from now on, and nothing else.
    Rules {
        /// Its id.
        id: String,
        /// What it may do; everything, if there are none.
        allow: Option<AllowList>,
    },
    /// It counts again.
    Enable(String),
    /// It does not count any more.
    Disable(String),
    /// It is forgotten, with those that were made of it.
    Remove(String),
}

/// Why it was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRefused {
    /// In one word.
    pub code: &'static str,
    /// What is wrong, and what would be right.
    pub text: String,
}

impl KeyChange {
    /// What the audit log calls it.
    pub fn action(&self) -> &'static str {
        match self {
            Self::Create { .. } => "CreateAccessKey",
            Self::CreateTemporary { .. } => "CreateTemporaryAccessKey",
            Self::Rules { .. } => "SetAccessKeyRules",
            Self::Enable(_) => "EnableAccessKey",
            Self::Disable(_) => "DisableAccessKey",
            Self::Remove(_) => "RemoveAccessKey",
        }
    }

    /// The id of the key that it is about; of a new one only where it is given.
    pub fn key(&self) -> &str {
        match self {
            Self::Create { id, .. } => id.as_deref().unwrap_or_default(),
            Self::CreateTemporary { of: id, .. } | Self::Rules { id, .. } => id,
            Self::Enable(id) | Self::Disable(id) | Self::Remove(id) => id,
        }
    }

    /// Whether there would be a key that may do this no more.
    pub fn takes(&self, may: impl Fn(&AllowList) -> bool) -> bool {
        match self {
            Self::Create { .. } | Self::CreateTemporary { .. } | Self::Enable(_) => false,
            Self::Rules { allow, .. } => allow.as_ref().is_some_and(|allow| !may(allow)),
            Self::Disable(_) | Self::Remove(_) => true,
        }
    }
}
