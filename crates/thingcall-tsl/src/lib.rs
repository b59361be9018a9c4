//! Thing models (TSL): parse them, find a service, check arguments and replies. And what is registered: products,
//! each its settings and its model, and their devices.
//!
//! Read in this order: [`ThingModel`] and [`Service`], what users of this crate hold; `read`, which makes them from
//! files; `check`, which holds values against [`DataType`]s; `json`, the reader below both.
//!
//! **Invariant:** no I/O, and nothing that waits, but for a lock held for a few instructions (`silence`). No text, however long or deep, makes it panic or use up the stack.

pub mod limits;

mod model;
mod reported;
mod service;
mod set;

mod data_type;
mod problem;
mod violation;

mod check;
mod json;
mod mend;
mod read;
mod sample;
mod words;

mod batches;
mod device_record;
mod directory;
mod directory_error;
mod in_memory;
mod notes;
mod pages;
mod registration;
mod registry;
mod settings;
mod silence;
mod tags;
mod versions;

pub use batches::{Applied, Batch, BatchId, BatchState, Batches};
pub use data_type::{Bounds, DataType, Field};
pub use device_record::DeviceRecord;
pub use directory::{Directory, Edited, NewDevice, NewProduct, ProductChange, ProductEdit};
pub use directory_error::DirectoryError;
pub use in_memory::InMemoryRegistry;
pub use model::{ThingModel, UnknownService};
pub use notes::{Network, ProductNotes};
pub use pages::{DeviceCounts, DeviceMark, DevicePage, DeviceStatus, PageStart};
pub use problem::{ModelProblem, ModelProblems};
pub use registration::{NoProductSecret, ProductSecret, Registrants, Registration};
pub use registry::{Found, Members, Product, Registry, Route, Way};
pub use reported::{Access, Event, EventLevel, Property, ReportCheck};
pub use service::{CallType, Service, check_object};
pub use settings::{ArgsCheck, DataFormat, Pacing, ProductSettings, RawAnswers, ReplyCheck, Validation};
pub use silence::{Silence, Unanswered};
pub use tags::{TAGS_PER_DEVICE_MAX, Tags};
pub use versions::{MODEL_VERSIONS_MAX, ModelVersion, ModelVersions};
pub use violation::{Violation, ViolationKind};
