//! Products and devices, as people and the API change them.
//!
//! **Invariant:** every change is one transaction that also writes its row in `changes`, and memory takes it over before
//! the write lock is let go.

use std::str::FromStr;
use std::sync::Arc;

use async_trait::async_trait;
use thingcall_core::{DeviceKey, DeviceName, DeviceRef, InvalidId, LookUp, ProductKey, TransportName, UnixMillis};
use thingcall_tsl::{
    DeviceRecord, Directory, DirectoryError, Found, NewDevice, NewProduct, Product, ProductSettings, Registry,
    ThingModel,
};

use crate::change::Subject;
use crate::database::{DeviceChange, DeviceRow, ProductRow, Registered};
use crate::failure::Stop;
use crate::random::{self, NoRandomness};
use crate::shared::WriteSide;
use crate::sizes::wide;
use crate::{Store, changes};

impl Registry for Store {
    fn find(&self, target: &DeviceRef) -> LookUp<'_, Found> {
        LookUp::known(self.shared().memory.find(target))
    }

    fn product(&self, key: &ProductKey) -> Option<Arc<Product>> {
        self.shared().memory.product(key)
    }

    fn answered_late(&self, device: &DeviceKey) {
        if let Some(entry) = self.shared().memory.device_by_key(device) {
            entry.live.answered();
        }
    }
}

#[async_trait]
impl Directory for Store {
    async fn create_product(&self, new: NewProduct) -> Result<Arc<Product>, DirectoryError> {
        let key = match &new.key {
            Some(key) => key.clone(),
            None => made_up(random::product_key())?,
        };
        let settings = serde_json::to_string(&new.settings).map_err(failed)?;
        let mut side = self.shared().write.lock().await;
        let row = ProductRow { key: &key, name: &new.name, settings: &settings, created_at: UnixMillis::now() };
        let made = self.insert_product(&mut side, row).await;
        self.shared().ended(&mut side, made)?;
        self.product(&key).ok_or(DirectoryError::NoProduct(key))
    }

    async fn change_settings(&self, key: &ProductKey, settings: ProductSettings) -> Result<(), DirectoryError> {
        let settings = serde_json::to_string(&settings).map_err(failed)?;
        let mut side = self.shared().write.lock().await;
        let set = self.replace_settings(&mut side, key, &settings).await;
        self.shared().ended(&mut side, set)
    }

    async fn set_model(&self, key: &ProductKey, model: ThingModel) -> Result<(), DirectoryError> {
        let mut side = self.shared().write.lock().await;
        let set = self.replace_model(&mut side, key, &model).await;
        self.shared().ended(&mut side, set)
    }

    fn products(&self) -> Vec<Arc<Product>> {
        self.shared().memory.products()
    }

    async fn register(&self, new: NewDevice) -> Result<DeviceRecord, DirectoryError> {
        let product = new.product.clone();
        let mut made = self.register_all(vec![new]).await?;
        made.pop().ok_or(DirectoryError::NoProduct(product))
    }

    async fn device(&self, target: &DeviceRef) -> Result<DeviceRecord, DirectoryError> {
        let entry = self.shared().memory.device(target);
        entry.map(|entry| entry.record()).ok_or_else(|| DirectoryError::NoDevice(target.clone()))
    }

    async fn devices(
        &self,
        product: &ProductKey,
        after: Option<&DeviceName>,
        max: usize,
    ) -> Result<Vec<DeviceRecord>, DirectoryError> {
        let devices = self.shared().memory.devices(product, after, max);
        let devices = devices.ok_or_else(|| DirectoryError::NoProduct(product.clone()))?;
        Ok(devices.iter().map(|entry| entry.record()).collect())
    }

    async fn count_devices(&self, product: &ProductKey) -> Result<u64, DirectoryError> {
        let count = self.shared().memory.count_devices(product);
        count.map(wide).ok_or_else(|| DirectoryError::NoProduct(product.clone()))
    }

    async fn set_enabled(&self, device: &DeviceKey, enabled: bool) -> Result<(), DirectoryError> {
        self.change_device(device, DeviceChange::Enabled(enabled)).await
    }

    async fn set_transport(&self, device: &DeviceKey, transport: Option<TransportName>) -> Result<(), DirectoryError> {
        self.change_device(device, DeviceChange::Transport(transport)).await
    }

    async fn remove(&self, device: &DeviceKey) -> Result<(), DirectoryError> {
        let mut side = self.shared().write.lock().await;
        let removed = self.delete_device(&mut side, device).await;
        self.shared().ended(&mut side, removed)
    }
}

impl Store {
    async fn change_device(&self, device: &DeviceKey, change: DeviceChange) -> Result<(), DirectoryError> {
        let mut side = self.shared().write.lock().await;
        let changed = self.update_device(&mut side, device, change).await;
        self.shared().ended(&mut side, changed)
    }

    async fn update_device(
        &self,
        side: &mut WriteSide,
        device: &DeviceKey,
        change: DeviceChange,
    ) -> Result<(), Stop<DirectoryError>> {
        let mut tx = side.conn.begin().await?;
        if !tx.change_device(device, change).await? {
            return Err(Stop::Refused(no_device(device)));
        }
        changes::commit(tx, Subject::Device(device.clone())).await?;
        changes::follow(self.shared(), side).await
    }

    async fn insert_product(&self, side: &mut WriteSide, new: ProductRow<'_>) -> Result<(), Stop<DirectoryError>> {
        room(self.shared().memory.counts().0, 1, self.shared().config.products_max.get(), "products")?;
        let mut tx = side.conn.begin().await?;
        if !tx.insert_product(&new).await? {
            return Err(Stop::Refused(DirectoryError::Exists(format!("product {}", new.key))));
        }
        changes::commit(tx, Subject::Product(new.key.clone())).await?;
        changes::follow(self.shared(), side).await
    }

    async fn replace_settings(
        &self,
        side: &mut WriteSide,
        key: &ProductKey,
        settings: &str,
    ) -> Result<(), Stop<DirectoryError>> {
        let mut tx = side.conn.begin().await?;
        if !tx.set_settings(key, settings).await? {
            return Err(Stop::Refused(DirectoryError::NoProduct(key.clone())));
        }
        changes::commit(tx, Subject::Product(key.clone())).await?;
        changes::follow(self.shared(), side).await
    }

    async fn replace_model(
        &self,
        side: &mut WriteSide,
        key: &ProductKey,
        model: &ThingModel,
    ) -> Result<(), Stop<DirectoryError>> {
        let texts: Vec<_> =
            std::iter::once(model.main_text()).chain(model.module_texts().map(|(_, text)| text)).collect();
        let mut tx = side.conn.begin().await?;
        if !tx.set_model(key, &texts).await? {
            return Err(Stop::Refused(DirectoryError::NoProduct(key.clone())));
        }
        changes::commit(tx, Subject::Product(key.clone())).await?;
        changes::follow(self.shared(), side).await
    }

    async fn delete_device(&self, side: &mut WriteSide, device: &DeviceKey) -> Result<(), Stop<DirectoryError>> {
        let mut tx = side.conn.begin().await?;
        let gone = tx.delete_device(device).await?.ok_or_else(|| Stop::Refused(no_device(device)))?;
        tx.end_all(&[gone], UnixMillis::now()).await?;
        changes::commit(tx, Subject::Device(device.clone())).await?;
        changes::follow(self.shared(), side).await
    }

    /// Registers devices, all or none, in the time one of them takes. The records are in their order.
    ///
    /// # Errors
    /// `NoProduct`, `Exists` (which it says), `Full` at the limit, `Store` when nothing was written.
    pub async fn register_all(&self, new: Vec<NewDevice>) -> Result<Vec<DeviceRecord>, DirectoryError> {
        let mut side = self.shared().write.lock().await;
        let made = self.insert_devices(&mut side, &new).await;
        let keys = self.shared().ended(&mut side, made)?;
        let record =
            |key| self.shared().memory.device_by_key(key).map(|entry| entry.record()).ok_or_else(|| no_device(key));
        keys.iter().map(record).collect()
    }

    async fn insert_devices(
        &self,
        side: &mut WriteSide,
        new: &[NewDevice],
    ) -> Result<Vec<DeviceKey>, Stop<DirectoryError>> {
        room(self.shared().memory.counts().1, new.len(), self.shared().config.devices_max.get(), "devices")?;
        let new: Vec<_> = new.iter().map(device_row).collect::<Result<_, _>>().map_err(Stop::Refused)?;
        let mut tx = side.conn.begin().await?;
        match tx.insert_devices(&new).await? {
            Registered::All => {}
            Registered::Taken(key) => return Err(Stop::Refused(DirectoryError::Exists(format!("device {key}")))),
            Registered::NoProduct(key) => return Err(Stop::Refused(DirectoryError::NoProduct(key))),
        }
        let keys: Vec<_> = new.into_iter().map(|new| new.key).collect();
        tx.record_changes(&keys.iter().cloned().map(Subject::Device).collect::<Vec<_>>()).await?;
        tx.commit().await?;
        changes::follow(self.shared(), side).await?;
        Ok(keys)
    }
}

/// What is not given is made up.
fn device_row(new: &NewDevice) -> Result<DeviceRow, DirectoryError> {
    let name = match &new.name {
        Some(name) => name.clone(),
        None => made_up(random::device_name())?,
    };
    let secret = match &new.secret {
        Some(secret) => secret.expose().to_owned(),
        None => random::device_secret().map_err(failed)?,
    };
    Ok(DeviceRow {
        key: DeviceKey { product: new.product.clone(), name },
        iot_id: made_up(random::iot_id())?,
        secret,
        nickname: new.nickname.clone(),
        transport: new.transport,
        created_at: UnixMillis::now(),
    })
}

/// What the operating system's randomness gives always has the form it is for.
fn made_up<T: FromStr<Err = InvalidId>>(text: Result<String, NoRandomness>) -> Result<T, DirectoryError> {
    text.map_err(failed)?.parse().map_err(failed)
}

fn room(there_are: usize, more: usize, max: usize, of: &str) -> Result<(), Stop<DirectoryError>> {
    if there_are.saturating_add(more) <= max {
        return Ok(());
    }
    Err(Stop::Refused(DirectoryError::Full(format!("there are {there_are} {of} and {max} are allowed"))))
}

fn no_device(key: &DeviceKey) -> DirectoryError {
    DirectoryError::NoDevice(DeviceRef::Key(key.clone()))
}

fn failed(problem: impl std::error::Error) -> DirectoryError {
    DirectoryError::Store(problem.to_string())
}
