//! Batches of devices that are registered together, under an id that their caller asks with later.
//!
//! **Invariant:** a batch is registered once, whoever asks for that how often; what became of each of its devices is kept with it.

use async_trait::async_trait;
use thingcall_core::{DeviceName, ProductKey, UnixMillis};

use crate::{DeviceRecord, DirectoryError};

/// Names a batch: BatchCheckDeviceNames' `ApplyId`.
pub type BatchId = i64;

/// A device of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Its name.
    pub name: DeviceName,
    /// For people.
    pub nickname: Option<String>,
    /// Why it cannot be registered, or was not.
    pub problem: Option<String>,
}

/// How far a batch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::IntoStaticStr, strum::EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum BatchState {
    /// All of it can be registered.
    Checked,
    /// Some of it cannot be, so none of it is.
    Refused,
    /// All of it is registered.
    Created,
    /// Some of it was not, since the names were taken meanwhile.
    Failed,
}

/// A batch, without its devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Names it.
    pub id: BatchId,
    /// Of which product its devices are.
    pub product: ProductKey,
    /// How far it is.
    pub state: BatchState,
    /// How many devices were registered.
    pub created: u64,
    /// When it was made.
    pub created_at: UnixMillis,
}

/// Registers devices in batches.
#[async_trait]
pub trait Batches: Send + Sync {
    /// Makes a batch of devices with these names, and says whether they are free.
    ///
    /// # Errors
    /// `NoProduct`, or `Store` when nothing was written.
    async fn apply(&self, product: &ProductKey, devices: Vec<Applied>) -> Result<BatchId, DirectoryError>;

    /// Registers so many devices whose names are made up, all or none.
    ///
    /// # Errors
    /// `NoProduct`, `Full` at the limit, or `Store` when nothing was written.
    async fn register_some(&self, product: &ProductKey, count: usize) -> Result<BatchId, DirectoryError>;

    /// Registers a batch, if it is not registered yet.
    ///
    /// # Errors
    /// `NoBatch`, `BatchRefused`, `Full` at the limit, or `Store` when nothing was written.
    async fn register_batch(&self, product: &ProductKey, id: BatchId) -> Result<(), DirectoryError>;

    /// A batch and its devices.
    ///
    /// # Errors
    /// `NoBatch`, or `Store`.
    async fn batch(&self, id: BatchId) -> Result<(Batch, Vec<Applied>), DirectoryError>;

    /// So many at most of the devices that a batch registered and that are still there, behind the first `skipped` ones; and how
    /// many there are in all.
    ///
    /// # Errors
    /// `Store`.
    async fn batch_page(
        &self,
        batch: &Batch,
        skipped: u64,
        max: usize,
    ) -> Result<(Vec<DeviceRecord>, u64), DirectoryError>;
}
