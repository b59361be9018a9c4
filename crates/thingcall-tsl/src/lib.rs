//! Thing models (TSL): parse them, find a service, check arguments and replies. And what is registered: products,
//! each its settings and its model, and their devices.
//!
//! **Invariant:** no I/O, and nothing that blocks.

mod model;
mod service;

mod problem;
mod violation;

mod registry;

pub use model::{ThingModel, UnknownService};
pub use problem::{ModelProblem, ModelProblems};
pub use registry::{
    DataFormat, DeviceRecord, Directory, DirectoryError, Found, NewDevice, NewProduct, Product, ProductSettings,
    Registry, ReplyCheck, Validation,
};
pub use service::{CallType, Service, check_object};
pub use violation::{Violation, ViolationKind};
