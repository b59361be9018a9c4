//! Products and devices in memory, for tests.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use thingcall_core::{
    Device, DeviceKey, DeviceName, DeviceRef, IotId, LastValue, LookUp, Past, PastWanted, ProductKey, Secret,
    TransportName, UnixMillis,
};
use thingcall_tsl::{
    DeviceCounts, DevicePage, DeviceRecord, DeviceStatus, Directory, DirectoryError, Edited, Found, ModelVersion,
    NewDevice, NewProduct, PageStart, Product, ProductChange, ProductEdit, ProductNotes, ProductSettings, Registry,
    ThingModel,
};

use super::beside::Beside;

/// Holds what is registered.
#[derive(Default)]
pub(super) struct MemoryDirectory {
    products: Mutex<BTreeMap<ProductKey, Arc<Product>>>,
    pub(super) devices: Mutex<BTreeMap<DeviceKey, DeviceRecord>>,
    pub(super) beside: Mutex<Beside>,
    /// What every device reported.
    pub(super) last: Mutex<Vec<LastValue>>,
    /// And before.
    pub(super) past: Mutex<Vec<Past>>,
}

/// When everything here was created.
pub(super) const CREATED: UnixMillis = UnixMillis(1_700_000_000_000);

impl MemoryDirectory {
    /// The product and the devices that the captures name.
    pub(super) fn with_lights() -> Self {
        let directory = Self::default();
        let product = ProductKey::try_from("a1BwAGVxxxx").unwrap();
        let (notes, settings) = (ProductNotes::default(), ProductSettings::default());
        directory.insert(NewProduct { key: None, name: "lights".to_owned(), notes, settings }, product.clone());
        for (name, id) in [("light1", "Q7uOhVRdZRRlDnTLv00100"), ("light2", "Q7uOhVRdZRRlDnTLv00200")] {
            let key = DeviceKey { product: product.clone(), name: name.try_into().unwrap() };
            directory.add(key, IotId::try_from(id).unwrap(), None);
        }
        directory
    }

    fn insert(&self, new: NewProduct, key: ProductKey) -> Arc<Product> {
        let NewProduct { key: _, name, notes, settings } = new;
        let product = Arc::new(Product {
            key: key.clone(),
            name,
            notes,
            settings,
            model: None,
            created_at: CREATED,
            silence: Arc::default(),
        });
        self.products.lock().unwrap().insert(key, product.clone());
        product
    }

    fn add(&self, key: DeviceKey, iot_id: IotId, nickname: Option<String>) -> DeviceRecord {
        let record = DeviceRecord {
            device: Device { key: key.clone(), iot_id, enabled: true, transport: None },
            secret: Secret::new("devicesecret"),
            nickname,
            created_at: CREATED,
            activated_at: None,
            online: false,
            last_seen_at: None,
            online_at: None,
            address: None,
            came_from: None,
            sync_topic: None,
        };
        self.devices.lock().unwrap().insert(key, record.clone());
        record
    }

    fn record(&self, target: &DeviceRef) -> Option<DeviceRecord> {
        let devices = self.devices.lock().unwrap();
        let is = |record: &&DeviceRecord| match target {
            DeviceRef::Key(key) => record.device.key == *key,
            DeviceRef::IotId(id) => record.device.iot_id == *id,
        };
        devices.values().find(is).cloned()
    }
}

impl Registry for MemoryDirectory {
    fn find(&self, target: &DeviceRef) -> LookUp<'_, Found> {
        LookUp::known(self.record(target).and_then(|record| {
            let product = self.product(&record.device.key.product)?;
            Some(Found { device: Arc::new(record.device), product, way: None })
        }))
    }

    fn product(&self, key: &ProductKey) -> Option<Arc<Product>> {
        self.products.lock().unwrap().get(key).cloned()
    }
}

#[async_trait]
impl Directory for MemoryDirectory {
    async fn create_product(&self, new: NewProduct) -> Result<Arc<Product>, DirectoryError> {
        let count = self.products.lock().unwrap().len();
        let key = new.key.clone().unwrap_or_else(|| ProductKey::try_from(&*format!("product{count}")).unwrap());
        Ok(self.insert(new, key))
    }

    async fn change_settings(&self, _: &ProductKey, _: ProductSettings) -> Result<(), DirectoryError> {
        Err(DirectoryError::Store("not here".to_owned()))
    }

    async fn edit_product(&self, key: &ProductKey, edit: &mut ProductEdit<'_>) -> Result<(), DirectoryError> {
        let product = self.product(key).ok_or_else(|| DirectoryError::NoProduct(key.clone()))?;
        match edit(&product) {
            Some(Edited::Model(model)) => self.set_model(key, model).await,
            Some(Edited::Settings(_)) => Err(DirectoryError::Store("not here".to_owned())),
            None => Ok(()),
        }
    }

    async fn set_model(&self, key: &ProductKey, model: ThingModel) -> Result<(), DirectoryError> {
        let mut products = self.products.lock().unwrap();
        let product = products.get_mut(key).ok_or_else(|| DirectoryError::NoProduct(key.clone()))?;
        let mut beside = self.beside.lock().unwrap();
        let number = format!("{}", 1_700_000_000_000 + beside.versions.len());
        let version = ModelVersion { number, description: None, created_at: CREATED, published_at: None };
        let texts = std::iter::once(model.main_text()).chain(model.module_texts().map(|(_, text)| text));
        beside.versions.push((key.clone(), version, texts.map(str::to_owned).collect()));
        *product = Arc::new(Product { model: Some(Arc::new(model)), ..(**product).clone() });
        Ok(())
    }

    fn products(&self) -> Vec<Arc<Product>> {
        self.products.lock().unwrap().values().cloned().collect()
    }

    async fn register(&self, new: NewDevice) -> Result<DeviceRecord, DirectoryError> {
        if self.product(&new.product).is_none() {
            return Err(DirectoryError::NoProduct(new.product));
        }
        let count = self.devices.lock().unwrap().len();
        let name = new.name.unwrap_or_else(|| format!("device{count}").as_str().try_into().unwrap());
        let key = DeviceKey { product: new.product, name };
        if self.devices.lock().unwrap().contains_key(&key) {
            return Err(DirectoryError::Exists(format!("device {key}")));
        }
        Ok(self.add(key, IotId::try_from(&*format!("iot{count}")).unwrap(), new.nickname))
    }

    async fn device(&self, target: &DeviceRef) -> Result<DeviceRecord, DirectoryError> {
        self.record(target).ok_or_else(|| DirectoryError::NoDevice(target.clone()))
    }

    async fn devices(
        &self,
        product: &ProductKey,
        after: Option<&DeviceName>,
        max: usize,
    ) -> Result<Vec<DeviceRecord>, DirectoryError> {
        let devices = self.devices.lock().unwrap();
        let of = devices.values().filter(|record| record.device.key.product == *product);
        Ok(of.filter(|record| Some(&record.device.key.name) > after).take(max).cloned().collect())
    }

    async fn count_devices(&self, product: &ProductKey) -> Result<u64, DirectoryError> {
        let devices = self.devices.lock().unwrap();
        Ok(devices.keys().filter(|key| key.product == *product).count() as u64)
    }

    async fn change_product(&self, key: &ProductKey, change: ProductChange) -> Result<(), DirectoryError> {
        let mut products = self.products.lock().unwrap();
        let product = products.get_mut(key).ok_or_else(|| DirectoryError::NoProduct(key.clone()))?;
        let name = change.name.unwrap_or_else(|| product.name.clone());
        let notes = change.notes.unwrap_or_else(|| product.notes.clone());
        *product = Arc::new(Product { name, notes, ..(**product).clone() });
        Ok(())
    }

    async fn remove_product(&self, key: &ProductKey) -> Result<(), DirectoryError> {
        match self.count_devices(key).await? {
            0 => {
                let removed = self.products.lock().unwrap().remove(key);
                removed.map(drop).ok_or_else(|| DirectoryError::NoProduct(key.clone()))
            }
            devices => Err(DirectoryError::HasDevices { product: key.clone(), devices }),
        }
    }

    async fn count_each(&self, products: &[ProductKey]) -> Result<Vec<u64>, DirectoryError> {
        let devices = self.devices.lock().unwrap();
        let of = |product: &ProductKey| devices.keys().filter(|key| key.product == *product).count() as u64;
        Ok(products.iter().map(of).collect())
    }

    async fn device_counts(&self, product: Option<&ProductKey>) -> Result<DeviceCounts, DirectoryError> {
        if let Some(unknown) = product.filter(|key| self.product(key).is_none()) {
            return Err(DirectoryError::NoProduct(unknown.clone()));
        }
        let mut counts = DeviceCounts::default();
        let devices = self.devices.lock().unwrap();
        let of = |record: &&DeviceRecord| product.is_none_or(|product| record.device.key.product == *product);
        for record in devices.values().filter(of) {
            counts.activated += u64::from(record.activated_at.is_some());
            let count = match record.status() {
                DeviceStatus::Unactive => &mut counts.unactive,
                DeviceStatus::Online => &mut counts.online,
                DeviceStatus::Offline => &mut counts.offline,
                DeviceStatus::Disabled => &mut counts.disabled,
            };
            *count += 1;
        }
        Ok(counts)
    }

    /// All were created at once, so the last names come first.
    async fn page(&self, product: &ProductKey, page: &DevicePage) -> Result<Vec<DeviceRecord>, DirectoryError> {
        if self.product(product).is_none() {
            return Err(DirectoryError::NoProduct(product.clone()));
        }
        let devices = self.devices.lock().unwrap();
        let of = devices.values().rev().filter(|record| record.device.key.product == *product);
        let of = of.filter(|record| page.status.is_none_or(|status| record.status() == status));
        let (skipped, behind) = match &page.start {
            PageStart::Skip(skipped) => (usize::try_from(*skipped).unwrap(), None),
            PageStart::Behind(mark) => (0, Some(&mark.name)),
        };
        let of = of.filter(|record| behind.is_none_or(|name| record.device.key.name < *name));
        Ok(of.skip(skipped).take(page.max).cloned().collect())
    }

    async fn last_values(&self, _: &DeviceKey) -> Result<Vec<LastValue>, DirectoryError> {
        Ok(self.last.lock().unwrap().clone())
    }

    async fn past(&self, _: &DeviceKey, wanted: &PastWanted) -> Result<Vec<Past>, DirectoryError> {
        let past = self.past.lock().unwrap();
        Ok(wanted.put_in_order(past.iter().filter(|past| wanted.wants(past)).cloned().collect()))
    }

    async fn set_enabled(&self, device: &DeviceKey, enabled: bool) -> Result<(), DirectoryError> {
        let mut devices = self.devices.lock().unwrap();
        let missing = || DirectoryError::NoDevice(DeviceRef::Key(device.clone()));
        devices.get_mut(device).ok_or_else(missing)?.device.enabled = enabled;
        Ok(())
    }

    async fn set_transport(&self, _: &DeviceKey, _: Option<TransportName>) -> Result<(), DirectoryError> {
        Err(DirectoryError::Store("not here".to_owned()))
    }

    async fn remove(&self, device: &DeviceKey) -> Result<(), DirectoryError> {
        let removed = self.devices.lock().unwrap().remove(device);
        removed.map(|_| ()).ok_or_else(|| DirectoryError::NoDevice(DeviceRef::Key(device.clone())))
    }
}
