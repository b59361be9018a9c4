//! What is registered, to read and to change. The seam to the store that actions and the command line use.

use std::sync::Arc;

use async_trait::async_trait;
use thingcall_core::{
    Device, DeviceKey, DeviceName, DeviceRef, ProductKey, Secret, SyncTopic, TransportName, UnixMillis,
};

use crate::{Product, ProductSettings, Registry, ThingModel};

/// What CreateProduct makes.
#[derive(Debug, Clone)]
pub struct NewProduct {
    /// Its key; a free one is made up if `None`.
    pub key: Option<ProductKey>,
    /// For people.
    pub name: String,
    /// How its calls are treated.
    pub settings: ProductSettings,
}

/// What RegisterDevice makes.
#[derive(Debug, Clone)]
pub struct NewDevice {
    /// The product.
    pub product: ProductKey,
    /// Its name; a free one is made up if `None`.
    pub name: Option<DeviceName>,
    /// Its secret; a random one is made up if `None`.
    pub secret: Option<Secret>,
    /// For people.
    pub nickname: Option<String>,
    /// The transport that serves it; its product's if `None`.
    pub transport: Option<TransportName>,
}

/// Everything that is known of a device.
#[derive(Debug, Clone)]
pub struct DeviceRecord {
    /// Who it is.
    pub device: Device,
    /// What it proves itself with.
    pub secret: Secret,
    /// For people.
    pub nickname: Option<String>,
    /// When it was registered.
    pub created_at: UnixMillis,
    /// When it first connected.
    pub activated_at: Option<UnixMillis>,
    /// Whether it is connected now.
    pub online: bool,
    /// When it was last seen.
    pub last_seen_at: Option<UnixMillis>,
    /// Where it last connected from.
    pub address: Option<String>,
    /// The transport it last came from.
    pub came_from: Option<TransportName>,
    /// Where it takes synchronous calls, as its last login at an external broker or its last answer said.
    pub sync_topic: Option<SyncTopic>,
}

/// Reads and changes what is registered. A change is seen by [`Registry`] when the function returns.
#[async_trait]
pub trait Directory: Registry {
    /// Makes a product.
    ///
    /// # Errors
    /// `Exists` if the key is taken, `Full` at the limit, `Store` when nothing was written.
    async fn create_product(&self, new: NewProduct) -> Result<Arc<Product>, DirectoryError>;

    /// Changes how a product's calls are treated.
    ///
    /// # Errors
    /// `NoProduct`, or `Store` when nothing was written.
    async fn change_settings(&self, key: &ProductKey, settings: ProductSettings) -> Result<(), DirectoryError>;

    /// Sets a product's model; replaces the one it had.
    ///
    /// # Errors
    /// `NoProduct`, or `Store` when nothing was written.
    async fn set_model(&self, key: &ProductKey, model: ThingModel) -> Result<(), DirectoryError>;

    /// Every product, by key.
    fn products(&self) -> Vec<Arc<Product>>;

    /// Registers a device.
    ///
    /// # Errors
    /// `NoProduct`, `Exists`, `Full` at the limit, `Store` when nothing was written.
    async fn register(&self, new: NewDevice) -> Result<DeviceRecord, DirectoryError>;

    /// All that is known of a device.
    ///
    /// # Errors
    /// `NoDevice`, or `Store`.
    async fn device(&self, target: &DeviceRef) -> Result<DeviceRecord, DirectoryError>;

    /// A page of a product's devices, by name: so many at most of those behind `after`, or of all.
    ///
    /// # Errors
    /// `NoProduct`, or `Store`.
    async fn devices(
        &self,
        product: &ProductKey,
        after: Option<&DeviceName>,
        max: usize,
    ) -> Result<Vec<DeviceRecord>, DirectoryError>;

    /// How many devices a product has.
    ///
    /// # Errors
    /// `NoProduct`, or `Store`.
    async fn count_devices(&self, product: &ProductKey) -> Result<u64, DirectoryError>;

    /// Lets a device connect, or not.
    ///
    /// # Errors
    /// `NoDevice`, or `Store` when nothing was written.
    async fn set_enabled(&self, device: &DeviceKey, enabled: bool) -> Result<(), DirectoryError>;

    /// Sets the transport that serves a device; `None` leaves it to its product again.
    ///
    /// # Errors
    /// `NoDevice`, or `Store` when nothing was written.
    async fn set_transport(&self, device: &DeviceKey, transport: Option<TransportName>) -> Result<(), DirectoryError>;

    /// Forgets a device and what waits for it.
    ///
    /// # Errors
    /// `NoDevice`, or `Store` when nothing was written.
    async fn remove(&self, device: &DeviceKey) -> Result<(), DirectoryError>;
}

/// Why the directory refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryError {
    /// No such product.
    #[error("product {0} does not exist")]
    NoProduct(ProductKey),
    /// No such device.
    #[error("device {0} does not exist")]
    NoDevice(DeviceRef),
    /// The name is taken.
    #[error("{0} exists already")]
    Exists(String),
    /// A limit is reached; says which.
    #[error("{0}")]
    Full(String),
    /// The store cannot be written or read. The text is for callers too, and says whether the change was made.
    #[error("{0}")]
    Unwritable(String),
    /// The store failed; the text is for logs.
    #[error("store: {0}")]
    Store(String),
}
