//! Which handler takes a call.

use std::sync::Arc;

use thingcall_core::{Answer, Call, CallError, Codec, DeviceLink, Handler, Handlers, ProductKey};

use crate::forward::Forward;

/// Finds the handler of a call: the one whose claim fits best, else the built-in one.
pub(crate) struct Router {
    handlers: Arc<dyn Handlers>,
}

impl Router {
    pub(crate) fn new(handlers: Arc<dyn Handlers>) -> Self {
        Self { handlers }
    }

    /// Runs the call's handler.
    pub(crate) async fn handle(&self, call: &Call, device: &dyn DeviceLink) -> Result<Answer, CallError> {
        match self.handlers.find(call) {
            Some(handler) => handler.handle(call, device).await,
            None => Forward.handle(call, device).await,
        }
    }

    /// Who translates for a product's devices.
    #[expect(dead_code, reason = "raw devices come next")]
    pub(crate) fn codec(&self, product: &ProductKey) -> Option<Arc<dyn Codec>> {
        self.handlers.codec(product)
    }
}
