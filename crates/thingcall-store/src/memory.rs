//! What every call looks up and memory has all of: products and access keys. And what it has of a device.
//!
//! **Invariant:** no lock of this file is held across an await or while another one is taken. Entries are replaced whole,
//! so whoever holds one has a consistent view.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use thingcall_core::{AccessKey, Device, ProductKey, Secret, UnixMillis};
use thingcall_tsl::{DeviceRecord, Product};

use crate::live::Live;

/// A registered device.
#[derive(Debug, Clone)]
pub(crate) struct DeviceEntry {
    pub(crate) device: Arc<Device>,
    pub(crate) secret: Secret,
    pub(crate) nickname: Option<String>,
    pub(crate) created_at: UnixMillis,
    /// Shared by all who hold the entry.
    pub(crate) live: Arc<Live>,
}

impl DeviceEntry {
    /// Everything that is known of the device.
    pub(crate) fn record(&self) -> DeviceRecord {
        let seen = self.live.seen();
        DeviceRecord {
            device: (*self.device).clone(),
            secret: self.secret.clone(),
            nickname: self.nickname.clone(),
            created_at: self.created_at,
            activated_at: seen.activated_at,
            online: seen.online,
            last_seen_at: seen.last_seen_at,
            address: seen.address,
            came_from: seen.came_from,
            sync_topic: seen.sync_topic,
        }
    }
}

#[derive(Debug, Default)]
struct Maps {
    products: HashMap<ProductKey, Arc<Product>>,
    keys: HashMap<String, Arc<AccessKey>>,
}

/// The memory of one store.
#[derive(Debug, Default)]
pub(crate) struct Memory(RwLock<Maps>);

impl Memory {
    /// The product.
    pub(crate) fn product(&self, key: &ProductKey) -> Option<Arc<Product>> {
        self.read().products.get(key).cloned()
    }

    /// Every product, by key.
    pub(crate) fn products(&self) -> Vec<Arc<Product>> {
        let mut products: Vec<_> = self.read().products.values().cloned().collect();
        products.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        products
    }

    /// The access key.
    pub(crate) fn key(&self, id: &str) -> Option<Arc<AccessKey>> {
        self.read().keys.get(id).cloned()
    }

    /// Every access key, by id.
    pub(crate) fn keys(&self) -> Vec<Arc<AccessKey>> {
        let mut keys: Vec<_> = self.read().keys.values().cloned().collect();
        keys.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        keys
    }

    /// How many products and keys there are.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let maps = self.read();
        (maps.products.len(), maps.keys.len())
    }

    /// Puts a product in, or its new settings and model.
    pub(crate) fn put_product(&self, product: Product) {
        self.write().products.insert(product.key.clone(), Arc::new(product));
    }

    /// Takes a product out.
    pub(crate) fn remove_product(&self, key: &ProductKey) {
        self.write().products.remove(key);
    }

    /// Takes those out that are not to be kept.
    pub(crate) fn keep_products(&self, kept: impl Fn(&ProductKey) -> bool) {
        self.write().products.retain(|key, _| kept(key));
    }

    /// Replaces an access key; `None` takes it out.
    pub(crate) fn put_key(&self, id: &str, key: Option<AccessKey>) {
        let mut maps = self.write();
        match key {
            Some(key) => maps.keys.insert(id.to_owned(), Arc::new(key)),
            None => maps.keys.remove(id),
        };
    }

    fn read(&self) -> RwLockReadGuard<'_, Maps> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Maps> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}
