//! The registry's part of the store's seam.

use std::collections::HashMap;

use async_trait::async_trait;
use thingcall_core::ProductKey;
use thingcall_tsl::{DeviceCounts, DevicePage};

use super::database::{Pg, read};
use super::registry;
use super::trouble::within;
use super::tx::PgTx;
use crate::failure::Failure;
use crate::memory::DeviceEntry;
use crate::registry_tables::{Deleted, RegistryReads, RegistryWrites};

#[async_trait]
impl RegistryReads for Pg {
    async fn page(&self, product: &ProductKey, page: &DevicePage) -> Result<Vec<DeviceEntry>, Failure> {
        read!(self, conn => registry::page(conn, product, page))
    }

    async fn device_counts(&self, products: &[ProductKey]) -> Result<HashMap<ProductKey, DeviceCounts>, Failure> {
        read!(self, conn => registry::device_counts(conn, products))
    }
}

#[async_trait]
impl RegistryWrites for PgTx<'_> {
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
}
