//! The seam between a way to devices and the engine, for what comes back.

use crate::{Arrival, CallId, DeviceKey, Dropped, Post, RawReply, Reply, Takes, TransportKind, TransportName};

/// A way on which a message is heard once among all instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeardOnce {
    /// The transport that hears it.
    pub by: TransportName,
    /// Whether an answer in it counts. If not, that is heard on another way.
    pub answers: bool,
}

/// Takes what transports receive. Implemented by the engine.
///
/// **Invariant:** no function of it blocks or waits: it is called from a transport's receive loop.
pub trait ReplySink: Send + Sync {
    /// A device answered, on this topic. `arrival` is held until an answer that the journal has to write is written.
    fn accept(&self, reply: Reply, topic: &str, arrival: &dyn Arrival);

    /// Whether the device speaks its own bytes instead of Alink. Answers from memory.
    fn speaks_raw(&self, device: &DeviceKey) -> bool;

    /// How an answer of this device under this id is to be read. Answers from memory.
    fn takes(&self, device: &DeviceKey, _id: Option<CallId>) -> Takes {
        if self.speaks_raw(device) { Takes::Own } else { Takes::Alink }
    }

    /// A device said something in its own bytes, on this topic; as for [`Self::accept`].
    fn accept_raw(&self, raw: RawReply, topic: &str, arrival: &dyn Arrival);

    /// A device said something by itself, which came through `by`, on this topic.
    fn accept_post(&self, post: Post, by: TransportName, topic: &str, arrival: &dyn Arrival);

    /// As [`Self::accept_raw`], where the same message is heard once among all instances: what is a report in it counts.
    /// What is an answer counts too if `answers`, and is heard on another way if not.
    fn accept_raw_post(&self, raw: RawReply, heard: HeardOnce, topic: &str, arrival: &dyn Arrival);

    /// Whether a call to the device of this product key and name waits here. Answers from memory.
    fn waits_for(&self, product: &str, name: &str) -> bool;

    /// The device itself acknowledged the message of this call.
    fn acknowledged(&self, _: &DeviceKey, _: CallId) {}

    /// A device said something that is for nobody.
    fn dropped(&self, dropped: Dropped<'_>);

    /// A device published something that nobody here reads.
    fn passed_by(&self, _: &DeviceKey, _: TransportKind, _topic: &str, _bytes: usize) {}

    /// The device's connection was seen to end: what it was asked may or may not have been done.
    fn device_gone(&self, device: &DeviceKey, transport: TransportName);

    /// The transport lost its broker: what was sent may or may not have arrived.
    fn transport_lost(&self, transport: TransportName);
}
