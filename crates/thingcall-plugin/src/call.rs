//! One call, as the handler sees it.

use std::fmt;
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::device::Device;
use crate::foreign::text_of;
use crate::host::Host;
use crate::operation::Operation;
use crate::{abi, Reject};

/// A call that was checked against the thing model. It lives as long as its handler runs, and no longer: it cannot be
/// moved into a task.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    pub(crate) token: abi::Token,
    pub(crate) request: &'a Request<'a>,
}

/// What the host says of a call: texts, which are looked at when a handler asks for one, and the arguments.
pub(crate) struct Request<'a> {
    pub(crate) sync: bool,
    pub(crate) product_key: &'a [u8],
    pub(crate) device_name: &'a [u8],
    pub(crate) identifier: &'a [u8],
    pub(crate) module: &'a [u8],
    pub(crate) service: &'a [u8],
    pub(crate) request_id: &'a [u8],
    pub(crate) args: &'a [u8],
    pub(crate) traceparent: &'a [u8],
    pub(crate) tracestate: &'a [u8],
}

impl<'a> Call<'a> {
    /// The arguments, read as this type.
    ///
    /// # Errors
    /// Code 460 if they do not fit.
    pub fn args<T: DeserializeOwned>(&self) -> Result<T, Reject> {
        serde_json::from_slice(self.request.args).map_err(|error| Reject::new(460, format!("arguments: {error}")))
    }

    /// The arguments' JSON text, as the caller wrote it.
    pub fn args_json(&self) -> &'a [u8] {
        self.request.args
    }

    /// The product's key.
    pub fn product_key(&self) -> &'a str {
        text_of(self.request.product_key)
    }

    /// The device's name.
    pub fn device_name(&self) -> &'a str {
        text_of(self.request.device_name)
    }

    /// The service as called: `testFb:testService`.
    pub fn identifier(&self) -> &'a str {
        text_of(self.request.identifier)
    }

    /// The module: `testFb`; empty for the default module.
    pub fn module(&self) -> &'a str {
        text_of(self.request.module)
    }

    /// The service within its module: `testService`.
    pub fn service(&self) -> &'a str {
        text_of(self.request.service)
    }

    /// Names the call in logs.
    pub fn request_id(&self) -> &'a str {
        text_of(self.request.request_id)
    }

    /// This handler's own place in the trace that the call belongs to, as W3C's header `traceparent` has it: whom the handler asks over
    /// HTTP is below it, where it is sent along. `None` where the call belongs to no trace, and on servers that know none.
    pub fn traceparent(&self) -> Option<&'a str> {
        Some(text_of(self.request.traceparent)).filter(|text| !text.is_empty())
    }

    /// The header `tracestate` that goes with [`Self::traceparent`].
    pub fn tracestate(&self) -> Option<&'a str> {
        Some(text_of(self.request.tracestate)).filter(|text| !text.is_empty())
    }

    /// Whether the caller waits for the device. In an asynchronous call a command to the device is done, with code 202,
    /// when it is durable; the device's result goes to the call's record.
    pub fn is_sync(&self) -> bool {
        self.request.sync
    }

    /// What is left before the handler is dropped; `None` if nothing limits it.
    pub fn remaining(&self) -> Option<Duration> {
        Host::get()?.remaining(self.token)
    }

    /// Waits; never for less than this. When the call's deadline comes first, its handler is dropped here.
    pub async fn sleep(&self, time: Duration) {
        let Err(failed) = Operation::timer(self.token, time).await else { return };
        // The call is over, or the host has no timer left for it. To go on now would be too early.
        if !failed.is_cancelled() {
            crate::warn!("call.sleep: {}", failed.message());
        }
        std::future::pending().await
    }

    pub(crate) fn device(&self) -> Device<'a> {
        Device::new(self.token)
    }
}

impl fmt::Debug for Call<'_> {
    /// Without the arguments: they do not belong in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (identifier, request) = (self.identifier(), self.request_id());
        write!(f, "Call({identifier} of {}/{}, request {request})", self.product_key(), self.device_name())
    }
}
