//! The built-in handler: what the caller asks goes to the device as it is, and the device's answer comes back as it is.

use async_trait::async_trait;
use thingcall_core::{Answer, Call, CallError, Command, DeviceLink, Handler};

/// Passes a call on.
#[derive(Debug)]
pub(crate) struct Forward;

#[async_trait]
impl Handler for Forward {
    async fn handle(&self, call: &Call, device: &dyn DeviceLink) -> Result<Answer, CallError> {
        device.call(Command { service: call.service.clone(), params: call.args.clone() }).await
    }
}
