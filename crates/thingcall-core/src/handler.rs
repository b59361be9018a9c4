//! The seam between the engine and what decides about a call: the built-in path or a plugin.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::{Args, Call, CallError, Deadline, Delivery, Post, ProductKey, RawReply, Reply, ReplyBody, ServiceId};

/// Handles the calls of a module: a middleware around the device.
///
/// It may change the arguments, refuse, answer by itself, call the device none, one or several times, and change the
/// result. It is dropped at the call's deadline or when the caller hangs up.
///
/// ```
/// use async_trait::async_trait;
/// use thingcall_core::{Answer, Args, Call, CallError, Command, DeviceLink, Handler, ReplyBody};
///
/// /// Asks the device once more, and carefully, where it refuses.
/// struct Careful;
///
/// #[async_trait]
/// impl Handler for Careful {
///     async fn handle(&self, call: &Call, device: &dyn DeviceLink) -> Result<Answer, CallError> {
///         let command = Command { service: call.service.clone(), params: call.args.clone() };
///         match device.call(command).await? {
///             Answer::Replied(body) if body.code != ReplyBody::SUCCESS => {
///                 let params = Args::checked(r#"{"careful":1}"#);
///                 device.call(Command { service: call.service.clone(), params }).await
///             }
///             answer => Ok(answer),
///         }
///     }
/// }
/// ```
#[async_trait]
pub trait Handler: Send + Sync {
    /// Handles one checked call; `device` reaches the device the call names.
    ///
    /// # Errors
    /// What the caller is told.
    async fn handle(&self, call: &Call, device: &dyn DeviceLink) -> Result<Answer, CallError>;

    /// The plugin's name, for whoever tells of a call that failed.
    fn plugin(&self) -> Option<String> {
        None
    }
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

    /// When the handler is dropped: its caller waits no longer, in an asynchronous call either.
    fn deadline(&self) -> Deadline;
}

/// Who handles what beside the built-in path. Answers from memory: it stands on the path of every call.
pub trait Handlers: Send + Sync {
    /// The handler whose claim fits this call best; `None` for the built-in one.
    fn find(&self, call: &Call) -> Option<Arc<dyn Handler>>;

    /// Who translates for the devices of this product, if anybody does.
    fn codec(&self, product: &ProductKey) -> Option<Arc<dyn Codec>>;
}

/// Nobody beside the built-in path.
#[derive(Debug, Clone, Copy, Default)]
pub struct BuiltInOnly;

impl Handlers for BuiltInOnly {
    fn find(&self, _call: &Call) -> Option<Arc<dyn Handler>> {
        None
    }

    fn codec(&self, _product: &ProductKey) -> Option<Arc<dyn Codec>> {
        None
    }
}

/// Translates between Alink and the bytes of devices that speak their own.
#[async_trait]
pub trait Codec: Send + Sync {
    /// The bytes the device gets instead of the Alink request.
    ///
    /// # Errors
    /// Why there are none; nothing was sent.
    async fn encode(&self, delivery: &Delivery) -> Result<Bytes, CodecError>;

    /// What the device's bytes say.
    ///
    /// # Errors
    /// Why they cannot be read.
    async fn decode(&self, raw: RawReply) -> Result<Decoded, CodecError>;
}

/// What a device's own bytes say.
#[derive(Debug, Clone)]
pub enum Decoded {
    /// An answer to a call.
    Reply(Reply),
    /// Something that it says by itself.
    Post(Box<Post>),
    /// Nothing that is known here.
    Nothing,
}

/// Why a translation failed. The text names the plugin and what it said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CodecError(pub String);

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
    /// The device answered, or a handler in its place. A handler that refuses answers with a code other than 200.
    Replied(ReplyBody),
    /// The asynchronous call is on its way; its result comes later.
    Accepted,
}
