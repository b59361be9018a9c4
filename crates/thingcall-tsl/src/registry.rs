//! What a call finds: a product with its model, its device, and the way to it. The seam to the store that a call uses.

use std::sync::Arc;

use thingcall_core::{Device, DeviceKey, DeviceRef, ProductKey, SyncTopic, TransportName, UnixMillis};

use crate::{ProductSettings, Silence, ThingModel};

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
