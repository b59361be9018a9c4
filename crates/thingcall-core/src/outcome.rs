//! How a call can end: one closed list, used in the answer, the metric label, the log and the record.

use std::fmt;

use enum_map::Enum;
use strum::{EnumString, IntoStaticStr};

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Enum, IntoStaticStr, EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum Outcome {
    /// The device did it.
    Ok,
    /// The device answered with a code other than 200.
    DeviceError,
    /// No answer in time.
    Timeout,
    /// The device is not connected, or went away while it was asked.
    Offline,
    /// The broker or the device refused the message.
    NotDelivered,
    /// The arguments do not fit the thing model.
    InvalidArgs,
    /// The device's answer cannot be read or does not fit the thing model.
    InvalidReply,
    /// Arguments or message exceed a limit.
    TooLarge,
    /// No such product, device, module or service.
    UnknownTarget,
    /// The caller may not, or the device is disabled.
    Denied,
    /// The caller's quota is used up.
    Throttled,
    /// thingcall's own limits are reached.
    Overloaded,
    /// The connection to the broker is down or was lost.
    TransportDown,
    /// A plugin failed.
    PluginFailed,
    /// The caller hung up, or an operator ended it.
    Cancelled,
    /// thingcall is shutting down.
    Draining,
    /// This instance has no lease in the store, or lost it.
    NoLease,
    /// A fault of thingcall's own.
    Internal,
}

impl Outcome {
    /// The word in metrics, logs and records.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether the device did what it was asked, as far as can be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
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
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

#[cfg(test)]
mod tests;
