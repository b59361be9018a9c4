//! The registry's part of the store's seam.

use std::collections::HashMap;

use async_trait::async_trait;
use thingcall_core::ProductKey;
use thingcall_tsl::{DeviceCounts, DevicePage};

use super::trouble::failure;
use super::tx::SqliteTx;
use super::{Sqlite, registry};
use crate::failure::Failure;
use crate::memory::DeviceEntry;
use crate::registry_tables::{Deleted, RegistryReads, RegistryWrites};

#[async_trait]
impl RegistryReads for Sqlite {
    async fn page(&self, product: &ProductKey, page: &DevicePage) -> Result<Vec<DeviceEntry>, Failure> {
        registry::page(&self.reads, product, page).await.map_err(failure)
    }

    async fn device_counts(&self, products: &[ProductKey]) -> Result<HashMap<ProductKey, DeviceCounts>, Failure> {
        registry::device_counts(&self.reads, products).await.map_err(failure)
    }
}

#[async_trait]
impl RegistryWrites for SqliteTx<'_> {
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
}
