//! Thing models (TSL): parse them, find a service, check arguments and replies. And what is registered: products,
//! each its settings and its model, and their devices.
//!
//! **Invariant:** no I/O, and nothing that blocks.

mod registry;

pub use registry::{
    DataFormat, DeviceRecord, Directory, DirectoryError, Found, NewDevice, NewProduct, Product, ProductSettings, Registry,
    ReplyCheck, Validation,
};

mod model;
pub use model::ThingModel;
