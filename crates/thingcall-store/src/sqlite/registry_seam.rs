//! The registry's part of the store's seam.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use thingcall_core::{DeviceKey, DeviceName, ProductKey, UnixMillis};
use thingcall_tsl::{Applied, Batch, BatchId, BatchState, DeviceCounts, DevicePage, ModelVersion, Product};

use super::trouble::failure;
use super::tx::SqliteTx;
use super::{Sqlite, batches, directory, model_versions, registry, tags};
use crate::failure::Failure;
use crate::memory::DeviceEntry;
use crate::registry_tables::{BatchLimits, Deleted, NewBatch, Numbered, RegistryReads, RegistryWrites, Tagged};

#[async_trait]
impl RegistryReads for Sqlite {
    async fn named(
        &self,
        product: &ProductKey,
        range: (&str, &str),
        after: &str,
        max: usize,
    ) -> Result<Vec<DeviceEntry>, Failure> {
        registry::named(&self.reads, product, range, after, max).await.map_err(failure)
    }

    async fn page(&self, product: &ProductKey, page: &DevicePage) -> Result<Vec<DeviceEntry>, Failure> {
        registry::page(&self.reads, product, page).await.map_err(failure)
    }

    async fn device_counts(&self, products: &[ProductKey]) -> Result<HashMap<ProductKey, DeviceCounts>, Failure> {
        registry::device_counts(&self.reads, products).await.map_err(failure)
    }

    async fn batch(&self, id: BatchId) -> Result<Option<Batch>, Failure> {
        batches::batch(&self.reads, id).await.map_err(failure)
    }

    async fn batch_devices(&self, id: BatchId) -> Result<Vec<Applied>, Failure> {
        let found = async { batches::devices(&mut *self.reads.acquire().await?, id).await };
        found.await.map_err(failure)
    }

    async fn batch_page(&self, batch: &Batch, skipped: u64, max: usize) -> Result<Vec<DeviceEntry>, Failure> {
        batches::page(&self.reads, batch, skipped, max).await.map_err(failure)
    }

    async fn batch_left(&self, batch: &Batch) -> Result<u64, Failure> {
        batches::left(&self.reads, batch).await.map_err(failure)
    }

    async fn count_batches(&self) -> Result<u64, Failure> {
        batches::count(&self.reads).await.map_err(failure)
    }

    async fn model_versions(&self, product: &ProductKey) -> Result<Vec<ModelVersion>, Failure> {
        model_versions::of(&self.reads, product).await.map_err(failure)
    }

    async fn model_texts(&self, product: &ProductKey, number: &str) -> Result<Option<String>, Failure> {
        model_versions::texts(&self.reads, product, number).await.map_err(failure)
    }

    async fn tags(&self, device: &DeviceKey) -> Result<BTreeMap<String, String>, Failure> {
        tags::of(&self.reads, device).await.map_err(failure)
    }
}

#[async_trait]
impl RegistryWrites for SqliteTx<'_> {
    async fn locked_product(&mut self, key: &ProductKey) -> Result<Option<Product>, Failure> {
        // Whoever writes has begun so that nobody else does.
        directory::product(self, key).await.map_err(failure)
    }

    async fn change_product(
        &mut self,
        key: &ProductKey,
        name: Option<&str>,
        notes: Option<&str>,
    ) -> Result<bool, Failure> {
        registry::change_product(self, key, name, notes).await.map_err(failure)
    }

    async fn delete_product(&mut self, key: &ProductKey) -> Result<Deleted, Failure> {
        registry::delete_product(self, key).await.map_err(failure)
    }

    async fn taken_names(&mut self, product: &ProductKey, names: &[DeviceName]) -> Result<Vec<DeviceName>, Failure> {
        batches::taken(self, product, names).await.map_err(failure)
    }

    async fn insert_batch(&mut self, new: &NewBatch<'_>, limits: &BatchLimits) -> Result<u64, Failure> {
        batches::insert(self, new, limits).await.map_err(failure)
    }

    async fn locked_batch(&mut self, id: BatchId) -> Result<Option<Batch>, Failure> {
        batches::locked(self, id).await.map_err(failure)
    }

    async fn applied(&mut self, id: BatchId) -> Result<Vec<Applied>, Failure> {
        batches::devices(self, id).await.map_err(failure)
    }

    async fn end_batch(
        &mut self,
        id: BatchId,
        state: BatchState,
        created: usize,
        not_created: (&[DeviceName], &str),
    ) -> Result<(), Failure> {
        batches::end(self, id, (state, created), not_created).await.map_err(failure)
    }

    async fn put_version(&mut self, product: &ProductKey, texts: &[&str], now: UnixMillis) -> Result<(), Failure> {
        model_versions::put(self, product, texts, now).await.map_err(failure)
    }

    async fn publish_model(
        &mut self,
        product: &ProductKey,
        names: (Option<&str>, Option<&str>),
        now: UnixMillis,
    ) -> Result<Numbered, Failure> {
        model_versions::publish(self, product, names, now).await.map_err(failure)
    }

    async fn put_tags(&mut self, device: &DeviceKey, tags: &BTreeMap<String, String>) -> Result<Tagged, Failure> {
        tags::put(self, device, tags).await.map_err(failure)
    }

    async fn remove_tag(&mut self, device: &DeviceKey, tag: &str) -> Result<(), Failure> {
        tags::remove(self, device, tag).await.map_err(failure)
    }
}
