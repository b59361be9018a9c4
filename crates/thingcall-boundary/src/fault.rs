//! Why something between host and plugin went wrong. The ABI's statuses become these where they come in, and numbers
//! again where they go out.

use thingcall_core::CallError;
use thingcall_plugin::abi::{
    E_CANCELLED, E_INTERNAL, E_INVAL, E_LIMIT, E_OFFLINE, E_PANIC, E_SHUTDOWN, E_STALE, E_TIMEOUT, E_UNSUPPORTED, OK,
};

/// One of the ABI's statuses below 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i32)]
pub(crate) enum Fault {
    /// The token is finished, or was never given out.
    Stale = E_STALE,
    /// A bad argument.
    Invalid = E_INVAL,
    /// A limit is reached.
    Limit = E_LIMIT,
    /// Given up, by the plugin or by the caller.
    Cancelled = E_CANCELLED,
    /// No answer in time.
    Timeout = E_TIMEOUT,
    /// The device is not connected.
    Offline = E_OFFLINE,
    /// Plugin code panicked.
    Panic = E_PANIC,
    /// Not in this version.
    Unsupported = E_UNSUPPORTED,
    /// Anything else.
    Internal = E_INTERNAL,
    /// The host or this generation stops.
    Shutdown = E_SHUTDOWN,
}

impl Fault {
    /// What a plugin's status says; one that does not exist is as good as [`Self::Internal`].
    pub(crate) const fn said(status: i32) -> Result<(), Self> {
        Err(match status {
            OK.. => return Ok(()),
            E_STALE => Self::Stale,
            E_INVAL => Self::Invalid,
            E_LIMIT => Self::Limit,
            E_CANCELLED => Self::Cancelled,
            E_TIMEOUT => Self::Timeout,
            E_OFFLINE => Self::Offline,
            E_PANIC => Self::Panic,
            E_UNSUPPORTED => Self::Unsupported,
            E_SHUTDOWN => Self::Shutdown,
            _ => Self::Internal,
        })
    }

    /// Its number.
    pub(crate) const fn status(self) -> i32 {
        self as i32
    }

    /// What a plugin is told of a failure of the engine's.
    pub(crate) const fn of(error: &CallError) -> Self {
        match error {
            CallError::Offline(_) | CallError::WentOffline(_) => Self::Offline,
            CallError::Timeout { .. } | CallError::Expired { .. } | CallError::PluginSilent { .. } => Self::Timeout,
            CallError::TooLarge(_) | CallError::InvalidArgs(_) | CallError::InvalidTopic(_) => Self::Invalid,
            CallError::Overloaded(_) => Self::Limit,
            CallError::Draining | CallError::CutOff(_) | CallError::Cancelled { .. } => Self::Shutdown,
            CallError::UnknownProduct(_)
            | CallError::UnknownDevice(_)
            | CallError::UnknownIotId(_)
            | CallError::NoModel(_)
            | CallError::UnknownService(_)
            | CallError::DeviceDisabled(_)
            | CallError::NotDelivered(_)
            | CallError::Device { .. }
            | CallError::InvalidReply(_)
            | CallError::TransportDown
            | CallError::NoLease
            | CallError::LeaseLost(_)
            | CallError::TransportLost
            | CallError::Plugin { .. }
            | CallError::Refused { .. }
            | CallError::NotRecorded { .. }
            | CallError::NotLookedUp(_)
            | CallError::Internal(_) => Self::Internal,
        }
    }

    /// What a plugin did that said so.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Stale => "it used a call that had ended",
            Self::Invalid => "it gave a bad argument",
            Self::Limit => "it reached a limit",
            Self::Cancelled => "it gave the call up",
            Self::Timeout => "it got no answer in time",
            Self::Offline => "it found the device offline",
            Self::Panic => "its code panicked",
            Self::Unsupported => "it does not support this",
            Self::Shutdown => "it stops",
            Self::Internal => "it failed",
        }
    }
}

/// The number of how something ended.
pub(crate) const fn status_of(end: Result<(), Fault>) -> i32 {
    match end {
        Ok(()) => OK,
        Err(fault) => fault.status(),
    }
}

#[cfg(test)]
mod tests;
