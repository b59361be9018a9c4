//! Batches of devices that are registered together.
//!
//! **Invariant:** a batch and its devices change in one transaction: who dies in the middle leaves both as they were.

use std::collections::HashSet;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use thingcall_core::{DeviceKey, ProductKey, UnixMillis};
use thingcall_tsl::{Applied, Batch, BatchId, BatchState, Batches, DeviceRecord, DirectoryError, NewDevice};

use crate::database::{DeviceRow, Registered, Tx};
use crate::directory::{device_row, room, unreadable};
use crate::failure::Stop;
use crate::memory::DeviceEntry;
use crate::registry_tables::{BatchLimits, NewBatch};
use crate::shared::WriteSide;
use crate::{Store, changes, random};

/// What is said of a device whose name is taken.
const TAKEN: &str = "there is a device of this name";

#[async_trait]
impl Batches for Store {
    async fn apply(&self, product: &ProductKey, devices: Vec<Applied>) -> Result<BatchId, DirectoryError> {
        self.must_have(product)?;
        let mut side = self.shared().write.lock().await;
        let applied = self.put_batch(&mut side, product, devices).await;
        self.shared().ended(&mut side, applied)
    }

    async fn register_some(&self, product: &ProductKey, count: usize) -> Result<BatchId, DirectoryError> {
        self.must_have(product)?;
        let mut side = self.shared().write.lock().await;
        let registered = self.make_up(&mut side, product, count).await;
        self.shared().ended(&mut side, registered)
    }

    async fn register_batch(&self, product: &ProductKey, id: BatchId) -> Result<(), DirectoryError> {
        let mut side = self.shared().write.lock().await;
        let registered = self.register_checked(&mut side, product, id).await;
        self.shared().ended(&mut side, registered)
    }

    async fn batch(&self, id: BatchId) -> Result<(Batch, Vec<Applied>), DirectoryError> {
        let reads = &self.shared().reads;
        let found = reads.batch(id).await.map_err(|failure| unreadable(&failure))?;
        let batch = found.ok_or(DirectoryError::NoBatch(id))?;
        let devices = reads.batch_devices(id).await.map_err(|failure| unreadable(&failure))?;
        Ok((batch, devices))
    }

    async fn batch_page(
        &self,
        batch: &Batch,
        skipped: u64,
        max: usize,
    ) -> Result<(Vec<DeviceRecord>, u64), DirectoryError> {
        if batch.created == 0 {
            return Ok((Vec::new(), 0));
        }
        let reads = &self.shared().reads;
        let left = reads.batch_left(batch).await.map_err(|failure| unreadable(&failure))?;
        let found = reads.batch_page(batch, skipped, max).await.map_err(|failure| unreadable(&failure))?;
        found.iter().for_each(|entry| self.shared().devices.add_heard(entry));
        Ok((found.iter().map(DeviceEntry::record).collect(), left))
    }
}

impl Store {
    async fn put_batch(
        &self,
        side: &mut WriteSide,
        product: &ProductKey,
        mut devices: Vec<Applied>,
    ) -> Result<BatchId, Stop<DirectoryError>> {
        let mut tx = side.conn.begin().await?;
        let names: Vec<_> = devices.iter().map(|device| device.name.clone()).collect();
        let taken: HashSet<_> = tx.taken_names(product, &names).await?.into_iter().collect();
        for device in devices.iter_mut().filter(|device| taken.contains(&device.name)) {
            device.problem = Some(TAKEN.to_owned());
        }
        let state = if taken.is_empty() { BatchState::Checked } else { BatchState::Refused };
        let id = self.insert_batch(&mut *tx, product, state, &devices).await?;
        tx.commit().await?;
        Ok(id)
    }

    async fn make_up(
        &self,
        side: &mut WriteSide,
        product: &ProductKey,
        count: usize,
    ) -> Result<BatchId, Stop<DirectoryError>> {
        room(side.devices.get(), count, self.shared().config.devices_max.get(), "devices")?;
        let unnamed = NewDevice { product: product.clone(), name: None, secret: None, nickname: None, transport: None };
        let rows = std::iter::repeat_with(|| device_row(&unnamed)).take(count).collect::<Result<Vec<_>, _>>();
        let rows = rows.map_err(Stop::Refused)?;
        let applied = |row: &DeviceRow| Applied { name: row.key.name.clone(), nickname: None, problem: None };
        let devices: Vec<_> = rows.iter().map(applied).collect();
        let mut tx = side.conn.begin().await?;
        inserted(tx.insert_devices(&rows).await?)?;
        let id = self.insert_batch(&mut *tx, product, BatchState::Created, &devices).await?;
        self.commit_devices(tx, &mut side.devices, &rows).await?;
        changes::follow(self.shared(), side).await?;
        Ok(id)
    }

    async fn register_checked(
        &self,
        side: &mut WriteSide,
        product: &ProductKey,
        id: BatchId,
    ) -> Result<(), Stop<DirectoryError>> {
        let there_are = side.devices.get();
        let mut tx = side.conn.begin().await?;
        let batch = tx.locked_batch(id).await?.filter(|batch| batch.product == *product);
        match batch.ok_or_else(|| Stop::Refused(DirectoryError::NoBatch(id)))?.state {
            BatchState::Created | BatchState::Failed => return Ok(()),
            BatchState::Refused => return Err(Stop::Refused(DirectoryError::BatchRefused(id))),
            BatchState::Checked => {}
        }
        let devices = tx.applied(id).await?;
        let names: Vec<_> = devices.iter().map(|device| device.name.clone()).collect();
        let taken = tx.taken_names(product, &names).await?;
        let free = devices.into_iter().filter(|device| !taken.contains(&device.name));
        let rows = free.map(|Applied { name, nickname, .. }| {
            device_row(&NewDevice {
                product: product.clone(),
                name: Some(name),
                secret: None,
                nickname,
                transport: None,
            })
        });
        let rows = rows.collect::<Result<Vec<_>, _>>().map_err(Stop::Refused)?;
        room(there_are, rows.len(), self.shared().config.devices_max.get(), "devices")?;
        inserted(tx.insert_devices(&rows).await?)?;
        let state = if taken.is_empty() { BatchState::Created } else { BatchState::Failed };
        tx.end_batch(id, state, rows.len(), (&*taken, TAKEN)).await?;
        self.commit_devices(tx, &mut side.devices, &rows).await?;
        changes::follow(self.shared(), side).await
    }

    /// The oldest ones go where there are too many.
    async fn insert_batch(
        &self,
        tx: &mut dyn Tx,
        product: &ProductKey,
        state: BatchState,
        devices: &[Applied],
    ) -> Result<BatchId, Stop<DirectoryError>> {
        let id = random::batch_id().map_err(|problem| Stop::Refused(DirectoryError::Store(problem.to_string())))?;
        let config = &self.shared().config;
        let now = UnixMillis::now();
        let keep = i64::try_from(config.batches_keep.as_millis()).unwrap_or(i64::MAX);
        let limits = BatchLimits {
            since: UnixMillis(now.0.saturating_sub(keep)),
            batches_max: config.batches_max.get(),
            devices_max: config.batch_devices_max.get(),
        };
        let new = NewBatch { id, product, state, created_at: now, devices };
        let there_are = tx.insert_batch(&new, &limits).await?;
        self.shared().sizes.batches.store(there_are, Ordering::Relaxed);
        Ok(id)
    }
}

fn inserted(registered: Registered) -> Result<(), Stop<DirectoryError>> {
    match registered {
        Registered::All => Ok(()),
        Registered::Taken(DeviceKey { product, name }) => {
            Err(Stop::Refused(DirectoryError::Exists(format!("device {product}/{name}"))))
        }
        Registered::NoProduct(key) => Err(Stop::Refused(DirectoryError::NoProduct(key))),
    }
}
