//! The built-in handler: what the caller asks goes to the device as it is, and the device's answer comes back as it is.

use thingcall_core::{Answer, CallError, Command, DeviceLink};

use crate::link::{Course, Link};

impl Link<'_> {
    /// Passes its call on, which was checked at `now`.
    pub(crate) async fn forward(&self, now: tokio::time::Instant) -> Result<Answer, CallError> {
        let command = Command { service: self.call.service.clone(), params: self.call.args.clone() };
        match self.course() {
            // As most calls are: it needs no memory of its own.
            Course::Ask => self.ask(command, None, now).await,
            Course::Post | Course::Publish | Course::InTurn(_) => self.call(command).await,
        }
    }
}
