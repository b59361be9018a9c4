//! What a call finds: a product with its model, its device, and the way to it. The seam to the store that a call uses.

use std::fmt;
use std::future::ready;
use std::pin::Pin;
use std::sync::Arc;

use thingcall_core::{
    Device, DeviceKey, DeviceName, DeviceRef, LookUp, LookUpFailed, ProductKey, SyncTopic, TransportName, UnixMillis,
};

use crate::{ProductNotes, ProductSettings, Silence, ThingModel};

/// A product: its settings and its thing model.
#[derive(Debug, Clone)]
pub struct Product {
    /// Names it.
    pub key: ProductKey,
    /// For people.
    pub name: String,
    /// For people, too.
    pub notes: ProductNotes,
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
    /// The way to it, where a registry keeps anything of that.
    pub way: Option<Arc<dyn Way>>,
}

/// A page of devices, to come.
pub type Members<'a> = Pin<Box<dyn Future<Output = Result<Vec<(Arc<Device>, Route)>, LookUpFailed>> + Send + 'a>>;

/// Finds what a call names. It stands on the path of every call: products are in memory, and so are the devices that are
/// called, as a rule.
pub trait Registry: Send + Sync {
    /// The device and its product.
    fn find(&self, target: &DeviceRef) -> LookUp<'_, Found>;

    /// The product.
    fn product(&self, key: &ProductKey) -> Option<Arc<Product>>;

    /// A page of a product's devices, by name: so many at most of those behind `after`, or of all, and what is known of the way
    /// to each. A registry that lists none has none.
    fn members<'a>(&'a self, product: &'a ProductKey, after: Option<&'a DeviceName>, max: usize) -> Members<'a> {
        let _ = (product, after, max);
        Box::pin(ready(Ok(Vec::new())))
    }

    /// The device answered a synchronous call, too late to say on which topic. Nothing is looked up for that: it changes
    /// what memory has of the device.
    fn answered_late(&self, _: &DeviceKey) {}
}

/// What is learnt of the way to a device. Answers from memory, also where the device is not there any more.
pub trait Way: fmt::Debug + Send + Sync {
    /// What is known.
    fn route(&self) -> Route;

    /// The device answered a synchronous call on this topic. What is new is kept; says whether it is.
    fn answered(&self, topic: SyncTopic) -> bool;

    /// It did not answer a synchronous call that was made when [`Route::unanswered`] was `before`. Of several that were
    /// made then, one counts.
    fn unanswered(&self, before: u8);
}

/// What is known of the way to a device, beside what was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Route {
    /// The transport through which it last connected, logged in or sent something.
    pub last: Option<TransportName>,
    /// Where it takes synchronous calls, as its last login or its last answer said.
    pub sync_topic: Option<SyncTopic>,
    /// How many synchronous calls in a row it did not answer, where its topic is not its product's to say; begins anew
    /// after 255, and with what memory has of the device.
    pub unanswered: u8,
}
