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
            online_at: seen.online_at,
            address: seen.address,
            came_from: seen.came_from,
            sync_topic: seen.sync_topic,
        }
    }
}

#[derive(Debug, Default)]
struct Maps {
    products: HashMap<ProductKey, Arc<Product>>,
    keys: HashMap<String, KeyEntry>,
}

/// A key as it is stored, and as it stands: a temporary one may do no more than the one it was made of.
#[derive(Debug)]
struct KeyEntry {
    stored: AccessKey,
    standing: Arc<AccessKey>,
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
        self.read().keys.get(id).map(|entry| entry.standing.clone())
    }

    /// Every access key, by id.
    pub(crate) fn keys(&self) -> Vec<Arc<AccessKey>> {
        let mut keys: Vec<_> = self.read().keys.values().map(|entry| entry.standing.clone()).collect();
        keys.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        keys
    }

    /// How many products there are, and keys that do not end by themselves.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let maps = self.read();
        (maps.products.len(), maps.keys.len() - temporary(&maps))
    }

    /// How many keys there are that end by themselves.
    pub(crate) fn temporary_keys(&self) -> usize {
        temporary(&self.read())
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
        let made_of_it: Vec<_> = match &key {
            Some(AccessKey { temporary: Some(_), .. }) => Vec::new(),
            Some(_) | None => {
                maps.keys.values().map(|entry| &entry.stored).filter(|key| is_of(key, id)).cloned().collect()
            }
        };
        match key {
            Some(key) => maps.put(key),
            None => drop(maps.keys.remove(id)),
        }
        made_of_it.into_iter().for_each(|key| maps.put(key));
    }

    fn read(&self) -> RwLockReadGuard<'_, Maps> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Maps> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Maps {
    fn put(&mut self, stored: AccessKey) {
        let standing = Arc::new(self.standing(&stored));
        self.keys.insert(stored.id.clone(), KeyEntry { stored, standing });
    }

    fn standing(&self, key: &AccessKey) -> AccessKey {
        let Some(temporary) = &key.temporary else { return key.clone() };
        let Some(KeyEntry { stored: of, .. }) = self.keys.get(&temporary.of) else {
            return AccessKey { enabled: false, ..key.clone() };
        };
        let allow = match (&key.allow, &of.allow) {
            (Some(own), Some(outer)) => Some(Arc::new(own.within(outer.clone()))),
            (allow, None) | (None, allow) => allow.clone(),
        };
        AccessKey { enabled: key.enabled && of.enabled, allow, ..key.clone() }
    }
}

fn temporary(maps: &Maps) -> usize {
    maps.keys.values().filter(|entry| entry.stored.temporary.is_some()).count()
}

fn is_of(key: &AccessKey, id: &str) -> bool {
    key.temporary.as_ref().is_some_and(|temporary| temporary.of == id)
}
