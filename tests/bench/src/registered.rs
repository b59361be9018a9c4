//! What is registered for a measurement: one product with a model of its own, and devices that answer at once.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use anyhow::Context;
use serde_json::Value;
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

/// A device, as who calls it names it.
#[derive(Debug, Clone)]
pub(crate) struct Called {
    pub(crate) product: Arc<str>,
    pub(crate) name: String,
}

/// That many devices of the product.
pub(crate) fn names(count: u32) -> Vec<Called> {
    let product: Arc<str> = PRODUCT.into();
    (1..=count).map(|number| Called { product: product.clone(), name: format!("sim-{number:04}") }).collect()
}

/// That many devices; those that are missing are registered. `ext` is whether they connect with it.
///
/// # Errors
/// Why one could not be.
pub(crate) async fn devices(store: &Store, count: u32, ext: bool) -> anyhow::Result<Vec<Device>> {
    let product = product(store).await?;
    let (mut records, mut missing) = (Vec::new(), Vec::new());
    for Called { name, .. } in names(count) {
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

/// How much is registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    /// In all products together.
    pub(crate) devices: u32,
    pub(crate) products: u32,
    /// In the model of each.
    pub(crate) services: u32,
}

/// The size of which one part grows at a time.
impl Default for Size {
    fn default() -> Self {
        Self { devices: 100, products: 1, services: 1 }
    }
}

/// In one transaction.
const REGISTERED_AT_ONCE: usize = 10_000;

/// Registers so much in an empty store; the devices, product by product.
///
/// # Errors
/// Why it could not be.
pub(crate) async fn fill(store: &Store, size: Size) -> anyhow::Result<Vec<Called>> {
    let module = module_of(size.services)?;
    let mut products = Vec::new();
    for number in 1..=size.products {
        let key = format!("a1Bench{number:04}");
        create(store, &key.as_str().try_into()?, &module).await?;
        products.push(Arc::<str>::from(key));
    }
    let of = |number: u32| products.get((number % size.products.max(1)) as usize).cloned().unwrap_or_default();
    let all: Vec<_> =
        (0..size.devices).map(|number| Called { product: of(number), name: format!("dev-{number:06}") }).collect();
    for part in all.chunks(REGISTERED_AT_ONCE) {
        let new = |Called { product, name }: &Called| -> anyhow::Result<NewDevice> {
            let (product, name) = (product.as_ref().try_into()?, Some(name.as_str().try_into()?));
            Ok(NewDevice { product, name, secret: None, nickname: None, transport: None })
        };
        store.register_all(part.iter().map(new).collect::<anyhow::Result<_>>()?).await?;
    }
    Ok(all)
}

/// The module with so many services; the last one is the one that is called.
fn module_of(services: u32) -> anyhow::Result<String> {
    let mut module: Value = serde_json::from_str(MODULE)?;
    let all = module.get_mut("services").and_then(Value::as_array_mut).context("services")?;
    let called = all.first().context("a service")?.to_string();
    let other = |number: u32| serde_json::from_str(&called.replace("testService", &format!("another{number:03}")));
    let others = (1..services).map(other).collect::<Result<Vec<Value>, _>>()?;
    *all = others.into_iter().chain([serde_json::from_str(&called)?]).collect();
    Ok(module.to_string())
}

async fn product(store: &Store) -> anyhow::Result<ProductKey> {
    let key: ProductKey = PRODUCT.try_into()?;
    create(store, &key, MODULE).await?;
    Ok(key)
}

/// Creates a product, if it is not there, and gives it a model.
async fn create(store: &Store, key: &ProductKey, module: &str) -> anyhow::Result<()> {
    if store.product(key).is_none() {
        let new = NewProduct {
            key: Some(key.clone()),
            name: key.to_string(),
            notes: ProductNotes::default(),
            settings: ProductSettings::default(),
        };
        store.create_product(new).await?;
    }
    store.set_model(key, ThingModel::parse(MODEL, &[module])?).await?;
    Ok(())
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
