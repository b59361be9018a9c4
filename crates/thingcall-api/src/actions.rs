//! The actions there are. How to add one: `crates/thingcall-api/README.md`.
//!
//! **Invariant:** a closed list: an action is in it, has its name in metrics and XML, says what it is about, and answers, or it
//! is not known.
//! Actions that call a device, ask the directory, or are of groups and subscriptions are of different types, so none can be
//! taken for another.

mod batch;
mod broadcast;
mod consumer_group;
mod content;
mod device;
mod devices;
mod fleet_call;
mod invoke;
mod known;
mod many;
mod message;
mod model;
mod model_edit;
mod model_json;
mod model_versions;
mod names;
mod page;
mod past;
mod platform;
mod product;
mod property;
mod service_data;
mod status;
mod subscribe_relation;
mod tags;
mod target;
mod time;
mod values;

use std::pin::Pin;
use std::sync::Arc;

use enum_map::Enum;
use futures_util::TryFutureExt;
use futures_util::future::Either;
use strum::{EnumString, IntoStaticStr};
use thingcall_core::AccessKey;
use thingcall_tsl::Directory;

use crate::answer::{Content, Fields};
use crate::calls::CallDesk;
use crate::error::ActionError;
use crate::fleets::FleetDesk;
use crate::incoming::Incoming;
use crate::params::Params;
use crate::recorded::RecordDesk;
use crate::subscribing::SubscriptionDesk;

use broadcast::Broadcasting;
pub(crate) use fleet_call::{make as make_fleet_call, read as read_fleet_call};
use invoke::Invocation;
pub use known::action_names;
use many::Many;
use message::{Asking, Publishing, Question};
pub(crate) use names::Names;
use property::Setting;
pub(crate) use target::is_of_many;

/// Makes the types of all actions from a table of names and what answers them.
macro_rules! actions {
    (
        devices { $($(#[$device_doc:meta])* $device:ident: $of_device:ident => $read:path),* $(,)? }
        directory { $($(#[$directory_doc:meta])* $directory:ident: $of_directory:ident => $run:path),* $(,)? }
        subscriptions { $($(#[$desk_doc:meta])* $desk:ident: $of_desk:ident => $do:path),* $(,)? }
        records { $($(#[$record_doc:meta])* $record:ident: $of_record:ident => $find:path),* $(,)? }
        fleets { $($(#[$fleet_doc:meta])* $fleet:ident: $of_fleet:ident => $order:path),* $(,)? }
    ) => {
        /// An action of the API, as requests name it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr, EnumString)]
        pub(crate) enum Action {
            $($(#[$device_doc])* $device,)*
            $($(#[$directory_doc])* $directory,)*
            $($(#[$desk_doc])* $desk,)*
            $($(#[$record_doc])* $record,)*
            $($(#[$fleet_doc])* $fleet,)*
        }

        /// An action that calls a device.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum DeviceAction { $($(#[$device_doc])* $device),* }

        /// An action that asks the directory.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum DirectoryAction { $($(#[$directory_doc])* $directory),* }

        /// An action of consumer groups or subscriptions.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum SubscriptionAction { $($(#[$desk_doc])* $desk),* }

        /// An action that looks for calls.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum RecordAction { $($(#[$record_doc])* $record),* }
        /// An action of calls of many devices.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum FleetAction { $($(#[$fleet_doc])* $fleet),* }

        impl Action {
            /// Its name.
            pub(crate) fn as_str(self) -> &'static str {
                self.into()
            }

            /// Whom it asks.
            pub(crate) const fn kind(self) -> ActionKind {
                match self {
                    $(Self::$device => ActionKind::Device(DeviceAction::$device),)*
                    $(Self::$directory => ActionKind::Directory(DirectoryAction::$directory),)*
                    $(Self::$desk => ActionKind::Subscription(SubscriptionAction::$desk),)*
                    $(Self::$record => ActionKind::Record(RecordAction::$record),)*
                    $(Self::$fleet => ActionKind::Fleet(FleetAction::$fleet)),*
                }
            }

            /// Which of its parameters say what it is about.
            pub(crate) const fn names(self) -> Names {
                match self {
                    $(Self::$device => Names::$of_device,)*
                    $(Self::$directory => Names::$of_directory,)*
                    $(Self::$desk => Names::$of_desk,)*
                    $(Self::$record => Names::$of_record,)*
                    $(Self::$fleet => Names::$of_fleet),*
                }
            }
        }

        impl DeviceAction {
            /// Reads the call that a request asks for.
            pub(crate) fn read(
                self,
                desk: &CallDesk,
                incoming: &Incoming<'_>,
                key: &Arc<AccessKey>,
            ) -> Result<Ordered, ActionError> {
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

        impl SubscriptionAction {
            /// Does what a request asks; what it returns stands beside `RequestId` and `Success`.
            pub(crate) async fn run(
                self,
                desk: &SubscriptionDesk,
                params: &Params<'_>,
            ) -> Result<Fields, ActionError> {
                match self { $(Self::$desk => $do(desk, params).await),* }
            }
        }

        impl RecordAction {
            /// Does what a request asks; what it returns stands beside `RequestId` and `Success`.
            pub(crate) async fn run(self, desk: &RecordDesk, params: &Params<'_>) -> Result<Fields, ActionError> {
                match self { $(Self::$record => $find(desk, params).await),* }
            }
        }

        impl FleetAction {
            /// Does what a request asks; what it returns stands beside `RequestId` and `Success`.
            pub(crate) async fn run(
                self,
                desk: &FleetDesk,
                params: &Params<'_>,
                key: &AccessKey,
            ) -> Result<Fields, ActionError> {
                match self { $(Self::$fleet => $order(desk, params, key).await),* }
            }
        }
    };
}

/// What an action is to do with devices, once its request is read.
pub(crate) enum Ordered {
    /// A service is called.
    Service(Invocation),
    /// Properties are set.
    Properties(Setting),
    /// A message is published.
    Publishing(Publishing),
    /// A device is asked in bytes.
    Question(Question),
    /// A device is asked in bytes, and nobody waits.
    Asking(Asking),
    /// A message is sent to many devices.
    Broadcasting(Broadcasting),
    /// A service of several devices is called.
    Many(Box<Many>),
    /// Properties of several devices are set.
    ManyProperties(Box<Many>),
}

/// What is done, in memory of its own: a caller who waits for a service holds no room for it.
type Doing<'a> = Pin<Box<dyn Future<Output = Result<Content, ActionError>> + Send + 'a>>;

impl Ordered {
    /// Does it.
    pub(crate) fn run(self, desk: &CallDesk) -> impl Future<Output = Result<Content, ActionError>> + Send + '_ {
        let doing: Doing<'_> = match self {
            Self::Service(call) => return Either::Left(call.run(desk)),
            Self::Properties(set) => Box::pin(set.run(desk).map_ok(Content::Fields)),
            Self::Publishing(message) => Box::pin(message.run(desk).map_ok(Content::Fields)),
            Self::Question(question) => Box::pin(question.run(desk).map_ok(Content::Fields)),
            Self::Asking(question) => Box::pin(question.run(desk).map_ok(Content::Fields)),
            Self::Broadcasting(message) => Box::pin(message.run(desk).map_ok(Content::Fields)),
            Self::Many(calls) => Box::pin(calls.run(desk).map_ok(Content::Fields)),
            Self::ManyProperties(calls) => {
                Box::pin(calls.run(desk).map_ok(Content::Fields).map_err(property::of_properties))
            }
        };
        Either::Right(doing)
    }
}

/// Whom an action asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ActionKind {
    Device(DeviceAction),
    Directory(DirectoryAction),
    Subscription(SubscriptionAction),
    Record(RecordAction),
    Fleet(FleetAction),
}

/// A parameter that is true or false, in whatever case: one SDK writes `True`. What is absent is false.
fn flag(params: &Params<'_>, name: &str) -> Result<bool, ActionError> {
    match params.get(name) {
        None => Ok(false),
        Some(word) if word.eq_ignore_ascii_case("true") => Ok(true),
        Some(word) if word.eq_ignore_ascii_case("false") => Ok(false),
        Some(word) => Err(ActionError::wrong(name, word, "true or false")),
    }
}

actions! {
    devices {
        /// Calls a service of a device.
        InvokeThingService: Device => invoke::invoke,
        /// Calls a service of several devices.
        InvokeThingsService: Devices => invoke::invoke_many,
        /// Sets properties of a device.
        SetDeviceProperty: Device => property::set,
        /// Sets properties of several devices.
        SetDevicesProperty: Devices => property::set_many,
        /// Publishes a message for a device.
        Pub: DeviceOfTopic => message::publish,
        /// Sends a message to devices of a product.
        PubBroadcast: Product => broadcast::broadcast,
        /// Asks a device in bytes, and waits for its answer.
        RRpc: Device => message::ask,
        /// Asks a device in bytes; its answer is told as a message.
        AsyncRRpc: Device => message::ask_unawaited,
    }
    directory {
        /// Makes a product.
        CreateProduct: AllProducts => product::create,
        /// Reads a product.
        QueryProduct: Product => product::query,
        /// Lists products.
        QueryProductList: AllProducts => product::list,
        /// Gives a product another name or description.
        UpdateProduct: Product => product::update,
        /// Forgets a product without devices.
        DeleteProduct: Product => product::delete,
        /// Sets a module of a product's thing model.
        ImportThingModelTsl: Product => model::import,
        /// Reads a module of a product's thing model.
        QueryThingModel: Product => model::query,
        /// Reads it under another name.
        GetThingModelTsl: Product => model::get_tsl,
        /// Reads it under another name: an imported model is published at once.
        GetThingModelTslPublished: Product => model::get_tsl,
        /// The versions of a product's thing model.
        ListThingModelVersion: Product => model_versions::list,
        /// Gives the newest one a number and a description.
        PublishThingModel: Product => model_versions::publish,
        /// Adds features to a module.
        CreateThingModel: Product => model_edit::create,
        /// Changes one of them, or a module's name.
        UpdateThingModel: Product => model_edit::update,
        /// Takes features or modules away.
        DeleteThingModel: Product => model_edit::delete,
        /// Registers a device.
        RegisterDevice: NewDevice => device::register,
        /// Everything that is known of a device.
        QueryDeviceDetail: Device => device::detail,
        /// The same of several devices.
        BatchQueryDeviceDetail: Devices => devices::details,
        /// Lists the devices of a product.
        QueryDevice: Product => devices::query,
        /// Lists those that are in one status.
        QueryDeviceByStatus: Product => devices::by_status,
        /// How many devices there are.
        QueryDeviceStatistics: Product => devices::statistics,
        /// Makes a batch of devices, by their names.
        BatchCheckDeviceNames: Product => batch::check_names,
        /// Registers a batch of devices whose names are made up.
        BatchRegisterDevice: Product => batch::register,
        /// Registers a batch.
        BatchRegisterDeviceWithApplyId: Product => batch::register_applied,
        /// How far a batch is.
        QueryBatchRegisterDeviceStatus: Product => batch::status,
        /// Lists the devices that a batch registered.
        QueryPageByApplyId: AllProducts => batch::page,
        /// Adds tags to a device, or changes them.
        SaveDeviceProp: Device => tags::save,
        /// Reads a device's tags.
        QueryDeviceProp: Device => tags::query,
        /// Takes one from it.
        DeleteDeviceProp: Device => tags::delete,
        /// Whether a device is connected.
        GetDeviceStatus: Device => status::one,
        /// Whether several devices are connected.
        BatchGetDeviceState: DevicesOrIds => status::several,
        /// The properties of a device as it reported them last.
        QueryDevicePropertyStatus: Device => values::status,
        /// What a property was.
        QueryDevicePropertyData: Device => past::property,
        /// What several properties were.
        QueryDevicePropertiesData: Device => past::properties,
        /// What happened at a device.
        QueryDeviceEventData: Device => past::events,
        /// Keeps a device from connecting and being called.
        DisableThing: Device => device::disable,
        /// Lets it again.
        EnableThing: Device => device::enable,
        /// Forgets a device.
        DeleteDevice: Device => device::delete,
    }
    subscriptions {
        /// Makes a consumer group.
        CreateConsumerGroup: AllGroups => consumer_group::create,
        /// Gives it another name.
        UpdateConsumerGroup: Group => consumer_group::update,
        /// Lists consumer groups.
        QueryConsumerGroupList: AllGroups => consumer_group::list,
        /// Reads one of them.
        QueryConsumerGroupByGroupId: Group => consumer_group::by_id,
        /// What waits for it, and who consumes.
        QueryConsumerGroupStatus: Group => consumer_group::status,
        /// Drops what waits for it.
        ResetConsumerGroupPosition: Group => consumer_group::reset,
        /// Removes it.
        DeleteConsumerGroup: Group => consumer_group::delete,
        /// Subscribes a product.
        CreateSubscribeRelation: ProductAndGroups => subscribe_relation::create,
        /// Says anew what of a product goes to whom.
        UpdateSubscribeRelation: ProductAndGroups => subscribe_relation::update,
        /// Reads a product's subscription.
        QuerySubscribeRelation: Product => subscribe_relation::query,
        /// Ends it.
        DeleteSubscribeRelation: Product => subscribe_relation::delete,
        /// Lets a product's messages go to one more group.
        CreateConsumerGroupSubscribeRelation: ProductAndGroup => subscribe_relation::add_group,
        /// Lets them go to it no more.
        DeleteConsumerGroupSubscribeRelation: ProductAndGroup => subscribe_relation::remove_group,
    }
    records {
        /// The calls of a device's services.
        QueryDeviceServiceData: Device => service_data::query,
        /// The same, by places instead of times.
        QueryDeviceOriginalServiceData: Device => service_data::original,
    }
    fleets {
        /// Has a service of many devices called.
        CreateFleetCall: Devices => fleet_call::create,
        /// How far that is.
        QueryFleetCall: FleetCall => fleet_call::query,
        /// Lists them.
        QueryFleetCallList: FleetCalls => fleet_call::list,
        /// What became of each device.
        QueryFleetCallDevices: FleetCall => fleet_call::devices,
        /// Begins no further call.
        CancelFleetCall: FleetCall => fleet_call::cancel,
    }
}
