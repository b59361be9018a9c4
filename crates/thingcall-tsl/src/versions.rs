//! The versions of a product's thing model: the ten latest that were published and the ten latest that were not. The newest of all is
//! in force.
//!
//! **Invariant:** each model that is set is a version; what a version was is never changed, but that one which is not published may be,
//! and gets its number and description then. No edit takes a published one away.

use async_trait::async_trait;
use thingcall_core::{ProductKey, UnixMillis};

use crate::{DirectoryError, ThingModel};

/// How many versions are kept, of those that were published and of the others. Source: Alibaba's reference.
pub const MODEL_VERSIONS_MAX: usize = 10;

/// A version, without its model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelVersion {
    /// What it is called: the time at which it was set, until somebody gives it another number.
    pub number: String,
    /// For people.
    pub description: Option<String>,
    /// When it was set.
    pub created_at: UnixMillis,
    /// When it was published.
    pub published_at: Option<UnixMillis>,
}

/// Keeps the latest models.
#[async_trait]
pub trait ModelVersions: Send + Sync {
    /// A product's versions, the newest first.
    ///
    /// # Errors
    /// `Store`.
    async fn model_versions(&self, product: &ProductKey) -> Result<Vec<ModelVersion>, DirectoryError>;

    /// The model of the version with this number.
    ///
    /// # Errors
    /// `Store`, also if it cannot be read.
    async fn model_of(&self, product: &ProductKey, number: &str) -> Result<Option<ThingModel>, DirectoryError>;

    /// Publishes the newest version, under a number, with a description, or both; without a number it keeps the one it has.
    ///
    /// # Errors
    /// `NoModel`, `Published` if it is published already, `Exists` if another version has the number, or `Store` when nothing was
    /// written.
    async fn publish_model(
        &self,
        product: &ProductKey,
        number: Option<&str>,
        description: Option<&str>,
    ) -> Result<(), DirectoryError>;
}
