//! Messages of devices that led to nothing, and why.
//!
//! **Invariant:** the reasons are one closed list. Each says what would be right, so whoever shows a message that was
//! dropped can tell its device's author what to change.

use crate::{DeviceKey, MalformedReply, TransportKind};

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $word:literal, right $right:literal;)*) => {
        /// Why a device's message was dropped.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum DropReason { $($(#[$doc])* $name),* }

        impl DropReason {
            /// All of them, for what has a row for each.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The word in metrics and logs.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word),* }
            }

            /// What would have been right; goes on after "right is".
            pub const fn right(self) -> &'static str {
                match self { $(Self::$name => $right),* }
            }
        }
    };
}

reasons! {
    /// No call has its id.
    UnknownId = "unknown_id", right "the request's `id`, answered once and before the call is forgotten";
    /// It can be read, and neither it nor its topic has an id.
    WithoutId = "without_id", right "the request's `id` in the answer";
    /// It is no JSON object, so it has no id.
    Unreadable = "unreadable", right r#"a JSON object such as {"id":"...","code":200,"data":{}}"#;
    /// It is larger than the limit.
    TooLarge = "too_large", right "fewer bytes than the transport's message_bytes_max";
    /// It is in the device's own bytes, and nobody translates them.
    Untranslated = "untranslated", right "bytes that the plugin of the product can translate";
    /// On `rrpc/response`, without the id.
    RrpcWithoutId = "rrpc_without_id", right "/sys/{productKey}/{deviceName}/rrpc/response/{id}, with the id of the request's topic";
    /// An answer on `rrpc/request/{id}`.
    RequestTopic = "request_topic", right "/sys/{productKey}/{deviceName}/rrpc/response/{id}: the request's topic is not the answer's";
    /// An answer on `thing/service/{identifier}`.
    NoReplySuffix = "no_reply_suffix", right "the request's topic with _reply behind it";
    /// A request, which only this side sends: a broker's echo, or a device that answers without a `code`.
    Echo = "echo", right r#"an answer, which has a `code`: {"id":"...","code":200,"data":{}}"#;
    /// On no topic of a device.
    ForeignTopic = "foreign_topic", right "a topic below /sys/{productKey}/{deviceName}/ or /ext/rrpc/{id}/sys/{productKey}/{deviceName}/";
    /// Its id belongs to another instance of thingcall, which may share the broker.
    OtherInstance = "other_instance", right "the request's `id`";
    /// On a topic of another device.
    OtherDevicesTopic = "other_devices_topic", right "the device's own product key and name in the topic";
    /// Its id is that of a call to another device.
    OtherDevicesCall = "other_devices_call", right "the `id` of a request to this device";
    /// There was no room for it.
    Overloaded = "overloaded", right "fewer answers at once, or higher limits in [engine]";
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
