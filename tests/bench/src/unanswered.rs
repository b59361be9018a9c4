//! Requests of the reference that wait for their answer.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use thingcall_core::{Arrival, DeviceKey, HeardOnce, Reply, ReplySink, TransportName};
use tokio::sync::oneshot;

/// Requests that wait for their answer.
#[derive(Default)]
pub(crate) struct Unanswered(Mutex<HashMap<u32, oneshot::Sender<()>>>);

impl Unanswered {
    /// Waits for the answer to this request.
    pub(crate) fn open(&self, id: u32) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id, sender);
        receiver
    }

    /// The answer to this request came.
    pub(crate) fn answered(&self, id: u32) {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        if let Some(sender) = waiting {
            // Nobody waits any more after the time-out.
            let _gone = sender.send(());
        }
    }
}

impl ReplySink for Unanswered {
    fn speaks_raw(&self, _device: &DeviceKey) -> bool {
        false
    }

    fn accept_raw(&self, _raw: thingcall_core::RawReply, _topic: &str, _arrival: &dyn Arrival) {}

    fn accept_post(&self, _post: thingcall_core::Post, _by: TransportName, _topic: &str, _arrival: &dyn Arrival) {}

    fn accept_raw_post(&self, _raw: thingcall_core::RawReply, _heard: HeardOnce, _topic: &str, _arrival: &dyn Arrival) {
    }

    fn waits_for(&self, _product: &str, _name: &str) -> bool {
        false
    }

    fn dropped(&self, _dropped: thingcall_core::Dropped<'_>) {}

    fn accept(&self, reply: Reply, _topic: &str, _arrival: &dyn Arrival) {
        if let Some(id) = reply.id() {
            self.answered(id.as_u32());
        }
    }

    fn device_gone(&self, _: &DeviceKey, _: TransportName) {}

    fn transport_lost(&self, _: TransportName) {}
}
