//! What may be changed in a store, for who listens, and as it is written down.

use thingcall_core::{DeviceKey, ProductKey, ReaderName};

/// What was changed, whichever process changed it. Memory has it already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A product was made, changed or removed.
    Product(ProductKey),
    /// Devices were registered.
    DevicesAdded,
    /// A device was changed; it may connect.
    DeviceChanged(DeviceKey),
    /// It may not be connected any more.
    DeviceDisabled(DeviceKey),
    /// It is forgotten, so it may not be connected any more.
    DeviceRemoved(DeviceKey),
    /// The access key with this id was made or changed.
    Key(String),
    /// What was changed is not known any more: whoever keeps anything of devices looks at all of it anew.
    Missed,
}

/// What a row of `changes` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Subject {
    Product(ProductKey),
    /// Devices of this product, which nobody could know before; `None`: of any.
    Added(Option<ProductKey>),
    Device(DeviceKey),
    Disabled(DeviceKey),
    Removed(DeviceKey),
    /// Of this device it was heard that it came, went or is reached another way; `None`: of many.
    Heard(Option<DeviceKey>),
    Key(String),
    /// Groups or subscriptions.
    Subscribed,
    /// What a reader of messages wants.
    Reader(ReaderName),
}

/// A row of `changes`.
#[derive(Debug)]
pub(crate) struct ChangeRow {
    pub(crate) seq: i64,
    /// `None`: of a kind that only a newer thingcall knows.
    pub(crate) subject: Option<Subject>,
}

impl Subject {
    /// Kind, subject and name, as rows hold them.
    pub(crate) fn columns(&self) -> (&'static str, &str, Option<&str>) {
        match self {
            Self::Product(key) => ("product", key.as_str(), None),
            Self::Added(product) => ("added", product.as_ref().map_or("", ProductKey::as_str), None),
            Self::Device(key) => ("device", key.product.as_str(), Some(key.name.as_str())),
            Self::Disabled(key) => ("disabled", key.product.as_str(), Some(key.name.as_str())),
            Self::Removed(key) => ("removed", key.product.as_str(), Some(key.name.as_str())),
            Self::Heard(Some(key)) => ("heard", key.product.as_str(), Some(key.name.as_str())),
            Self::Heard(None) => ("heard", "", None),
            Self::Key(id) => ("key", id, None),
            Self::Subscribed => ("subscribed", "", None),
            Self::Reader(name) => ("reader", &name.0, None),
        }
    }
}
