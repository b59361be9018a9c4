//! What a key may do here that is no action of the API.
//!
//! **Invariant:** a key's rules say it by the names of three actions about everything; a key without rules may do all.

use std::sync::Arc;

use thingcall_core::{AccessKey, AllowList, Target, UnixMillis};

use crate::key_change::KeyChange;

/// What a page needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, strum::IntoStaticStr)]
pub(crate) enum Role {
    /// To see what concerns the whole server: its calls, plugins, figures.
    #[strum(serialize = "ConsoleLook")]
    Look,
    /// To act on calls and plugins.
    #[strum(serialize = "ConsoleOperate")]
    Operate,
    /// To change access keys, and what is logged, and to see the configuration.
    #[strum(serialize = "ConsoleAdminister")]
    Administer,
}

/// The names by which the rules of a key allow them.
pub const ROLES: [&str; 3] = ["ConsoleLook", "ConsoleOperate", "ConsoleAdminister"];

impl Role {
    /// The name by which rules allow it.
    pub(crate) fn action(self) -> &'static str {
        self.into()
    }

    /// Whether this key has it.
    pub(crate) fn is_of(self, key: &AccessKey) -> bool {
        key.allows(self.action(), Target::AllProducts)
    }

    /// Whether these rules have it.
    pub(crate) fn is_allowed_by(self, allow: &AllowList) -> bool {
        allow.allows(self.action(), Target::AllProducts)
    }
}

/// Whether one of these keys still administers, once this is done.
pub(crate) fn administered_after(keys: &[Arc<AccessKey>], change: &KeyChange) -> bool {
    let now = UnixMillis::now();
    let administers = |key: &AccessKey| key.temporary.is_none() && key.stands(now) && Role::Administer.is_of(key);
    let takes = change.takes(|allow| Role::Administer.is_allowed_by(allow));
    keys.iter().any(|key| administers(key) && !(takes && key.id == change.key()))
}

#[cfg(test)]
mod tests;
