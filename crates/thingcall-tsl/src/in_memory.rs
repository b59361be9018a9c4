//! Products and devices in memory alone: for a program that embeds the engine and keeps them elsewhere.

use std::collections::HashMap;
use std::future::ready;
use std::sync::{Arc, PoisonError, RwLock};

use thingcall_core::{Device, DeviceKey, DeviceName, DeviceRef, IotId, LookUp, ProductKey};

use crate::{Found, Members, Product, Registry, Route};

/// A [`Registry`] that is what was put into it. Nothing of it outlives the program, and nothing bounds it but who fills it.
#[derive(Debug, Default)]
pub struct InMemoryRegistry(RwLock<Entries>);

#[derive(Debug, Default)]
struct Entries {
    products: HashMap<ProductKey, Arc<Product>>,
    devices: HashMap<DeviceKey, Arc<Device>>,
    keys: HashMap<IotId, DeviceKey>,
}

impl InMemoryRegistry {
    /// Puts a product in, in place of one with its key.
    pub fn put_product(&self, product: Product) {
        let mut entries = self.0.write().unwrap_or_else(PoisonError::into_inner);
        entries.products.insert(product.key.clone(), Arc::new(product));
    }

    /// Puts a device in, in place of one with its name. It is found once its product is there too.
    pub fn put_device(&self, device: Device) {
        let mut entries = self.0.write().unwrap_or_else(PoisonError::into_inner);
        entries.remove(&device.key);
        entries.keys.insert(device.iot_id.clone(), device.key.clone());
        entries.devices.insert(device.key.clone(), Arc::new(device));
    }

    /// Takes a device out.
    pub fn remove_device(&self, device: &DeviceKey) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(device);
    }
}

impl Entries {
    fn remove(&mut self, device: &DeviceKey) {
        if let Some(device) = self.devices.remove(device) {
            self.keys.remove(&device.iot_id);
        }
    }

    fn find(&self, target: &DeviceRef) -> Option<Found> {
        let key = match target {
            DeviceRef::Key(key) => key,
            DeviceRef::IotId(id) => self.keys.get(id)?,
        };
        let device = self.devices.get(key)?.clone();
        let product = self.products.get(&key.product)?.clone();
        Some(Found { device, product, way: None })
    }
}

impl Registry for InMemoryRegistry {
    fn find(&self, target: &DeviceRef) -> LookUp<'_, Found> {
        LookUp::known(self.0.read().unwrap_or_else(PoisonError::into_inner).find(target))
    }

    fn product(&self, key: &ProductKey) -> Option<Arc<Product>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).products.get(key).cloned()
    }

    fn members<'a>(&'a self, product: &'a ProductKey, after: Option<&'a DeviceName>, max: usize) -> Members<'a> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let is_its = |device: &&Arc<Device>| device.key.product == *product;
        let mut its: Vec<_> = all.devices.values().filter(is_its).cloned().collect();
        its.sort_unstable_by(|a, b| a.key.name.cmp(&b.key.name));
        let behind = its.into_iter().filter(|device| after.is_none_or(|after| device.key.name > *after));
        let page: Vec<_> = behind.take(max).map(|device| (device, Route::default())).collect();
        Box::pin(ready(Ok(page)))
    }
}

#[cfg(test)]
mod tests;
