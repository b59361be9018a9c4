//! Why a call failed: for the caller a public code and a text, for the operator an outcome.

use enum_map::Enum;
use strum::{EnumString, IntoStaticStr};

use crate::{Executed, LookUpFailed, Outcome};

/// A public error code of a service failure (HTTP 200, `Success=false`). Never renamed, never reused.
///
/// Source: `PROTOCOL.md` 2.5; none is invented here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Enum, IntoStaticStr, EnumString)]
pub enum ErrorCode {
    /// An internal fault, or shutting down.
    #[strum(serialize = "iot.system.SystemException")]
    SystemException,
    /// A parameter's value is not allowed, or something is too large.
    #[strum(serialize = "iot.system.IllegalRequest")]
    IllegalRequest,
    /// A page of a list that may not be.
    #[strum(serialize = "iot.common.InvalidPageParams")]
    InvalidPageParams,
    /// `IotInstanceId` is missing or not this server's.
    #[strum(serialize = "iot.Sre.IotInstanceNotFound")]
    InstanceNotFound,
    /// `ProductKey` is missing.
    #[strum(serialize = "iot.prod.NullProductKey")]
    NullProductKey,
    /// `ProductKey` is malformed.
    #[strum(serialize = "iot.prod.InvalidFormattedProductkey")]
    InvalidFormattedProductKey,
    /// No such product.
    #[strum(serialize = "iot.prod.NotExistedProduct")]
    NotExistedProduct,
    /// The product has no thing model.
    #[strum(serialize = "iot.prod.NotSeniorProduct")]
    NotSeniorProduct,
    /// `AliyunCommodityCode` is none of the two.
    #[strum(serialize = "iot.prod.InvalidAliyunCommodityCode")]
    InvalidAliyunCommodityCode,
    /// A product's description is too long.
    #[strum(serialize = "iot.prod.LongProductDesc")]
    LongProductDesc,
    /// `DeviceName` is missing.
    #[strum(serialize = "iot.device.NullDeviceName")]
    NullDeviceName,
    /// `DeviceName` is malformed.
    #[strum(serialize = "iot.device.InvalidFormattedDeviceName")]
    InvalidFormattedDeviceName,
    /// No such device.
    #[strum(serialize = "iot.device.NotExistedDevice")]
    NotExistedDevice,
    /// `ApplyId` is missing.
    #[strum(serialize = "iot.device.NullApplyId")]
    NullApplyId,
    /// `ApplyId` is malformed.
    #[strum(serialize = "iot.device.InvalidFormattedApplyId")]
    InvalidFormattedApplyId,
    /// No such batch of devices.
    #[strum(serialize = "iot.device.DeviceApplyIsNotFound")]
    DeviceApplyIsNotFound,
    /// A batch that cannot be registered.
    #[strum(serialize = "iot.device.IncorrentDeviceApplyInfo")]
    IncorrectDeviceApplyInfo,
    /// More devices than may be registered at once.
    #[strum(serialize = "iot.device.DeviceCountExceeded")]
    DeviceCountExceeded,
    /// `Props` is missing.
    #[strum(serialize = "iot.device.NullDevicePropertiesString")]
    NullDevicePropertiesString,
    /// `Props` is malformed.
    #[strum(serialize = "iot.device.InvalidFormattedDevicePropertiesString")]
    InvalidFormattedDevicePropertiesString,
    /// `Props` is too long.
    #[strum(serialize = "iot.device.LongDevicePropertiesString")]
    LongDevicePropertiesString,
    /// `Props` has no tag in it.
    #[strum(serialize = "iot.device.NoneDeviceProperties")]
    NoneDeviceProperties,
    /// `PropKey` is missing.
    #[strum(serialize = "iot.device.NullDevicePropertyKey")]
    NullDevicePropertyKey,
    /// The name of a tag is malformed.
    #[strum(serialize = "iot.device.InvalidFormattedDevicePropertyKey")]
    InvalidFormattedDevicePropertyKey,
    /// A device would have too many tags.
    #[strum(serialize = "iot.device.TooManyDevicePropertiesPerTime")]
    TooManyDevicePropertiesPerTime,
    /// `IotId` is malformed or unknown.
    #[strum(serialize = "iot.device.InvalidIoTId")]
    InvalidIotId,
    /// The service is unknown, the arguments do not fit, or the device refused.
    #[strum(serialize = "iot.device.InvokeThingServiceFailed")]
    InvokeThingServiceFailed,
    /// The same, of properties that are set.
    #[strum(serialize = "iot.device.SetDevicePropertyFailed")]
    SetDevicePropertyFailed,
    /// What a device reported last cannot be said.
    #[strum(serialize = "iot.device.QueryDeviceAttrStatusFailed")]
    QueryDeviceAttrStatusFailed,
    /// What a device reported once cannot be said.
    #[strum(serialize = "iot.device.QueryDeviceAttrDataHistoryFailed")]
    QueryDeviceAttrDataHistoryFailed,
    /// Which calls a device's service had cannot be said.
    #[strum(serialize = "iot.device.QueryDeviceServiceHistoryFailed")]
    QueryDeviceServiceHistoryFailed,
    /// No device is named where several may be.
    #[strum(serialize = "iot.device.NoneDeviceNameElement")]
    NoneDeviceNameElement,
    /// `TopicFullName` is missing.
    #[strum(serialize = "iot.messagebroker.NullTopicName")]
    NullTopicName,
    /// A topic is malformed, or not one of the device's.
    #[strum(serialize = "iot.messagebroker.InvalidFormattedTopicName")]
    InvalidFormattedTopicName,
    /// `MessageContent` is missing.
    #[strum(serialize = "iot.messagebroker.NullMessageContent")]
    NullMessageContent,
    /// A message's content is not in Base64.
    #[strum(serialize = "iot.messagebroker.MessageContentIsNotBase64Encode")]
    NotBase64,
    /// RRpc's `Timeout` is out of its bounds.
    #[strum(serialize = "iot.messagebroker.InvalidTimeoutValue")]
    InvalidTimeoutValue,
    /// A message was not published.
    #[strum(serialize = "iot.messagebroker.PublishMessageFailed")]
    PublishMessageFailed,
    /// The device is not connected.
    #[strum(serialize = "iot.messagebroker.OFFLINE")]
    Offline,
    /// The device did not answer in time.
    #[strum(serialize = "iot.messagebroker.TIMEOUT")]
    Timeout,
    /// Too many calls at once.
    #[strum(serialize = "iot.messagebroker.RateLimit")]
    RateLimit,
    /// The message was refused on its way.
    #[strum(serialize = "iot.messagebroker.RrpcFailed")]
    RrpcFailed,
    /// The way to the device broke.
    #[strum(serialize = "iot.messagebroker.RrpcException")]
    RrpcException,
}

impl ErrorCode {
    /// The code as the caller sees it.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Why a call failed. The text says what was wrong and what would be right; it never names brokers or files.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// No such product.
    #[error("product {0} does not exist; create it with CreateProduct or `thingcall product import`")]
    UnknownProduct(String),
    /// No such device.
    #[error("device {0} does not exist; register it with RegisterDevice or `thingcall device add`")]
    UnknownDevice(String),
    /// Where devices are kept cannot be read; the text says why.
    #[error("the device could not be looked up: {0}; nothing was sent to it, try again")]
    NotLookedUp(String),
    /// No device with this IotId.
    #[error("no device has the IotId {0}; QueryDeviceDetail tells a device's IotId")]
    UnknownIotId(String),
    /// The product has no thing model.
    #[error("product {0} has no thing model; set one with ImportThingModelTsl or `thingcall product import`")]
    NoModel(String),
    /// The model has no such module or service; the text says which there are.
    #[error("{0}")]
    UnknownService(String),
    /// DisableThing was called for the device.
    #[error("device {0} is disabled; EnableThing lets it connect again")]
    DeviceDisabled(String),
    /// The arguments do not fit the model; the text says where and what would fit.
    #[error("{0}")]
    InvalidArgs(String),
    /// A message's topic is not one that the device may be told something on; the text says what would be right.
    #[error("{0}")]
    InvalidTopic(String),
    /// Larger than a limit; the text says which.
    #[error("{0}")]
    TooLarge(String),
    /// The device is not connected; nothing was sent.
    #[error("device {0} is offline; the call was not sent")]
    Offline(String),
    /// The device went away after the call was sent.
    #[error("device {0} went offline before it answered; it may have executed the call")]
    WentOffline(String),
    /// No answer in time.
    #[error("no reply from device {device} within {waited_ms} ms; it may have executed the call{}", hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default())]
    Timeout {
        /// The device.
        device: String,
        /// How long the caller was kept.
        waited_ms: u64,
        /// What the device said meanwhile that was no answer.
        hint: Option<Box<str>>,
    },
    /// A plugin kept the call until its time was over.
    #[error("plugin {plugin} did not answer within {waited_ms} ms; {}", match executed { Executed::No => "nothing was sent to the device", Executed::Maybe | Executed::Yes => "the device may have executed the call" })]
    PluginSilent {
        /// Its name.
        plugin: String,
        /// How long the caller was kept.
        waited_ms: u64,
        /// Whether it had called the device.
        executed: Executed,
    },
    /// The time was over before anything was sent.
    #[error("the call waited {waited_ms} ms for its turn and was not sent")]
    Expired {
        /// How long the caller was kept.
        waited_ms: u64,
    },
    /// Refused on the way; nothing was executed.
    #[error("the call was not delivered: {0}")]
    NotDelivered(String),
    /// The device answered with a code other than 200.
    #[error("the device answered with code {code}{}", message.as_ref().map(|m| format!(": {m}")).unwrap_or_default())]
    Device {
        /// The device's code.
        code: i64,
        /// The device's words.
        message: Option<String>,
    },
    /// The device's answer cannot be read or does not fit the model.
    #[error("the device answered, but {0}; it may have executed the call")]
    InvalidReply(String),
    /// The broker's connection is down; nothing was sent.
    #[error("there is no connection to the devices' broker; the call was not sent")]
    TransportDown,
    /// The broker's connection was lost after the call was sent.
    #[error("the connection to the devices' broker was lost; the device may have executed the call")]
    TransportLost,
    /// A limit of thingcall's own is reached; the text says which.
    #[error("too many calls at once: {0}; try again later")]
    Overloaded(String),
    /// A plugin failed; the text names it and says how.
    #[error("the handler failed: {why}; {}", match executed { Executed::No => "nothing was sent to the device", Executed::Maybe | Executed::Yes => "the device may have executed the call" })]
    Plugin {
        /// What went wrong.
        why: String,
        /// Whether it had called the device.
        executed: Executed,
    },
    /// A plugin refused an asynchronous call.
    #[error("the handler refused the call with code {code}{}", message.as_ref().map(|m| format!(": {m}")).unwrap_or_default())]
    Refused {
        /// The plugin's code.
        code: i64,
        /// The plugin's words.
        message: Option<String>,
        /// Whether it had called the device.
        executed: Executed,
    },
    /// Shutting down.
    #[error("the server is shutting down; try again")]
    Draining,
    /// Shut down after the call was sent.
    #[error("the server shut down before device {0} answered; it may have executed the call")]
    CutOff(String),
    /// This instance holds no slot, so it may make no id for a call.
    #[error(
        "this server instance has no lease in its store and takes no calls until it has; try again, another one may"
    )]
    NoLease,
    /// This instance lost its slot after the call was sent.
    #[error("this server instance lost its lease before device {0} answered; it may have executed the call")]
    LeaseLost(String),
    /// An asynchronous call that could not be written down; the text says why.
    #[error("the call could not be recorded: {why}; {}", match executed { Executed::No => "it was not sent", Executed::Maybe | Executed::Yes => "it may be sent all the same" })]
    NotRecorded {
        /// Why, such as "the store is full".
        why: String,
        /// Whether it may be found written and sent.
        executed: Executed,
    },
    /// An operator ended it.
    #[error("an operator ended the call to device {device}; {}", match executed { Executed::No => "it was not sent", Executed::Maybe | Executed::Yes => "the device may have executed it" })]
    Cancelled {
        /// The device.
        device: String,
        /// Whether it had been sent.
        executed: Executed,
    },
    /// A fault of ours; the text says what the caller may know.
    #[error("internal fault: {0}")]
    Internal(String),
}

impl CallError {
    /// How the call ended.
    pub const fn outcome(&self) -> Outcome {
        match self {
            Self::UnknownProduct(_)
            | Self::UnknownDevice(_)
            | Self::UnknownIotId(_)
            | Self::NoModel(_)
            | Self::UnknownService(_) => Outcome::UnknownTarget,
            Self::DeviceDisabled(_) => Outcome::Denied,
            Self::InvalidArgs(_) | Self::InvalidTopic(_) => Outcome::InvalidArgs,
            Self::TooLarge(_) => Outcome::TooLarge,
            Self::Offline(_) | Self::WentOffline(_) => Outcome::Offline,
            Self::Timeout { .. } | Self::Expired { .. } => Outcome::Timeout,
            Self::NotDelivered(_) => Outcome::NotDelivered,
            Self::NotRecorded { .. } | Self::NotLookedUp(_) | Self::Internal(_) => Outcome::Internal,
            Self::Device { .. } => Outcome::DeviceError,
            Self::InvalidReply(_) => Outcome::InvalidReply,
            Self::TransportDown | Self::TransportLost => Outcome::TransportDown,
            Self::Overloaded(_) => Outcome::Overloaded,
            Self::Plugin { .. } | Self::PluginSilent { .. } => Outcome::PluginFailed,
            Self::Refused { .. } => Outcome::Denied,
            Self::Draining | Self::CutOff(_) => Outcome::Draining,
            Self::NoLease | Self::LeaseLost(_) => Outcome::NoLease,
            Self::Cancelled { .. } => Outcome::Cancelled,
        }
    }

    /// The public code.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::UnknownProduct(_) => ErrorCode::NotExistedProduct,
            Self::UnknownDevice(_) => ErrorCode::NotExistedDevice,
            Self::UnknownIotId(_) => ErrorCode::InvalidIotId,
            Self::NoModel(_) => ErrorCode::NotSeniorProduct,
            Self::UnknownService(_)
            | Self::InvalidArgs(_)
            | Self::Device { .. }
            | Self::Refused { .. }
            | Self::InvalidReply(_) => ErrorCode::InvokeThingServiceFailed,
            Self::DeviceDisabled(_) | Self::Offline(_) | Self::WentOffline(_) => ErrorCode::Offline,
            Self::TooLarge(_) => ErrorCode::IllegalRequest,
            Self::InvalidTopic(_) => ErrorCode::InvalidFormattedTopicName,
            Self::Timeout { .. } | Self::Expired { .. } | Self::PluginSilent { .. } => ErrorCode::Timeout,
            Self::NotDelivered(_) => ErrorCode::RrpcFailed,
            Self::TransportDown | Self::TransportLost => ErrorCode::RrpcException,
            Self::Overloaded(_) => ErrorCode::RateLimit,
            Self::Plugin { .. }
            | Self::Draining
            | Self::CutOff(_)
            | Self::NoLease
            | Self::LeaseLost(_)
            | Self::NotRecorded { .. }
            | Self::NotLookedUp(_)
            | Self::Cancelled { .. }
            | Self::Internal(_) => ErrorCode::SystemException,
        }
    }

    /// Whether the device may have done what it was asked.
    pub const fn executed(&self) -> Executed {
        match self {
            Self::WentOffline(_)
            | Self::CutOff(_)
            | Self::LeaseLost(_)
            | Self::Timeout { .. }
            | Self::TransportLost
            | Self::InvalidReply(_) => Executed::Maybe,
            Self::Plugin { executed, .. }
            | Self::PluginSilent { executed, .. }
            | Self::Refused { executed, .. }
            | Self::Cancelled { executed, .. }
            | Self::NotRecorded { executed, .. } => *executed,
            Self::Device { .. } => Executed::Yes,
            Self::UnknownProduct(_)
            | Self::UnknownDevice(_)
            | Self::UnknownIotId(_)
            | Self::NoModel(_)
            | Self::UnknownService(_)
            | Self::DeviceDisabled(_)
            | Self::InvalidArgs(_)
            | Self::InvalidTopic(_)
            | Self::TooLarge(_)
            | Self::Offline(_)
            | Self::Expired { .. }
            | Self::NotDelivered(_)
            | Self::TransportDown
            | Self::Overloaded(_)
            | Self::Draining
            | Self::NoLease
            | Self::NotLookedUp(_)
            | Self::Internal(_) => Executed::No,
        }
    }
}

impl From<LookUpFailed> for CallError {
    fn from(LookUpFailed(why): LookUpFailed) -> Self {
        Self::NotLookedUp(why)
    }
}
