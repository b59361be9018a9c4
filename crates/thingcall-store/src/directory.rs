//! Products and devices, as people and the API change them.
//!
//! **Invariant:** every change is one transaction that also writes its row in `changes`, and memory takes it over before
//! the write lock is let go.

use std::str::FromStr;
use std::sync::Arc;

use async_trait::async_trait;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Sqlite, SqliteConnection};
use thingcall_core::{DeviceKey, DeviceRef, InvalidId, IotId, ProductKey, SyncTopic, TransportName, UnixMillis};
use thingcall_tsl::{
    DeviceRecord, Directory, DirectoryError, Found, NewDevice, NewProduct, Product, ProductSettings, Registry, Route,
    ThingModel,
};

use crate::changes::{self, Subject};
use crate::random::{self, NoRandomness};
use crate::shared::WriteSide;
use crate::trouble::Stop;
use crate::{Store, calls, rows};

impl Registry for Store {
    fn find(&self, target: &DeviceRef) -> Option<Found> {
        self.shared().memory.find(target)
    }

    fn product(&self, key: &ProductKey) -> Option<Arc<Product>> {
        self.shared().memory.product(key)
    }

    fn route(&self, device: &DeviceKey) -> Route {
        self.shared().memory.device_by_key(device).map(|entry| entry.route()).unwrap_or_default()
    }

    fn answered(&self, device: &DeviceKey, topic: Option<SyncTopic>) -> bool {
        self.device_answered(device, topic)
    }

    fn unanswered(&self, device: &DeviceKey, before: u8) {
        self.device_missed(device, before);
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
        let made = self.insert_product(&mut side, &key, &new.name, settings).await;
        self.shared().ended(&mut side, made)?;
        self.product(&key).ok_or(DirectoryError::NoProduct(key))
    }

    async fn change_settings(&self, key: &ProductKey, settings: ProductSettings) -> Result<(), DirectoryError> {
        let settings = serde_json::to_string(&settings).map_err(failed)?;
        let update = sqlx::query("UPDATE products SET settings = ? WHERE key = ?").bind(settings).bind(key.as_str());
        let missing = DirectoryError::NoProduct(key.clone());
        self.change_one(update, missing, Subject::Product(key)).await
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

    async fn devices(&self, product: &ProductKey) -> Result<Vec<DeviceRecord>, DirectoryError> {
        let devices = self.shared().memory.devices(product);
        let devices = devices.ok_or_else(|| DirectoryError::NoProduct(product.clone()))?;
        Ok(devices.iter().map(|entry| entry.record()).collect())
    }

    async fn set_enabled(&self, device: &DeviceKey, enabled: bool) -> Result<(), DirectoryError> {
        let update = sqlx::query("UPDATE devices SET enabled = ? WHERE product = ? AND name = ?").bind(enabled);
        self.change_device(device, update).await
    }

    async fn set_transport(&self, device: &DeviceKey, transport: Option<TransportName>) -> Result<(), DirectoryError> {
        let update = sqlx::query("UPDATE devices SET transport = ? WHERE product = ? AND name = ?")
            .bind(transport.map(TransportName::as_str));
        self.change_device(device, update).await
    }

    async fn remove(&self, device: &DeviceKey) -> Result<(), DirectoryError> {
        let mut side = self.shared().write.lock().await;
        let removed = self.delete_device(&mut side, device).await;
        self.shared().ended(&mut side, removed)
    }
}

impl Store {
    /// Runs an update that ends in `WHERE product = ? AND name = ?`.
    async fn change_device(
        &self,
        device: &DeviceKey,
        update: Query<'_, Sqlite, SqliteArguments>,
    ) -> Result<(), DirectoryError> {
        let update = update.bind(device.product.as_str()).bind(device.name.as_str());
        self.change_one(update, no_device(device), Subject::Device(device)).await
    }

    /// Runs an update that must hit one row.
    async fn change_one(
        &self,
        update: Query<'_, Sqlite, SqliteArguments>,
        missing: DirectoryError,
        subject: Subject<'_>,
    ) -> Result<(), DirectoryError> {
        let mut side = self.shared().write.lock().await;
        let changed = self.update(&mut side, update, missing, subject).await;
        self.shared().ended(&mut side, changed)
    }

    async fn update(
        &self,
        side: &mut WriteSide,
        update: Query<'_, Sqlite, SqliteArguments>,
        missing: DirectoryError,
        subject: Subject<'_>,
    ) -> Result<(), Stop<DirectoryError>> {
        let mut tx = side.conn.begin().await?;
        if update.execute(&mut *tx).await?.rows_affected() == 0 {
            return Err(Stop::Refused(missing));
        }
        changes::commit(tx, subject).await?;
        changes::follow(self.shared(), side).await
    }

    async fn insert_product(
        &self,
        side: &mut WriteSide,
        key: &ProductKey,
        name: &str,
        settings: String,
    ) -> Result<(), Stop<DirectoryError>> {
        room(self.shared().memory.counts().0, 1, self.shared().config.products_max.get(), "products")?;
        let mut tx = side.conn.begin().await?;
        sqlx::query("INSERT INTO products (key, name, settings, created_at) VALUES (?, ?, ?, ?)")
            .bind(key.as_str())
            .bind(name)
            .bind(settings)
            .bind(UnixMillis::now().0)
            .execute(&mut *tx)
            .await
            .map_err(|problem| taken(problem, &format!("product {key}")))?;
        changes::commit(tx, Subject::Product(key)).await?;
        changes::follow(self.shared(), side).await
    }

    async fn replace_model(
        &self,
        side: &mut WriteSide,
        key: &ProductKey,
        model: &ThingModel,
    ) -> Result<(), Stop<DirectoryError>> {
        let mut tx = side.conn.begin().await?;
        write_model(&mut tx, key, model).await?;
        changes::commit(tx, Subject::Product(key)).await?;
        changes::follow(self.shared(), side).await
    }

    async fn delete_device(&self, side: &mut WriteSide, device: &DeviceKey) -> Result<(), Stop<DirectoryError>> {
        let mut tx = side.conn.begin().await?;
        let entry = rows::device(&mut tx, device).await?.ok_or_else(|| Stop::Refused(no_device(device)))?;
        let delete = sqlx::query("DELETE FROM devices WHERE product = ? AND name = ?")
            .bind(device.product.as_str())
            .bind(device.name.as_str());
        delete.execute(&mut *tx).await?;
        calls::end_all(&mut tx, &entry.device, UnixMillis::now()).await?;
        changes::commit(tx, Subject::Device(device)).await?;
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
        let mut tx = side.conn.begin().await?;
        let mut keys = Vec::with_capacity(new.len());
        for new in new {
            let key = insert_device(&mut tx, new).await?;
            changes::record(&mut tx, Subject::Device(&key)).await?;
            keys.push(key);
        }
        tx.commit().await?;
        changes::follow(self.shared(), side).await?;
        Ok(keys)
    }
}

async fn write_model(
    conn: &mut SqliteConnection,
    key: &ProductKey,
    model: &ThingModel,
) -> Result<(), Stop<DirectoryError>> {
    let delete = sqlx::query("DELETE FROM models WHERE product = ?").bind(key.as_str());
    delete.execute(&mut *conn).await?;
    let texts = std::iter::once(model.main_text()).chain(model.module_texts().map(|(_, text)| text));
    for (position, text) in (0_i64..).zip(texts) {
        let insert = sqlx::query("INSERT INTO models (product, position, text) VALUES (?, ?, ?)")
            .bind(key.as_str())
            .bind(position)
            .bind(text);
        insert.execute(&mut *conn).await.map_err(|problem| unknown_product(problem, key))?;
    }
    Ok(())
}

async fn insert_device(conn: &mut SqliteConnection, new: &NewDevice) -> Result<DeviceKey, Stop<DirectoryError>> {
    let name = match &new.name {
        Some(name) => name.clone(),
        None => made_up(random::device_name()).map_err(Stop::Refused)?,
    };
    let key = DeviceKey { product: new.product.clone(), name };
    let iot_id: IotId = made_up(random::iot_id()).map_err(Stop::Refused)?;
    let secret = match &new.secret {
        Some(secret) => secret.expose().to_owned(),
        None => random::device_secret().map_err(|problem| Stop::Refused(failed(problem)))?,
    };
    let insert = sqlx::query(
        "INSERT INTO devices (product, name, iot_id, secret, enabled, nickname, transport, created_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(key.product.as_str())
    .bind(key.name.as_str())
    .bind(iot_id.as_str())
    .bind(secret)
    .bind(true)
    .bind(&new.nickname)
    .bind(new.transport.map(TransportName::as_str))
    .bind(UnixMillis::now().0);
    match insert.execute(conn).await {
        Ok(_) => Ok(key),
        Err(problem) if is_foreign_key(&problem) => Err(unknown_product(problem, &key.product)),
        Err(problem) => Err(taken(problem, &format!("device {key}"))),
    }
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

fn taken(problem: sqlx::Error, what: &str) -> Stop<DirectoryError> {
    let unique = problem.as_database_error().is_some_and(|error| error.is_unique_violation());
    if unique { Stop::Refused(DirectoryError::Exists(what.to_owned())) } else { Stop::Failed(problem) }
}

fn unknown_product(problem: sqlx::Error, key: &ProductKey) -> Stop<DirectoryError> {
    if is_foreign_key(&problem) { Stop::Refused(DirectoryError::NoProduct(key.clone())) } else { Stop::Failed(problem) }
}

fn is_foreign_key(problem: &sqlx::Error) -> bool {
    problem.as_database_error().is_some_and(|error| error.is_foreign_key_violation())
}

fn no_device(key: &DeviceKey) -> DirectoryError {
    DirectoryError::NoDevice(DeviceRef::Key(key.clone()))
}

fn failed(problem: impl std::error::Error) -> DirectoryError {
    DirectoryError::Store(problem.to_string())
}
