//! How a call can end: one closed list, used in the answer, the metric label, the log and the record.

use std::fmt;

macro_rules! outcomes {
    ($($(#[$doc:meta])* $name:ident = $word:literal),* $(,)?) => {
        /// How a call ended.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Outcome { $($(#[$doc])* $name),* }

        impl Outcome {
            /// All of them, for what has a row for each.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The word in metrics, logs and records.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word),* }
            }

            /// The outcome of this word.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$name),)* _ => None }
            }
        }
    };
}

outcomes! {
    /// The device did it.
    Ok = "ok",
    /// The device answered with a code other than 200.
    DeviceError = "device_error",
    /// No answer in time.
    Timeout = "timeout",
    /// The device is not connected, or went away while it was asked.
    Offline = "offline",
    /// The broker or the device refused the message.
    NotDelivered = "not_delivered",
    /// The arguments do not fit the thing model.
    InvalidArgs = "invalid_args",
    /// The device's answer cannot be read or does not fit the thing model.
    InvalidReply = "invalid_reply",
    /// Arguments or message exceed a limit.
    TooLarge = "too_large",
    /// No such product, device, module or service.
    UnknownTarget = "unknown_target",
    /// The caller may not, or the device is disabled.
    Denied = "denied",
    /// The caller's quota is used up.
    Throttled = "throttled",
    /// thingcall's own limits are reached.
    Overloaded = "overloaded",
    /// The connection to the broker is down or was lost.
    TransportDown = "transport_down",
    /// A plugin failed.
    PluginFailed = "plugin_failed",
    /// The caller hung up.
    Cancelled = "cancelled",
    /// thingcall is shutting down.
    Draining = "draining",
    /// A fault of thingcall's own.
    Internal = "internal",
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether the device did what it was asked, as far as can be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Executed {
    /// It did not: the command never left.
    No,
    /// It may have: the command left and no answer says.
    Maybe,
    /// It answered.
    Yes,
}

impl Executed {
    /// The word in logs and in what `explain` tells.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::Maybe => "maybe",
            Self::Yes => "yes",
        }
    }
}
