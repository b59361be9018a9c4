//! What a key may do here that is no action of the API.
//!
//! **Invariant:** a key's rules say it by the names of two actions about everything; a key without rules may do all.

use thingcall_core::{AccessKey, Target};

/// What a page needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, strum::IntoStaticStr)]
pub(crate) enum Role {
    /// To see what concerns the whole server: its calls, plugins, figures.
    #[strum(serialize = "ConsoleLook")]
    Look,
    /// To act on calls and plugins.
    #[strum(serialize = "ConsoleOperate")]
    Operate,
}

/// The names by which the rules of a key allow them.
pub const ROLES: [&str; 2] = ["ConsoleLook", "ConsoleOperate"];

impl Role {
    /// The name by which rules allow it.
    pub(crate) fn action(self) -> &'static str {
        self.into()
    }

    /// Whether this key has it.
    pub(crate) fn is_of(self, key: &AccessKey) -> bool {
        key.allows(self.action(), Target::AllProducts)
    }
}
