//! Operations of a call: what a plugin asked for and how it ended.

use std::time::Duration;

use thingcall_core::{Answer, Args, CallError};
use thingcall_plugin::abi::{Bytes, CODE_ACCEPTED, CallResult, DoneFn, FORMAT_JSON};

use crate::fault::{Fault, status_of};
use crate::foreign::{Foreign, size32};
use crate::instance::Instance;

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
                instance.done(done, user, &result(Ok(()), code, &body.data, message));
            }
            Self::Answered(Ok(Answer::Accepted)) => {
                instance.done(done, user, &result(Ok(()), CODE_ACCEPTED, "{}", ""));
            }
            Self::Answered(Err(error)) => {
                instance.done(done, user, &result(Err(Fault::of(error)), 0, "", &error.to_string()));
            }
            Self::Fired => instance.done(done, user, &result(Ok(()), 0, "", "")),
            Self::Cancelled => instance.done(done, user, &result(Err(Fault::Cancelled), 0, "", "")),
        }
    }
}

fn result(end: Result<(), Fault>, code: i32, data: &str, message: &str) -> CallResult {
    CallResult {
        struct_size: size32::<CallResult>(),
        status: status_of(end),
        code,
        format: FORMAT_JSON,
        data: Bytes::of(data.as_bytes()),
        message: Bytes::of(message.as_bytes()),
    }
}
