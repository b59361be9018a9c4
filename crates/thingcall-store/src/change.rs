//! What may be changed in a store, for who listens.

use thingcall_core::{DeviceKey, ProductKey};

/// What was changed, whichever process changed it. Memory has it already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A product was made, or its settings or model were changed.
    Product(ProductKey),
    /// A device was registered.
    DeviceAdded(DeviceKey),
    /// It may connect again.
    DeviceEnabled(DeviceKey),
    /// It may not be connected any more.
    DeviceDisabled(DeviceKey),
    /// It is forgotten, or another one has its name: it may not be connected any more.
    DeviceRemoved(DeviceKey),
    /// The access key with this id was made or changed.
    Key(String),
}
