//! Batches and tags in memory, for tests.

use std::collections::BTreeMap;

use async_trait::async_trait;
use thingcall_core::{DeviceKey, ProductKey};
use thingcall_tsl::{
    Applied, Batch, BatchId, BatchState, Batches, DeviceRecord, Directory, DirectoryError, ModelVersion, ModelVersions,
    NewDevice, Registry, Tags, ThingModel,
};

use super::directory::{CREATED, MemoryDirectory};

/// Batches and tags beside the devices.
#[derive(Default)]
pub(super) struct Beside {
    batches: Vec<(Batch, Vec<Applied>)>,
    tags: BTreeMap<DeviceKey, BTreeMap<String, String>>,
    /// Each model that was set: what it is called, and its files.
    pub(super) versions: Vec<(ProductKey, ModelVersion, Vec<String>)>,
}

impl MemoryDirectory {
    fn put_batch(&self, product: &ProductKey, state: BatchState, devices: Vec<Applied>) -> BatchId {
        let mut beside = self.beside.lock().unwrap();
        let id = BatchId::try_from(beside.batches.len()).unwrap() + 1;
        let created = if state == BatchState::Created { devices.len() as u64 } else { 0 };
        beside.batches.push((Batch { id, product: product.clone(), state, created, created_at: CREATED }, devices));
        id
    }

    fn batch_of(&self, id: BatchId) -> Result<(Batch, Vec<Applied>), DirectoryError> {
        let beside = self.beside.lock().unwrap();
        beside.batches.iter().find(|(batch, _)| batch.id == id).cloned().ok_or(DirectoryError::NoBatch(id))
    }
}

#[async_trait]
impl Batches for MemoryDirectory {
    async fn apply(&self, product: &ProductKey, mut devices: Vec<Applied>) -> Result<BatchId, DirectoryError> {
        if self.product(product).is_none() {
            return Err(DirectoryError::NoProduct(product.clone()));
        }
        let mut state = BatchState::Checked;
        for device in &mut devices {
            let key = DeviceKey { product: product.clone(), name: device.name.clone() };
            if self.devices.lock().unwrap().contains_key(&key) {
                (state, device.problem) = (BatchState::Refused, Some("taken".to_owned()));
            }
        }
        Ok(self.put_batch(product, state, devices))
    }

    async fn register_some(&self, product: &ProductKey, count: usize) -> Result<BatchId, DirectoryError> {
        let new = NewDevice { product: product.clone(), name: None, secret: None, nickname: None, transport: None };
        let mut devices = Vec::new();
        for _ in 0..count {
            let name = self.register(new.clone()).await?.device.key.name;
            devices.push(Applied { name, nickname: None, problem: None });
        }
        Ok(self.put_batch(product, BatchState::Created, devices))
    }

    async fn register_batch(&self, product: &ProductKey, id: BatchId) -> Result<(), DirectoryError> {
        let (batch, devices) = self.batch_of(id)?;
        match batch.state {
            _ if batch.product != *product => return Err(DirectoryError::NoBatch(id)),
            BatchState::Created | BatchState::Failed => return Ok(()),
            BatchState::Refused => return Err(DirectoryError::BatchRefused(id)),
            BatchState::Checked => {}
        }
        for Applied { name, nickname, .. } in &devices {
            let (product, name, nickname) = (product.clone(), Some(name.clone()), nickname.clone());
            self.register(NewDevice { product, name, secret: None, nickname, transport: None }).await?;
        }
        let mut beside = self.beside.lock().unwrap();
        let (batch, _) = beside.batches.iter_mut().find(|(batch, _)| batch.id == id).unwrap();
        (batch.state, batch.created) = (BatchState::Created, devices.len() as u64);
        Ok(())
    }

    async fn batch(&self, id: BatchId) -> Result<(Batch, Vec<Applied>), DirectoryError> {
        self.batch_of(id)
    }

    async fn batch_page(
        &self,
        batch: &Batch,
        skipped: u64,
        max: usize,
    ) -> Result<(Vec<DeviceRecord>, u64), DirectoryError> {
        let (_, devices) = self.batch_of(batch.id)?;
        let all = self.devices.lock().unwrap();
        let key = |device: &Applied| DeviceKey { product: batch.product.clone(), name: device.name.clone() };
        let found = devices.iter().filter(|_| batch.created > 0).filter_map(|device| all.get(&key(device)));
        let found: Vec<_> = found.cloned().collect();
        let left = u64::try_from(found.len()).unwrap();
        Ok((found.into_iter().skip(usize::try_from(skipped).unwrap()).take(max).collect(), left))
    }
}

#[async_trait]
impl Tags for MemoryDirectory {
    async fn tags(&self, device: &DeviceKey) -> Result<BTreeMap<String, String>, DirectoryError> {
        Ok(self.beside.lock().unwrap().tags.get(device).cloned().unwrap_or_default())
    }

    async fn save_tags(&self, device: &DeviceKey, tags: &BTreeMap<String, String>) -> Result<(), DirectoryError> {
        self.beside.lock().unwrap().tags.entry(device.clone()).or_default().extend(tags.clone());
        Ok(())
    }

    async fn remove_tag(&self, device: &DeviceKey, name: &str) -> Result<(), DirectoryError> {
        if let Some(tags) = self.beside.lock().unwrap().tags.get_mut(device) {
            tags.remove(name);
        }
        Ok(())
    }
}

#[async_trait]
impl ModelVersions for MemoryDirectory {
    async fn model_versions(&self, product: &ProductKey) -> Result<Vec<ModelVersion>, DirectoryError> {
        let beside = self.beside.lock().unwrap();
        let of = beside.versions.iter().rev().filter(|(key, _, _)| key == product);
        Ok(of.map(|(_, version, _)| version.clone()).collect())
    }

    async fn model_of(&self, product: &ProductKey, number: &str) -> Result<Option<ThingModel>, DirectoryError> {
        let beside = self.beside.lock().unwrap();
        let found = beside.versions.iter().find(|(key, version, _)| key == product && version.number == number);
        Ok(found.map(|(_, _, texts)| {
            let modules: Vec<_> = texts[1..].iter().map(String::as_str).collect();
            ThingModel::parse_stored(&texts[0], &modules).unwrap()
        }))
    }

    async fn publish_model(
        &self,
        product: &ProductKey,
        number: Option<&str>,
        description: Option<&str>,
    ) -> Result<(), DirectoryError> {
        let mut beside = self.beside.lock().unwrap();
        let newest = beside.versions.iter_mut().rev().find(|(key, _, _)| key == product);
        let (_, newest, _) = newest.ok_or_else(|| DirectoryError::NoModel(product.clone()))?;
        if newest.published_at.is_some() {
            return Err(DirectoryError::Published(newest.number.clone()));
        }
        newest.published_at = Some(newest.created_at);
        newest.number = number.map_or_else(|| newest.number.clone(), str::to_owned);
        newest.description = description.map(str::to_owned).or_else(|| newest.description.clone());
        Ok(())
    }
}
