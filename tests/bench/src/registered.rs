//! What is registered for a measurement: one product with a model of its own, and devices that answer at once.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use anyhow::Context;
use tempfile::TempDir;
use thingcall_core::{DeviceKey, DeviceRef, GroupId, ProductKey, Subscription, Subscriptions as _, Topic};
use thingcall_store::Store;
use thingcall_tsl::{
    Directory, DirectoryError, NewDevice, NewProduct, ProductNotes, ProductSettings, Registry, ThingModel,
};

use crate::device::Device;

/// The service that is called; it sends its parameter back, so that every answer can be checked.
pub(crate) const IDENTIFIER: &str = "testFb:testService";
/// The same, called asynchronously.
pub(crate) const IDENTIFIER_ASYNC: &str = "testFb:testServiceAsync";
pub(crate) const PRODUCT: &str = "a1BenchLamp";
const MODEL: &str = include_str!("../../../crates/thingcall/models/lamp.json");
const MODULE: &str = include_str!("../model.json");

/// A folder that only this user may use, whatever the umask says.
///
/// # Errors
/// If it cannot be made.
pub(crate) fn scratch() -> anyhow::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("thingcall-bench-").permissions(Permissions::from_mode(0o700)).tempdir().context("no scratch folder")
}

/// The names of that many devices.
pub(crate) fn names(count: u32) -> Vec<String> {
    (1..=count).map(|number| format!("sim-{number:04}")).collect()
}

/// That many devices; those that are missing are registered. `ext` is whether they connect with it.
///
/// # Errors
/// Why one could not be.
pub(crate) async fn devices(store: &Store, count: u32, ext: bool) -> anyhow::Result<Vec<Device>> {
    let product = product(store).await?;
    let (mut records, mut missing) = (Vec::new(), Vec::new());
    for name in names(count) {
        let key = DeviceKey { product: product.clone(), name: name.as_str().try_into()? };
        match store.device(&DeviceRef::Key(key.clone())).await {
            Err(DirectoryError::NoDevice(_)) => {
                let (product, name) = (key.product, Some(key.name));
                missing.push(NewDevice { product, name, secret: None, nickname: None, transport: None });
            }
            found => records.push(found?),
        }
    }
    records.extend(store.register_all(missing).await?);
    let device =
        |record: thingcall_tsl::DeviceRecord| Device { key: record.device.key.clone(), secret: record.secret, ext };
    Ok(records.into_iter().map(device).collect())
}

async fn product(store: &Store) -> anyhow::Result<ProductKey> {
    let key: ProductKey = PRODUCT.try_into()?;
    if store.product(&key).is_none() {
        let new = NewProduct {
            key: Some(key.clone()),
            name: "bench".to_owned(),
            notes: ProductNotes::default(),
            settings: ProductSettings::default(),
        };
        store.create_product(new).await?;
    }
    store.set_model(&key, ThingModel::parse(MODEL, &[MODULE])?).await?;
    Ok(key)
}

/// The default group reads what devices report.
///
/// # Errors
/// If it cannot.
pub(crate) async fn subscribe(store: &Store) -> anyhow::Result<()> {
    let (product, groups) = (ProductKey::try_from(PRODUCT)?, vec![GroupId::default_group()]);
    store.subscribe(Subscription { product, topics: vec![Topic::DeviceData], groups }).await?;
    Ok(())
}
