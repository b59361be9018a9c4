//! Several plugins in a row: each gets, in place of the device, the next one; the last gets the device.
//!
//! What a plugin forwards is the next one's call: its arguments, the same id, caller and deadline. What the next one
//! answers is the plugin's reply.

use std::sync::Arc;

use async_trait::async_trait;
use thingcall_core::{Answer, Call, CallError, Command, Deadline, DeviceLink, Handler};

/// At least two handlers.
pub(crate) struct Chain {
    first: Arc<dyn Handler>,
    rest: Vec<Arc<dyn Handler>>,
}

impl Chain {
    /// These in a row; one alone is itself.
    pub(crate) fn of(mut handlers: Vec<Arc<dyn Handler>>) -> Option<Arc<dyn Handler>> {
        if handlers.len() < 2 {
            return handlers.pop();
        }
        let first = handlers.remove(0);
        Some(Arc::new(Self { first, rest: handlers }))
    }
}

#[async_trait]
impl Handler for Chain {
    async fn handle(&self, call: &Call, device: &dyn DeviceLink) -> Result<Answer, CallError> {
        self.first.handle(call, &Next { call, rest: &self.rest, device }).await
    }

    /// All of them, in their order: which one holds a call is not known from outside.
    fn plugin(&self) -> Option<String> {
        let names: Vec<_> = std::iter::once(&self.first).chain(&self.rest).filter_map(|one| one.plugin()).collect();
        (!names.is_empty()).then(|| names.join(", "))
    }
}

/// What stands behind one handler of a chain.
struct Next<'a> {
    call: &'a Call,
    rest: &'a [Arc<dyn Handler>],
    device: &'a dyn DeviceLink,
}

#[async_trait]
impl DeviceLink for Next<'_> {
    async fn call(&self, command: Command) -> Result<Answer, CallError> {
        let Some((next, rest)) = self.rest.split_first() else {
            return self.device.call(command).await;
        };
        let call = Call { service: command.service, args: command.params, ..self.call.clone() };
        next.handle(&call, &Next { call: &call, rest, device: self.device }).await
    }

    fn deadline(&self) -> Deadline {
        self.device.deadline()
    }
}

#[cfg(test)]
mod tests;
