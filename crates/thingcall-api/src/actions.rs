//! The actions there are. How to add one: `crates/thingcall-api/README.md`.
//!
//! **Invariant:** a closed list: an action is in it, has its name in metrics and XML, and answers, or it is not known.
//! An action that calls a device and one that asks the directory are of different types, so neither can be taken for
//! the other.

mod device;
mod invoke;
mod model;
mod product;
mod status;
mod target;

use enum_map::Enum;
use strum::{EnumString, IntoStaticStr};
use thingcall_core::AccessKey;
use thingcall_tsl::Directory;

use crate::answer::Fields;
use crate::calls::CallDesk;
use crate::error::ActionError;
use crate::incoming::Incoming;
use crate::params::Params;

pub(crate) use invoke::Invocation;

/// Makes the types of all actions from a table of names and what answers them.
macro_rules! actions {
    (
        devices { $($(#[$device_doc:meta])* $device:ident => $read:path),* $(,)? }
        directory { $($(#[$directory_doc:meta])* $directory:ident => $run:path),* $(,)? }
    ) => {
        /// An action of the API, as requests name it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr, EnumString)]
        pub(crate) enum Action {
            $($(#[$device_doc])* $device,)*
            $($(#[$directory_doc])* $directory,)*
        }

        /// An action that calls a device.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum DeviceAction { $($(#[$device_doc])* $device),* }

        /// An action that asks the directory.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum DirectoryAction { $($(#[$directory_doc])* $directory),* }

        impl Action {
            /// Its name.
            pub(crate) fn as_str(self) -> &'static str {
                self.into()
            }

            /// Whom it asks.
            pub(crate) const fn kind(self) -> ActionKind {
                match self {
                    $(Self::$device => ActionKind::Device(DeviceAction::$device),)*
                    $(Self::$directory => ActionKind::Directory(DirectoryAction::$directory)),*
                }
            }
        }

        impl DeviceAction {
            /// Reads the call that a request asks for.
            pub(crate) fn read(
                self,
                desk: &CallDesk,
                incoming: &Incoming<'_>,
                key: &AccessKey,
            ) -> Result<Invocation, ActionError> {
                match self { $(Self::$device => $read(desk, incoming, key)),* }
            }
        }

        impl DirectoryAction {
            /// Does what a request asks; what it returns stands beside `RequestId` and `Success`.
            pub(crate) async fn run(
                self,
                directory: &dyn Directory,
                params: &Params<'_>,
            ) -> Result<Fields, ActionError> {
                match self { $(Self::$directory => $run(directory, params).await),* }
            }
        }
    };
}

/// Whom an action asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ActionKind {
    Device(DeviceAction),
    Directory(DirectoryAction),
}

actions! {
    devices {
        /// Calls a service of a device.
        InvokeThingService => invoke::invoke,
    }
    directory {
        /// Makes a product.
        CreateProduct => product::create,
        /// Sets a module of a product's thing model.
        ImportThingModelTsl => model::import,
        /// Reads a module of a product's thing model.
        QueryThingModel => model::query,
        /// Reads it under another name.
        GetThingModelTsl => model::get_tsl,
        /// Reads it under another name: an imported model is published at once.
        GetThingModelTslPublished => model::get_tsl,
        /// Registers a device.
        RegisterDevice => device::register,
        /// Everything that is known of a device.
        QueryDeviceDetail => device::detail,
        /// Whether a device is connected.
        GetDeviceStatus => status::one,
        /// Whether several devices are connected.
        BatchGetDeviceState => status::several,
        /// Keeps a device from connecting and being called.
        DisableThing => device::disable,
        /// Lets it again.
        EnableThing => device::enable,
        /// Forgets a device.
        DeleteDevice => device::delete,
    }
}
