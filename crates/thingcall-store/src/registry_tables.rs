//! The seam between what is registered and its database, for what no call looks up: pages and counts of devices, and what people
//! change of products. Beside that of the rest in `database`.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use thingcall_core::{DeviceKey, DeviceName, ProductKey, UnixMillis};
use thingcall_tsl::{Applied, Batch, BatchId, BatchState, DeviceCounts, DevicePage, ModelVersion, Product};

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

/// What became of tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tagged {
    /// The device has so many.
    With(usize),
    /// There is no such device.
    NoDevice,
}

/// What became of a version that is to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Numbered {
    /// It is.
    Done,
    /// It was, under this number.
    Published(String),
    /// There is none.
    NoModel,
    /// Another one has the number.
    Taken,
}

/// A batch to be made.
#[derive(Debug)]
pub(crate) struct NewBatch<'a> {
    pub(crate) id: BatchId,
    pub(crate) product: &'a ProductKey,
    pub(crate) state: BatchState,
    pub(crate) created_at: UnixMillis,
    pub(crate) devices: &'a [Applied],
}

/// What batches may be there beside a new one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BatchLimits {
    /// Those made since then.
    pub(crate) since: UnixMillis,
    /// So many of the newest.
    pub(crate) batches_max: usize,
    /// With so many devices.
    pub(crate) devices_max: usize,
}

/// What is asked.
#[async_trait]
pub(crate) trait RegistryReads: Send + Sync {
    /// A page of a product's devices, the newest first.
    async fn page(&self, product: &ProductKey, page: &DevicePage) -> Result<Vec<DeviceEntry>, Failure>;

    /// So many at most of a product's devices, by name, of those whose names lie between these two, the first among them, and
    /// behind `after`.
    async fn named(
        &self,
        product: &ProductKey,
        range: (&str, &str),
        after: &str,
        max: usize,
    ) -> Result<Vec<DeviceEntry>, Failure>;

    /// How many devices these products have. One without any is not in it.
    async fn device_counts(&self, products: &[ProductKey]) -> Result<HashMap<ProductKey, DeviceCounts>, Failure>;

    /// The batch with this id.
    async fn batch(&self, id: BatchId) -> Result<Option<Batch>, Failure>;

    /// Its devices, in their order.
    async fn batch_devices(&self, id: BatchId) -> Result<Vec<Applied>, Failure>;

    /// So many at most of those that it registered and that are still there, behind the first ones.
    async fn batch_page(&self, batch: &Batch, skipped: u64, max: usize) -> Result<Vec<DeviceEntry>, Failure>;

    /// How many those are.
    async fn batch_left(&self, batch: &Batch) -> Result<u64, Failure>;

    /// How many batches there are.
    async fn count_batches(&self) -> Result<u64, Failure>;

    /// The versions of a product's model, the newest first.
    async fn model_versions(&self, product: &ProductKey) -> Result<Vec<ModelVersion>, Failure>;

    /// The texts of the version with this number, as JSON.
    async fn model_texts(&self, product: &ProductKey, number: &str) -> Result<Option<String>, Failure>;

    /// A device's tags.
    async fn tags(&self, device: &DeviceKey) -> Result<BTreeMap<String, String>, Failure>;
}

/// What is written.
#[async_trait]
pub(crate) trait RegistryWrites: Send {
    /// The product with this key, which nobody else changes until the commit.
    async fn locked_product(&mut self, key: &ProductKey) -> Result<Option<Product>, Failure>;

    /// What people are told of a product; `None` stays as it is. `false` if there is none.
    async fn change_product(
        &mut self,
        key: &ProductKey,
        name: Option<&str>,
        notes: Option<&str>,
    ) -> Result<bool, Failure>;

    /// Forgets a product without devices, and its model. Its subscription must be gone.
    async fn delete_product(&mut self, key: &ProductKey) -> Result<Deleted, Failure>;

    /// Which of these names a product's devices have.
    async fn taken_names(&mut self, product: &ProductKey, names: &[DeviceName]) -> Result<Vec<DeviceName>, Failure>;

    /// A new batch; the oldest go where there are too many. Tells how many there are.
    async fn insert_batch(&mut self, new: &NewBatch<'_>, limits: &BatchLimits) -> Result<u64, Failure>;

    /// The batch with this id, which nobody else changes until the commit.
    async fn locked_batch(&mut self, id: BatchId) -> Result<Option<Batch>, Failure>;

    /// Its devices, in their order.
    async fn applied(&mut self, id: BatchId) -> Result<Vec<Applied>, Failure>;

    /// So many of its devices are registered, and the named ones are not, for this reason.
    async fn end_batch(
        &mut self,
        id: BatchId,
        state: BatchState,
        created: usize,
        not_created: (&[DeviceName], &str),
    ) -> Result<(), Failure>;

    /// One more version of a product's model, which is the newest. The product's row is ours.
    async fn put_version(&mut self, product: &ProductKey, texts: &[&str], now: UnixMillis) -> Result<(), Failure>;

    /// Publishes the newest version, under a number, with a description, or both; the oldest published one goes where there are
    /// too many.
    async fn publish_model(
        &mut self,
        product: &ProductKey,
        names: (Option<&str>, Option<&str>),
        now: UnixMillis,
    ) -> Result<Numbered, Failure>;

    /// Adds tags to a device, or gives them other texts.
    async fn put_tags(&mut self, device: &DeviceKey, tags: &BTreeMap<String, String>) -> Result<Tagged, Failure>;

    /// Takes a tag from a device, if it has it.
    async fn remove_tag(&mut self, device: &DeviceKey, tag: &str) -> Result<(), Failure>;
}
