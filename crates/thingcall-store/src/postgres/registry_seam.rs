//! The registry's part of the store's seam.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use thingcall_core::{DeviceKey, DeviceName, ProductKey, UnixMillis};
use thingcall_tsl::{Applied, Batch, BatchId, BatchState, DeviceCounts, DevicePage, ModelVersion, Product};

use super::database::{Pg, read};
use super::trouble::within;
use super::tx::PgTx;
use super::{batches, directory, model_versions, registry, tags};
use crate::failure::Failure;
use crate::memory::DeviceEntry;
use crate::registry_tables::{BatchLimits, Deleted, NewBatch, Numbered, RegistryReads, RegistryWrites, Tagged};

#[async_trait]
impl RegistryReads for Pg {
    async fn named(
        &self,
        product: &ProductKey,
        range: (&str, &str),
        after: &str,
        max: usize,
    ) -> Result<Vec<DeviceEntry>, Failure> {
        read!(self, conn => registry::named(conn, product, range, after, max))
    }

    async fn page(&self, product: &ProductKey, page: &DevicePage) -> Result<Vec<DeviceEntry>, Failure> {
        read!(self, conn => registry::page(conn, product, page))
    }

    async fn device_counts(&self, products: &[ProductKey]) -> Result<HashMap<ProductKey, DeviceCounts>, Failure> {
        read!(self, conn => registry::device_counts(conn, products))
    }

    async fn batch(&self, id: BatchId) -> Result<Option<Batch>, Failure> {
        read!(self, conn => batches::batch(conn, id))
    }

    async fn batch_devices(&self, id: BatchId) -> Result<Vec<Applied>, Failure> {
        read!(self, conn => batches::devices(conn, id))
    }

    async fn batch_page(&self, batch: &Batch, skipped: u64, max: usize) -> Result<Vec<DeviceEntry>, Failure> {
        read!(self, conn => batches::page(conn, batch, skipped, max))
    }

    async fn batch_left(&self, batch: &Batch) -> Result<u64, Failure> {
        read!(self, conn => batches::left(conn, batch))
    }

    async fn count_batches(&self) -> Result<u64, Failure> {
        read!(self, conn => batches::count(conn))
    }

    async fn model_versions(&self, product: &ProductKey) -> Result<Vec<ModelVersion>, Failure> {
        read!(self, conn => model_versions::of(conn, product))
    }

    async fn model_texts(&self, product: &ProductKey, number: &str) -> Result<Option<String>, Failure> {
        read!(self, conn => model_versions::texts(conn, product, number))
    }

    async fn tags(&self, device: &DeviceKey) -> Result<BTreeMap<String, String>, Failure> {
        read!(self, conn => tags::of(conn, device))
    }
}

#[async_trait]
impl RegistryWrites for PgTx<'_> {
    async fn locked_product(&mut self, key: &ProductKey) -> Result<Option<Product>, Failure> {
        within(self.patience, directory::locked_product(&mut self.tx, key)).await
    }

    async fn change_product(
        &mut self,
        key: &ProductKey,
        name: Option<&str>,
        notes: Option<&str>,
    ) -> Result<bool, Failure> {
        within(self.patience, registry::change_product(&mut self.tx, key, name, notes)).await
    }

    async fn delete_product(&mut self, key: &ProductKey) -> Result<Deleted, Failure> {
        within(self.patience, registry::delete_product(&mut self.tx, key)).await
    }

    async fn taken_names(&mut self, product: &ProductKey, names: &[DeviceName]) -> Result<Vec<DeviceName>, Failure> {
        within(self.patience, batches::taken(&mut self.tx, product, names)).await
    }

    async fn insert_batch(&mut self, new: &NewBatch<'_>, limits: &BatchLimits) -> Result<u64, Failure> {
        within(self.patience, batches::insert(&mut self.tx, new, limits)).await
    }

    async fn locked_batch(&mut self, id: BatchId) -> Result<Option<Batch>, Failure> {
        within(self.patience, batches::locked(&mut self.tx, id)).await
    }

    async fn applied(&mut self, id: BatchId) -> Result<Vec<Applied>, Failure> {
        within(self.patience, batches::devices(&mut self.tx, id)).await
    }

    async fn end_batch(
        &mut self,
        id: BatchId,
        state: BatchState,
        created: usize,
        not_created: (&[DeviceName], &str),
    ) -> Result<(), Failure> {
        within(self.patience, batches::end(&mut self.tx, id, (state, created), not_created)).await
    }

    async fn put_version(&mut self, product: &ProductKey, texts: &[&str], now: UnixMillis) -> Result<(), Failure> {
        within(self.patience, model_versions::put(&mut self.tx, product, texts, now)).await
    }

    async fn publish_model(
        &mut self,
        product: &ProductKey,
        names: (Option<&str>, Option<&str>),
        now: UnixMillis,
    ) -> Result<Numbered, Failure> {
        within(self.patience, model_versions::publish(&mut self.tx, product, names, now)).await
    }

    async fn put_tags(&mut self, device: &DeviceKey, tags: &BTreeMap<String, String>) -> Result<Tagged, Failure> {
        within(self.patience, tags::put(&mut self.tx, device, tags)).await
    }

    async fn remove_tag(&mut self, device: &DeviceKey, tag: &str) -> Result<(), Failure> {
        within(self.patience, tags::remove(&mut self.tx, device, tag)).await
    }
}
