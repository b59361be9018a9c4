//! The seam between what is registered and its database, for what no call looks up: pages and counts of devices, and what people
//! change of products. Beside that of the rest in `database`.

use std::collections::HashMap;

use async_trait::async_trait;
use thingcall_core::ProductKey;
use thingcall_tsl::{DeviceCounts, DevicePage};

use crate::failure::Failure;
use crate::memory::DeviceEntry;

/// What became of a product that is to be forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deleted {
    /// It is, with all that was of it.
    Done,
    /// There is none.
    NoProduct,
    /// It has so many devices, and stays.
    HasDevices(u64),
}

/// What is asked.
#[async_trait]
pub(crate) trait RegistryReads: Send + Sync {
    /// A page of a product's devices, the newest first.
    async fn page(&self, product: &ProductKey, page: &DevicePage) -> Result<Vec<DeviceEntry>, Failure>;

    /// How many devices these products have. One without any is not in it.
    async fn device_counts(&self, products: &[ProductKey]) -> Result<HashMap<ProductKey, DeviceCounts>, Failure>;
}

/// What is written.
#[async_trait]
pub(crate) trait RegistryWrites: Send {
    /// What people are told of a product; `None` stays as it is. `false` if there is none.
    async fn change_product(
        &mut self,
        key: &ProductKey,
        name: Option<&str>,
        notes: Option<&str>,
    ) -> Result<bool, Failure>;

    /// Forgets a product without devices, and its model. Its subscription must be gone.
    async fn delete_product(&mut self, key: &ProductKey) -> Result<Deleted, Failure>;
}
