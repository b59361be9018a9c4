//! What is registered, to read and to change. The seam to the store that actions and the command line use.

use std::sync::Arc;

use async_trait::async_trait;
use thingcall_core::{
    DeviceKey, DeviceName, DeviceRef, LastValue, Past, PastWanted, ProductKey, Secret, TransportName,
};

use crate::{
    Batches, DeviceCounts, DevicePage, DeviceRecord, DirectoryError, ModelVersions, Product, ProductNotes,
    ProductSettings, Registry, Tags, ThingModel,
};

/// What CreateProduct makes.
#[derive(Debug, Clone)]
pub struct NewProduct {
    /// Its key; a free one is made up if `None`.
    pub key: Option<ProductKey>,
    /// For people.
    pub name: String,
    /// For people, too.
    pub notes: ProductNotes,
    /// How its calls are treated.
    pub settings: ProductSettings,
}

/// What UpdateProduct changes; `None`: it stays as it is.
#[derive(Debug, Clone, Default)]
pub struct ProductChange {
    /// Its name.
    pub name: Option<String>,
    /// What is said of it.
    pub notes: Option<ProductNotes>,
}

/// What a product is to be.
#[derive(Debug)]
pub enum Edited {
    /// Its model, in place of the one it had.
    Model(ThingModel),
    /// How its calls are treated.
    Settings(ProductSettings),
}

/// What a product is to be, told from what it is; `None`: it stays so. Called once, while nobody else changes the product.
pub type ProductEdit<'a> = dyn FnMut(&Product) -> Option<Edited> + Send + 'a;

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

/// Reads and changes what is registered. A change is seen by [`Registry`] when the function returns.
#[async_trait]
pub trait Directory: Registry + Batches + ModelVersions + Tags {
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

    /// Changes a product's model or its settings from what they are: nobody's change is lost, whoever else makes one at the
    /// same time, in this process or another.
    ///
    /// # Errors
    /// `NoProduct`, or `Store` when nothing was written.
    async fn edit_product(&self, key: &ProductKey, edit: &mut ProductEdit<'_>) -> Result<(), DirectoryError>;

    /// Sets a product's model; replaces the one it had.
    ///
    /// # Errors
    /// `NoProduct`, or `Store` when nothing was written.
    async fn set_model(&self, key: &ProductKey, model: ThingModel) -> Result<(), DirectoryError>;

    /// Changes what people are told of a product.
    ///
    /// # Errors
    /// `NoProduct`, or `Store` when nothing was written.
    async fn change_product(&self, key: &ProductKey, change: ProductChange) -> Result<(), DirectoryError>;

    /// Forgets a product that has no devices, its model and its subscription.
    ///
    /// # Errors
    /// `NoProduct`, `HasDevices`, or `Store` when nothing was written.
    async fn remove_product(&self, key: &ProductKey) -> Result<(), DirectoryError>;

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

    /// How many each of these products has; 0 of one that does not exist.
    ///
    /// # Errors
    /// `Store`.
    async fn count_each(&self, products: &[ProductKey]) -> Result<Vec<u64>, DirectoryError>;

    /// How many of a product's devices there are of each status, or of all devices.
    ///
    /// # Errors
    /// `NoProduct`, or `Store`.
    async fn device_counts(&self, product: Option<&ProductKey>) -> Result<DeviceCounts, DirectoryError>;

    /// A page of a product's devices, the newest first.
    ///
    /// # Errors
    /// `NoProduct`, or `Store`.
    async fn page(&self, product: &ProductKey, page: &DevicePage) -> Result<Vec<DeviceRecord>, DirectoryError>;

    /// The last value of each property that a device reported, by name, where anybody keeps them.
    ///
    /// # Errors
    /// `Store`.
    async fn last_values(&self, device: &DeviceKey) -> Result<Vec<LastValue>, DirectoryError> {
        let _ = device;
        Ok(Vec::new())
    }

    /// What is wanted of a device's past, as far as any is kept.
    ///
    /// # Errors
    /// `Store`.
    async fn past(&self, device: &DeviceKey, wanted: &PastWanted) -> Result<Vec<Past>, DirectoryError> {
        let _ = (device, wanted);
        Ok(Vec::new())
    }

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
