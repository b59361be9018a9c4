//! Products and devices, as people and the API change them.
//!
//! **Invariant:** every change is one transaction that also writes its row in `changes`, and memory takes it over before
//! the write lock is let go.

use std::collections::BTreeSet;
use std::str::FromStr;
use std::sync::Arc;

use async_trait::async_trait;
use thingcall_core::{
    Device, DeviceKey, DeviceName, DeviceRef, InvalidId, LastValue, LastValues, LifeCycle, LookUp, LookUpFailed,
    MessageKind, Past, PastWanted, ProductKey, TransportName, UnixMillis,
};
use thingcall_tsl::{
    DeviceCounts, DevicePage, DeviceRecord, Directory, DirectoryError, Found, Members, NewDevice, NewProduct, Product,
    ProductChange, ProductEdit, ProductSettings, Registry, ThingModel,
};

use crate::change::Subject;
use crate::count::DeviceCount;
use crate::database::{DeviceChange, DeviceRow, ProductRow, Registered, Tx};
use crate::failure::{Failure, Stop};
use crate::memory::DeviceEntry;
use crate::random::{self, NoRandomness};
use crate::shared::WriteSide;
use crate::sizes::wide;
use crate::tally::Exact;
use crate::tells::Own;
use crate::{Store, changes};

impl Registry for Store {
    fn find(&self, target: &DeviceRef) -> LookUp<'_, Found> {
        self.shared().devices.look_up(target, |known| {
            let device = known.entry.device.clone();
            let product = self.shared().memory.product(&device.key.product)?;
            Some(Found { device, product, way: Some(known) })
        })
    }

    fn product(&self, key: &ProductKey) -> Option<Arc<Product>> {
        self.shared().memory.product(key)
    }

    fn members<'a>(&'a self, product: &'a ProductKey, after: Option<&'a DeviceName>, max: usize) -> Members<'a> {
        Box::pin(self.read_members(product, after, max))
    }

    fn answered_late(&self, device: &DeviceKey) {
        if let Some(known) = self.shared().devices.peek(device) {
            known.entry.live.answered();
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
        let notes = serde_json::to_string(&new.notes).map_err(failed)?;
        let mut side = self.shared().write.lock().await;
        let (name, created_at) = (&*new.name, UnixMillis::now());
        let row = ProductRow { key: &key, name, notes: &notes, settings: &settings, created_at };
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

    async fn edit_product(&self, key: &ProductKey, edit: &mut ProductEdit<'_>) -> Result<(), DirectoryError> {
        let mut side = self.shared().write.lock().await;
        let edited = self.edit(&mut side, key, edit).await;
        self.shared().ended(&mut side, edited)
    }

    async fn set_model(&self, key: &ProductKey, model: ThingModel) -> Result<(), DirectoryError> {
        let mut side = self.shared().write.lock().await;
        let set = self.replace_model(&mut side, key, &model).await;
        self.shared().ended(&mut side, set)
    }

    async fn change_product(&self, key: &ProductKey, change: ProductChange) -> Result<(), DirectoryError> {
        let mut side = self.shared().write.lock().await;
        let changed = self.update_product(&mut side, key, change).await;
        self.shared().ended(&mut side, changed)
    }

    async fn remove_product(&self, key: &ProductKey) -> Result<(), DirectoryError> {
        let mut side = self.shared().write.lock().await;
        let removed = self.delete_product(&mut side, key).await;
        self.shared().ended(&mut side, removed)
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
        let found = self.shared().devices.look_up(target, |known| Some(known.entry.record())).await;
        found.map_err(unread)?.ok_or_else(|| DirectoryError::NoDevice(target.clone()))
    }

    async fn devices(
        &self,
        product: &ProductKey,
        after: Option<&DeviceName>,
        max: usize,
    ) -> Result<Vec<DeviceRecord>, DirectoryError> {
        self.must_have(product)?;
        let page = self.shared().reads.devices(product, after, max).await.map_err(|failure| unreadable(&failure))?;
        page.iter().for_each(|entry| self.shared().devices.add_heard(entry));
        Ok(page.iter().map(DeviceEntry::record).collect())
    }

    async fn count_devices(&self, product: &ProductKey) -> Result<u64, DirectoryError> {
        self.must_have(product)?;
        let counts = self.counted(std::slice::from_ref(product), Exact::Number).await?;
        Ok(counts.iter().map(DeviceCounts::all).sum())
    }

    async fn count_each(&self, products: &[ProductKey]) -> Result<Vec<u64>, DirectoryError> {
        Ok(self.counted(products, Exact::Number).await?.iter().map(DeviceCounts::all).collect())
    }

    async fn device_counts(&self, product: Option<&ProductKey>) -> Result<DeviceCounts, DirectoryError> {
        let products = match product {
            Some(product) => {
                self.must_have(product)?;
                vec![product.clone()]
            }
            None => self.products().iter().map(|product| product.key.clone()).collect(),
        };
        Ok(self.counted(&products, Exact::Statuses).await?.into_iter().sum())
    }

    async fn page(&self, product: &ProductKey, page: &DevicePage) -> Result<Vec<DeviceRecord>, DirectoryError> {
        self.must_have(product)?;
        let found = self.shared().reads.page(product, page).await.map_err(|failure| unreadable(&failure))?;
        found.iter().for_each(|entry| self.shared().devices.add_heard(entry));
        Ok(found.iter().map(DeviceEntry::record).collect())
    }

    async fn last_values(&self, device: &DeviceKey) -> Result<Vec<LastValue>, DirectoryError> {
        LastValues::of(self, device).await.map_err(|problem| DirectoryError::Store(problem.to_string()))
    }

    async fn past(&self, device: &DeviceKey, wanted: &PastWanted) -> Result<Vec<Past>, DirectoryError> {
        self.past_of(device, wanted).await.map_err(|problem| DirectoryError::Store(problem.to_string()))
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
    pub(crate) fn must_have(&self, product: &ProductKey) -> Result<(), DirectoryError> {
        match self.product(product) {
            Some(_) => Ok(()),
            None => Err(DirectoryError::NoProduct(product.clone())),
        }
    }

    async fn counted(&self, products: &[ProductKey], exact: Exact) -> Result<Vec<DeviceCounts>, DirectoryError> {
        let all = self.shared().tally.of(&*self.shared().reads, products, exact).await;
        all.map_err(|failure| unreadable(&failure))
    }

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
        let told = match change {
            DeviceChange::Enabled(enabled) => self.of_enabling(device, enabled).await?,
            DeviceChange::Transport(_) => None,
        };
        let mut tx = side.conn.begin().await?;
        if !tx.change_device(device, change).await? {
            return Err(Stop::Refused(no_device(device)));
        }
        let newest = self.shared().append_own(&mut *tx, told.as_slice()).await?;
        let subject = match change {
            DeviceChange::Enabled(false) => Subject::Disabled(device.clone()),
            DeviceChange::Enabled(true) | DeviceChange::Transport(_) => Subject::Device(device.clone()),
        };
        changes::commit(tx, subject).await?;
        self.shared().appended_own(told.as_slice(), newest);
        changes::follow(self.shared(), side).await
    }

    /// That a device may connect from now on, or not, if that is new and anybody wants to know.
    async fn of_enabling(&self, device: &DeviceKey, enabled: bool) -> Result<Option<Own>, Failure> {
        if self.shared().tells(&device.product, MessageKind::LifeCycle).is_none() {
            return Ok(None);
        }
        let did = if enabled { LifeCycle::Enable } else { LifeCycle::Disable };
        let entry = self.shared().reads.device(device).await?;
        Ok(entry.filter(|entry| entry.device.enabled != enabled).and_then(|entry| {
            let device = Device { enabled, ..(*entry.device).clone() };
            self.shared().of_life_cycle(&device, did, UnixMillis::now())
        }))
    }

    async fn insert_product(&self, side: &mut WriteSide, new: ProductRow<'_>) -> Result<(), Stop<DirectoryError>> {
        room(wide(self.shared().memory.counts().0), 1, self.shared().config.products_max.get(), "products")?;
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

    async fn delete_device(&self, side: &mut WriteSide, device: &DeviceKey) -> Result<(), Stop<DirectoryError>> {
        let mut tx = side.conn.begin().await?;
        let gone = tx.delete_device(device).await?.ok_or_else(|| Stop::Refused(no_device(device)))?;
        let now = UnixMillis::now();
        let ended = tx.end_all(std::slice::from_ref(&gone), now).await?;
        let mut told = self.shared().of_ended(ended).await?;
        told.extend(self.shared().of_life_cycle(&gone, LifeCycle::Delete, now));
        let newest = self.shared().append_own(&mut *tx, &told).await?;
        let committed = changes::commit(tx, Subject::Removed(device.clone())).await;
        committed.inspect_err(|_| side.devices.lost())?;
        self.shared().appended_own(&told, newest);
        side.devices.removed();
        changes::follow(self.shared(), side).await
    }

    /// Registers devices, all or none, in the time one of them takes. The records are in their order.
    ///
    /// # Errors
    /// `NoProduct`, `Exists` (which it says), `Full` at the limit, `Store` when nothing was written.
    pub async fn register_all(&self, new: Vec<NewDevice>) -> Result<Vec<DeviceRecord>, DirectoryError> {
        let mut side = self.shared().write.lock().await;
        let made = self.insert_devices(&mut side, &new).await;
        self.shared().ended(&mut side, made)
    }

    async fn insert_devices(
        &self,
        side: &mut WriteSide,
        new: &[NewDevice],
    ) -> Result<Vec<DeviceRecord>, Stop<DirectoryError>> {
        room(side.devices.get(), new.len(), self.shared().config.devices_max.get(), "devices")?;
        let new: Vec<_> = new.iter().map(device_row).collect::<Result<_, _>>().map_err(Stop::Refused)?;
        let mut tx = side.conn.begin().await?;
        match tx.insert_devices(&new).await? {
            Registered::All => {}
            Registered::Taken(key) => return Err(Stop::Refused(DirectoryError::Exists(format!("device {key}")))),
            Registered::NoProduct(key) => return Err(Stop::Refused(DirectoryError::NoProduct(key))),
        }
        if !new.is_empty() {
            self.commit_devices(tx, &mut side.devices, &new).await?;
            changes::follow(self.shared(), side).await?;
        }
        Ok(new.into_iter().map(DeviceRow::into_record).collect())
    }
}

impl Store {
    /// Ends a transaction in which these were registered, and tells of them.
    pub(crate) async fn commit_devices(
        &self,
        mut tx: Box<dyn Tx + '_>,
        count: &mut DeviceCount,
        new: &[DeviceRow],
    ) -> Result<(), Failure> {
        let told: Vec<_> = new.iter().filter_map(|row| self.of_registration(row)).collect();
        let newest = self.shared().append_own(&mut *tx, &told).await?;
        let products: BTreeSet<_> = new.iter().map(|row| row.key.product.clone()).collect();
        let added: Vec<_> = products.into_iter().map(|product| Subject::Added(Some(product))).collect();
        let committed = changes::commit_all(tx, &added).await;
        committed.inspect_err(|_| count.lost())?;
        self.shared().appended_own(&told, newest);
        count.registered(wide(new.len()));
        Ok(())
    }

    /// That a device was registered, if anybody wants to know.
    fn of_registration(&self, row: &DeviceRow) -> Option<Own> {
        self.shared().tells(&row.key.product, MessageKind::LifeCycle)?;
        let DeviceRow { key, iot_id, transport, created_at, .. } = row;
        let device = Device { key: key.clone(), iot_id: iot_id.clone(), enabled: true, transport: *transport };
        self.shared().of_life_cycle(&device, LifeCycle::Create, *created_at)
    }
}

/// What is not given is made up.
pub(crate) fn device_row(new: &NewDevice) -> Result<DeviceRow, DirectoryError> {
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

/// Whether so many more may be.
pub(crate) fn room(there_are: u64, more: usize, max: usize, of: &str) -> Result<(), Stop<DirectoryError>> {
    if there_are.saturating_add(wide(more)) <= wide(max) {
        return Ok(());
    }
    Err(Stop::Refused(DirectoryError::Full(format!("there are {there_are} {of} and {max} are allowed"))))
}

fn no_device(key: &DeviceKey) -> DirectoryError {
    DirectoryError::NoDevice(DeviceRef::Key(key.clone()))
}

/// The directory cannot say whether there is such a device.
fn unread(LookUpFailed(why): LookUpFailed) -> DirectoryError {
    DirectoryError::Unwritable(format!("the device could not be looked up: {why}"))
}

pub(crate) fn unreadable(failure: &Failure) -> DirectoryError {
    DirectoryError::Unwritable(format!("{}; nothing could be read", failure.trouble()))
}

fn failed(problem: impl std::error::Error) -> DirectoryError {
    DirectoryError::Store(problem.to_string())
}
