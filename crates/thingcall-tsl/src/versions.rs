//! The versions of a product's thing model: the ten latest, the newest of which is in force.
//!
//! **Invariant:** each model that is set is a version; what a version was is never changed, but for its number and description.

use async_trait::async_trait;
use thingcall_core::{ProductKey, UnixMillis};

use crate::{DirectoryError, ThingModel};

/// How many versions are kept. Source: Alibaba's reference.
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

    /// Gives the newest version a number, a description, or both.
    ///
    /// # Errors
    /// `NoModel`, `Exists` if another version has the number, or `Store` when nothing was written.
    async fn name_model(
        &self,
        product: &ProductKey,
        number: Option<&str>,
        description: Option<&str>,
    ) -> Result<(), DirectoryError>;
}
