//! Operations of a call: what a plugin asked for and how it ended.

use std::time::Duration;

use thingcall_core::{Answer, Args, CallError};
use thingcall_plugin::abi::{
    Bytes, CODE_ACCEPTED, CallResult, DoneFn, E_CANCELLED, E_INTERNAL, E_INVAL, E_LIMIT, E_OFFLINE, E_SHUTDOWN,
    E_TIMEOUT, FORMAT_JSON, OK,
};

use crate::foreign::size32;
use crate::instance::{Foreign, Instance};

/// An operation that was not yet told to have ended.
pub(crate) struct Operation {
    pub(crate) number: i32,
    pub(crate) done: DoneFn,
    pub(crate) user: Foreign,
}

/// What the engine's side shall do for an operation.
pub(crate) struct Order {
    pub(crate) number: i32,
    pub(crate) what: Ordered,
}

/// See [`Order`].
pub(crate) enum Ordered {
    /// A command for the device, and how long its reply may take at most.
    Forward(Args, Option<Duration>),
    /// Nothing but time.
    Timer(Duration),
}

/// How an operation ended.
#[derive(Debug)]
pub(crate) enum OperationEnd {
    /// The device, or who stands before it.
    Answered(Result<Answer, CallError>),
    /// A timer.
    Fired,
    /// The plugin gave it up, or its call is over.
    Cancelled,
}

impl OperationEnd {
    /// Tells the plugin.
    pub(crate) fn tell(&self, instance: &Instance, done: DoneFn, user: Foreign) {
        match self {
            Self::Answered(Ok(Answer::Replied(body))) => {
                let code = i32::try_from(body.code).unwrap_or(i32::MAX);
                let message = body.message.as_deref().unwrap_or_default();
                instance.done(done, user, &result(OK, code, &body.data, message));
            }
            Self::Answered(Ok(Answer::Accepted)) => {
                instance.done(done, user, &result(OK, CODE_ACCEPTED, "{}", ""));
            }
            Self::Answered(Err(error)) => {
                instance.done(done, user, &result(status_of(error), 0, "", &error.to_string()));
            }
            Self::Fired => instance.done(done, user, &result(OK, 0, "", "")),
            Self::Cancelled => instance.done(done, user, &result(E_CANCELLED, 0, "", "")),
        }
    }
}

fn result(status: i32, code: i32, data: &str, message: &str) -> CallResult {
    CallResult {
        struct_size: size32::<CallResult>(),
        status,
        code,
        format: FORMAT_JSON,
        data: Bytes::of(data.as_bytes()),
        message: Bytes::of(message.as_bytes()),
    }
}

/// The status a plugin gets for a failure of the engine's.
pub(crate) const fn status_of(error: &CallError) -> i32 {
    match error {
        CallError::Offline(_) | CallError::WentOffline(_) => E_OFFLINE,
        CallError::Timeout { .. } | CallError::Expired { .. } | CallError::PluginSilent { .. } => E_TIMEOUT,
        CallError::TooLarge(_) | CallError::InvalidArgs(_) => E_INVAL,
        CallError::Overloaded(_) => E_LIMIT,
        CallError::Draining | CallError::CutOff(_) => E_SHUTDOWN,
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
        | CallError::TransportLost
        | CallError::Plugin { .. }
        | CallError::Refused { .. }
        | CallError::NotRecorded { .. }
        | CallError::Internal(_) => E_INTERNAL,
    }
}
