//! The actions there are.
//!
//! **Invariant:** a closed list: an action is in it, has its name in metrics and XML, and answers, or it is not known.

mod device;
mod model;
mod product;
mod status;
pub(crate) mod target;

use thingcall_core::CallError;
use thingcall_tsl::Directory;

use crate::answer::Fields;
use crate::error::Failure;
use crate::params::Params;

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// An action of the API, as requests name it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Action { $($(#[$doc])* $name),* }

        impl Action {
            /// All of them.
            pub(crate) const ALL: &[Self] = &[$(Self::$name),*];

            /// Its name.
            pub(crate) const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),* }
            }

            /// The action of this name.
            pub(crate) fn from_name(name: &str) -> Option<Self> {
                match name { $(stringify!($name) => Some(Self::$name),)* _ => None }
            }
        }
    };
}

actions! {
    /// Calls a service of a device.
    InvokeThingService,
    /// Makes a product.
    CreateProduct,
    /// Sets a module of a product's thing model.
    ImportThingModelTsl,
    /// Reads a module of a product's thing model.
    QueryThingModel,
    /// Reads it under another name.
    GetThingModelTsl,
    /// Reads it under another name: an imported model is published at once.
    GetThingModelTslPublished,
    /// Registers a device.
    RegisterDevice,
    /// Everything that is known of a device.
    QueryDeviceDetail,
    /// Whether a device is connected.
    GetDeviceStatus,
    /// Whether several devices are connected.
    BatchGetDeviceState,
    /// Keeps a device from connecting and being called.
    DisableThing,
    /// Lets it again.
    EnableThing,
    /// Forgets a device.
    DeleteDevice,
}

impl Action {
    /// Does what the request asks of the directory; what it returns stands beside `RequestId` and `Success`.
    pub(crate) async fn run(self, directory: &dyn Directory, params: &Params<'_>) -> Result<Fields, Failure> {
        match self {
            // Read and run as a `Call`, since nothing of its request is kept meanwhile.
            Self::InvokeThingService => Err(CallError::Internal("a call came to the directory".to_owned()).into()),
            Self::CreateProduct => product::create(directory, params).await,
            Self::ImportThingModelTsl => model::import(directory, params).await,
            Self::QueryThingModel => model::query(directory, params),
            Self::GetThingModelTsl | Self::GetThingModelTslPublished => model::get_tsl(directory, params),
            Self::RegisterDevice => device::register(directory, params).await,
            Self::QueryDeviceDetail => device::detail(directory, params).await,
            Self::GetDeviceStatus => status::one(directory, params).await,
            Self::BatchGetDeviceState => status::several(directory, params).await,
            Self::DisableThing => device::set_enabled(directory, params, false).await,
            Self::EnableThing => device::set_enabled(directory, params, true).await,
            Self::DeleteDevice => device::delete(directory, params).await,
        }
    }
}
