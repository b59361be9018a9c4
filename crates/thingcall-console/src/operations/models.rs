//! The seam for thing models that nobody has set yet, and for kept versions of them.

use std::sync::Arc;

use async_trait::async_trait;
use thingcall_core::AccessKey;

use super::Answer;

/// A module's file that is being written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The custom module that it is meant for, as long as the file itself does not say; empty: the default module.
    pub module: String,
    /// The file.
    pub text: String,
}

/// What pages ask of thing models, beside what the API's actions tell. A key is told, and sets, what its rules let it.
#[async_trait]
pub trait Models: Send + Sync {
    /// What is wrong with a module's file (`problems`, each with `place`, `own`, `problem` and `right`; `more`), or what it
    /// would change (`differences`, `total`, `breaking`, `warnings`); the module's `module` and `moduleName`, whether it is new
    /// (`isNew`), and the `base` it is held against. Nothing is set.
    async fn check_model(&self, key: Arc<AccessKey>, product: &str, draft: &Draft) -> Answer;

    /// What a kept version would change (`differences`, `total`, `breaking`, `base`).
    async fn compare_model(&self, key: Arc<AccessKey>, product: &str, version: &str) -> Answer;

    /// Puts a kept version in force, if what is in force is still that `base`.
    async fn restore_model(&self, key: Arc<AccessKey>, product: &str, version: &str, base: &str) -> Answer;
}
