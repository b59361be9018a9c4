//! Which handler takes a call.

use std::sync::Arc;

use thingcall_core::{Call, Codec, Handler, Handlers, ProductKey};

/// Finds the handler of a call: the one whose claim fits best, else the built-in one.
pub(crate) struct Router {
    handlers: Arc<dyn Handlers>,
}

impl Router {
    pub(crate) fn new(handlers: Arc<dyn Handlers>) -> Self {
        Self { handlers }
    }

    /// The handler whose claim fits; `None` for the built-in one.
    pub(crate) fn find(&self, call: &Call) -> Option<Arc<dyn Handler>> {
        self.handlers.find(call)
    }

    /// Who translates for a product's devices.
    pub(crate) fn codec(&self, product: &ProductKey) -> Option<Arc<dyn Codec>> {
        self.handlers.codec(product)
    }
}
