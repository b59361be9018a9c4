//! What is registered: products with their settings and models, and devices. The seams to the store.

use std::sync::Arc;

use async_trait::async_trait;
use thingcall_core::{
    Device, DeviceKey, DeviceName, DeviceRef, ProductKey, Secret, SyncTopic, TransportName, UnixMillis,
};

use crate::{Silence, ThingModel};

/// A product: its settings and its thing model.
#[derive(Debug, Clone)]
pub struct Product {
    /// Names it.
    pub key: ProductKey,
    /// For people.
    pub name: String,
    /// How its calls are treated.
    pub settings: ProductSettings,
    /// What its devices can do; `None` until a model is set.
    pub model: Option<Arc<ThingModel>>,
    /// When it was created.
    pub created_at: UnixMillis,
    /// Whether its devices answer.
    pub silence: Arc<Silence>,
}

/// How the calls of a product are treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "snake_case")]
pub struct ProductSettings {
    /// Whether calls are checked against the model.
    pub validation: Validation,
    /// How exact arguments must be where they are checked.
    pub args_check: ArgsCheck,
    /// What the devices speak.
    pub data_format: DataFormat,
    /// How the answers of devices that speak their own bytes find their calls.
    pub raw_answers: RawAnswers,
    /// What happens to a reply that does not fit the model.
    pub reply_check: ReplyCheck,
    /// Where its devices take synchronous calls, for transports that cannot learn it from the device.
    pub sync_topic: Option<SyncTopic>,
    /// The transport that serves its devices, where none is set for the device itself.
    pub transport: Option<TransportName>,
}

impl ProductSettings {
    /// Whether its devices' answers do not say what they answer.
    pub fn answers_in_order(&self) -> bool {
        self.data_format == DataFormat::Custom && self.raw_answers == RawAnswers::InOrder
    }
}

/// CreateProduct's `ValidateType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Validation {
    /// Arguments must fit the model (`ValidateType` 1, Alibaba's "weak").
    #[default]
    Model,
    /// Verification-free (`ValidateType` 2): nothing is checked and every call is asynchronous.
    Free,
}

/// How exact arguments must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArgsCheck {
    /// What is given must be in the model and fit its type; inputs may be left out. Single quotes, bare keys and whole
    /// numbers written with a decimal point are mended before the device sees them.
    #[default]
    Weak,
    /// Every input must be there, unless the model says `"required": false`, and nothing is mended.
    Strict,
}

/// CreateProduct's `DataFormat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataFormat {
    /// Alink JSON (`DataFormat` 1).
    #[default]
    Alink,
    /// The device's own bytes (`DataFormat` 0), translated by a plugin.
    Custom,
}

/// How an answer in a device's own bytes finds its call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RawAnswers {
    /// By the id in the bytes, or in the topic.
    #[default]
    ById,
    /// An answer without an id is for the oldest asynchronous call of its device, and there is one at a time.
    InOrder,
}

/// What happens to a reply that does not fit the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyCheck {
    /// Replies are not checked.
    Off,
    /// It is counted and logged, and the caller gets it.
    #[default]
    Warn,
    /// The call fails with `invalid_reply`.
    Reject,
}

/// A device and its product.
#[derive(Debug, Clone)]
pub struct Found {
    /// The device.
    pub device: Arc<Device>,
    /// Its product.
    pub product: Arc<Product>,
}

/// Finds what a call names. Answers from memory: it stands on the path of every call.
pub trait Registry: Send + Sync {
    /// The device and its product.
    fn find(&self, target: &DeviceRef) -> Option<Found>;

    /// The product.
    fn product(&self, key: &ProductKey) -> Option<Arc<Product>>;

    /// What is known of the way to a device. Nothing, unless a registry keeps it.
    fn route(&self, _: &DeviceKey) -> Route {
        Route::default()
    }

    /// The device answered a synchronous call: on this topic, or too late to say. What is new is kept, where a registry
    /// keeps anything; says whether the topic is new.
    fn answered(&self, _: &DeviceKey, _: Option<SyncTopic>) -> bool {
        false
    }

    /// It did not answer a synchronous call that was made when [`Route::unanswered`] was `before`. Of several that were
    /// made then, one counts.
    fn unanswered(&self, _: &DeviceKey, _before: u8) {}
}

/// What is known of the way to a device, beside what was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Route {
    /// The transport through which it last connected, logged in or sent something.
    pub last: Option<TransportName>,
    /// Where it takes synchronous calls, as its last login or its last answer said.
    pub sync_topic: Option<SyncTopic>,
    /// How many synchronous calls in a row it did not answer, where its topic is not its product's to say; begins anew
    /// after 255, and with the program.
    pub unanswered: u8,
}

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

    /// The devices of a product, by name.
    ///
    /// # Errors
    /// `NoProduct`, or `Store`.
    async fn devices(&self, product: &ProductKey) -> Result<Vec<DeviceRecord>, DirectoryError>;

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
