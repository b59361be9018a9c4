//! Messages of devices that led to nothing, and why.
//!
//! **Invariant:** the reasons are one closed list. Each says what would be right, so whoever shows a message that was
//! dropped can tell its device's author what to change.

use enum_map::Enum;
use strum::IntoStaticStr;

use crate::{DeviceKey, MalformedReply, TransportKind};

/// Why a device's message was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum DropReason {
    /// No call has its id.
    UnknownId,
    /// It can be read, and neither it nor its topic has an id.
    WithoutId,
    /// It is no JSON object, so it has no id.
    Unreadable,
    /// A report that is no JSON object, so it has no id to be answered under.
    UnreadablePost,
    /// Of a device that is not registered.
    UnknownDevice,
    /// It is larger than the limit.
    TooLarge,
    /// It is in the device's own bytes, and nobody translates them.
    Untranslated,
    /// On `rrpc/response`, without the id.
    RrpcWithoutId,
    /// An answer on `rrpc/request/{id}`.
    RequestTopic,
    /// An answer on `thing/service/{identifier}`.
    NoReplySuffix,
    /// A request, which only this side sends: a broker's echo, or a device that answers without a `code`.
    Echo,
    /// On no topic of a device.
    ForeignTopic,
    /// Its id belongs to another instance of thingcall, which may share the broker.
    OtherInstance,
    /// On a topic of another device.
    OtherDevicesTopic,
    /// Its id is that of a call to another device.
    OtherDevicesCall,
    /// There was no room for it.
    Overloaded,
}

impl DropReason {
    /// The word in metrics and logs.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// What would have been right; goes on after "right is".
    pub const fn right(self) -> &'static str {
        match self {
            Self::UnknownId => "the request's `id`, answered once and before the call is forgotten",
            Self::WithoutId => "the request's `id` in the answer",
            Self::Unreadable => r#"a JSON object such as {"id":"...","code":200,"data":{}}"#,
            Self::UnreadablePost => r#"a JSON object such as {"id":"...","version":"1.0","params":{},"method":"..."}"#,
            Self::UnknownDevice => "a device that is registered",
            Self::TooLarge => "fewer bytes than the transport's message_bytes_max",
            Self::Untranslated => "bytes that the plugin of the product can translate",
            Self::RrpcWithoutId => {
                "/sys/{productKey}/{deviceName}/rrpc/response/{id}, with the id of the request's topic"
            }
            Self::RequestTopic => {
                "/sys/{productKey}/{deviceName}/rrpc/response/{id}: the request's topic is not the answer's"
            }
            Self::NoReplySuffix => "the request's topic with _reply behind it",
            Self::Echo => r#"an answer, which has a `code`: {"id":"...","code":200,"data":{}}"#,
            Self::ForeignTopic => {
                "a topic below /sys/{productKey}/{deviceName}/ or /ext/rrpc/{id}/sys/{productKey}/{deviceName}/"
            }
            Self::OtherInstance => "the request's `id`",
            Self::OtherDevicesTopic => "the device's own product key and name in the topic",
            Self::OtherDevicesCall => "the `id` of a request to this device",
            Self::Overloaded => "fewer answers at once, or higher limits in [engine]",
        }
    }
}

/// A message that was dropped, as whoever drops it sees it. Making one costs nothing.
#[derive(Debug, Clone, Copy)]
pub struct Dropped<'a> {
    /// Who sent it, where that is known.
    pub device: Option<&'a DeviceKey>,
    /// The way it came.
    pub transport: TransportKind,
    /// Why it was dropped.
    pub reason: DropReason,
    /// The topic it came on.
    pub topic: &'a str,
    /// Its size.
    pub bytes: usize,
    /// What was wrong with its content, where it was read.
    pub problem: Option<&'a MalformedReply>,
}
