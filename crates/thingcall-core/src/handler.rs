//! The seam between the engine and what decides about a call: the built-in path or a plugin.

use async_trait::async_trait;

use crate::{Args, Call, CallError, ReplyBody, ServiceId};

/// Handles the calls of a module: a middleware around the device.
///
/// It may change the arguments, refuse, answer by itself, call the device none, one or several times, and change the
/// result. It is dropped at the call's deadline or when the caller hangs up.
#[async_trait]
pub trait Handler: Send + Sync {
    /// Handles one checked call; `device` reaches the device the call names.
    ///
    /// # Errors
    /// What the caller is told.
    async fn handle(&self, call: &Call, device: &dyn DeviceLink) -> Result<Answer, CallError>;
}

/// The way to the device of one call.
#[async_trait]
pub trait DeviceLink: Send + Sync {
    /// Sends a command. In a synchronous call it waits for the device's reply; in an asynchronous one it returns when
    /// the command is durable.
    ///
    /// # Errors
    /// Why there is no reply, and whether the device may have executed the command.
    async fn call(&self, command: Command) -> Result<Answer, CallError>;
}

/// What a device is told to do.
#[derive(Debug, Clone)]
pub struct Command {
    /// The service it runs.
    pub service: ServiceId,
    /// The parameters it gets.
    pub params: Args,
}

/// How a call succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The device answered.
    Replied(ReplyBody),
    /// The asynchronous call is on its way; its result comes later.
    Accepted,
}
