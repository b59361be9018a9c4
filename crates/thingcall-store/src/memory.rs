//! What every call looks up: products, devices and access keys, in memory.
//!
//! **Invariant:** no lock of this file is held across an await or while another one is taken. Entries are replaced whole,
//! so whoever holds one has a consistent view.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use thingcall_core::{AccessKey, Device, DeviceKey, DeviceName, DeviceRef, IotId, ProductKey, Secret, UnixMillis};
use thingcall_tsl::{DeviceRecord, Found, Product};

use crate::live::Live;
use crate::marked::Marked;
use crate::way::Learnt;

/// A registered device.
#[derive(Debug, Clone)]
pub(crate) struct DeviceEntry {
    pub(crate) device: Arc<Device>,
    pub(crate) secret: Secret,
    pub(crate) nickname: Option<String>,
    pub(crate) created_at: UnixMillis,
    /// Kept when the entry is replaced, as long as it is the same device.
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

/// A product and its devices.
#[derive(Debug)]
struct ProductEntry {
    product: Arc<Product>,
    devices: HashMap<DeviceName, Registered>,
}

/// A device's entry, and what calls learn of the way to it.
#[derive(Debug)]
struct Registered {
    entry: Arc<DeviceEntry>,
    way: Arc<Learnt>,
}

/// An entry before and after a change.
#[derive(Debug)]
pub(crate) struct Swap<T> {
    pub(crate) before: Option<Arc<T>>,
    pub(crate) after: Option<Arc<T>>,
}

#[derive(Debug, Default)]
struct Maps {
    products: HashMap<ProductKey, ProductEntry>,
    iot_ids: HashMap<IotId, DeviceKey>,
    keys: HashMap<String, Arc<AccessKey>>,
}

/// The memory of one store.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    maps: RwLock<Maps>,
    /// Devices whose presence is to be written.
    pub(crate) marked: Arc<Marked>,
}

impl Memory {
    /// The device and its product.
    pub(crate) fn find(&self, target: &DeviceRef) -> Option<Found> {
        let maps = self.read();
        let (product, registered) = maps.device(maps.key_of(target)?)?;
        let (device, way) = (registered.entry.device.clone(), registered.way.clone());
        Some(Found { device, product: product.clone(), way: Some(way) })
    }

    /// The device's entry.
    pub(crate) fn device(&self, target: &DeviceRef) -> Option<Arc<DeviceEntry>> {
        let maps = self.read();
        maps.device(maps.key_of(target)?).map(|(_, registered)| registered.entry.clone())
    }

    /// The device's entry, by its name.
    pub(crate) fn device_by_key(&self, key: &DeviceKey) -> Option<Arc<DeviceEntry>> {
        self.read().device(key).map(|(_, registered)| registered.entry.clone())
    }

    /// A product's devices by name, so many at most of those behind `after`; `None` if there is no such product.
    pub(crate) fn devices(
        &self,
        product: &ProductKey,
        after: Option<&DeviceName>,
        max: usize,
    ) -> Option<Vec<Arc<DeviceEntry>>> {
        let maps = self.read();
        let devices = maps.products.get(product)?.devices.iter();
        let mut devices: Vec<_> = devices.filter(|(name, _)| Some(*name) > after).map(|(_, one)| &one.entry).collect();
        devices.sort_unstable_by(|a, b| a.device.key.name.cmp(&b.device.key.name));
        Some(devices.into_iter().take(max).cloned().collect())
    }

    /// How many devices a product has; `None` if there is no such product.
    pub(crate) fn count_devices(&self, product: &ProductKey) -> Option<usize> {
        self.read().products.get(product).map(|product| product.devices.len())
    }

    /// Every device, in no order.
    pub(crate) fn all_devices(&self) -> Vec<Arc<DeviceEntry>> {
        self.read().products.values().flat_map(|entry| entry.devices.values().map(|one| one.entry.clone())).collect()
    }

    /// A clock that ran ahead and was set back leaves times that are still to come: nobody was seen later than now.
    pub(crate) fn none_in_the_future(&self, now: UnixMillis) {
        for entry in self.all_devices() {
            self.marked.none_in_the_future(&entry.device.iot_id, &entry.live, now);
        }
    }

    /// The product.
    pub(crate) fn product(&self, key: &ProductKey) -> Option<Arc<Product>> {
        self.read().products.get(key).map(|entry| entry.product.clone())
    }

    /// Every product, by key.
    pub(crate) fn products(&self) -> Vec<Arc<Product>> {
        let mut products: Vec<_> = self.read().products.values().map(|entry| entry.product.clone()).collect();
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

    /// How many products, devices and keys there are.
    pub(crate) fn counts(&self) -> (usize, usize, usize) {
        let maps = self.read();
        (maps.products.len(), maps.iot_ids.len(), maps.keys.len())
    }

    /// Puts a product in, or its new settings and model.
    pub(crate) fn put_product(&self, product: Product) {
        let product = Arc::new(product);
        let mut maps = self.write();
        match maps.products.get_mut(&product.key) {
            Some(entry) => entry.product = product,
            None => {
                maps.products.insert(product.key.clone(), ProductEntry { product, devices: HashMap::new() });
            }
        }
    }

    /// Replaces a device's entry; `None` takes it out. A device whose product is unknown is left out.
    pub(crate) fn put_device(&self, key: &DeviceKey, new: Option<DeviceEntry>) -> Swap<DeviceEntry> {
        let mut maps = self.write();
        let Maps { products, iot_ids, .. } = &mut *maps;
        let Some(product) = products.get_mut(&key.product) else {
            return Swap { before: None, after: None };
        };
        let before = product.devices.remove(&key.name).map(|registered| registered.entry);
        if let Some(before) = &before {
            iot_ids.remove(&before.device.iot_id);
        }
        let after = new.map(|new| Arc::new(new.continuing(before.as_deref())));
        if let Some(after) = &after {
            iot_ids.insert(after.device.iot_id.clone(), key.clone());
            let way = Learnt::new(after.device.iot_id.clone(), after.live.clone(), self.marked.clone());
            product.devices.insert(key.name.clone(), Registered { entry: after.clone(), way: Arc::new(way) });
        }
        Swap { before, after }
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
        self.maps.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Maps> {
        self.maps.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Maps {
    fn key_of<'a>(&'a self, target: &'a DeviceRef) -> Option<&'a DeviceKey> {
        match target {
            DeviceRef::Key(key) => Some(key),
            DeviceRef::IotId(id) => self.iot_ids.get(id),
        }
    }

    fn device(&self, key: &DeviceKey) -> Option<(&Arc<Product>, &Registered)> {
        let entry = self.products.get(&key.product)?;
        Some((&entry.product, entry.devices.get(&key.name)?))
    }
}

impl DeviceEntry {
    /// The same device keeps what is known of its connection.
    fn continuing(mut self, before: Option<&Self>) -> Self {
        if let Some(before) = before.filter(|before| before.device.iot_id == self.device.iot_id) {
            self.live = before.live.clone();
        }
        self
    }
}
