//! For tests of whoever stands at a seam of this crate: what every journal must do, and what everything that instances
//! share, and every keeper of subscriptions; beside it one of each that keeps all in memory, and a log of messages.

#![allow(clippy::expect_used, reason = "what breaks here breaks a test")]

mod contract;
mod leases;
mod memory;
mod memory_log;
mod memory_records;
mod memory_shared;
mod memory_subscriptions;
mod shared;
mod subscriptions;

use std::sync::{Arc, mpsc};

pub use contract::{UnderTest, assert_journal};
pub use leases::{LeasesUnderTest, MemoryLeases, assert_leases, instance};
pub use memory::MemoryJournal;
pub use memory_log::MemoryLog;
pub use memory_records::MemoryRecords;
pub use memory_shared::{MemoryNonces, MemoryQuota};
pub use memory_subscriptions::MemorySubscriptions;
pub use shared::{SharedUnderTest, assert_shared_nonces, assert_shared_quota};
pub use subscriptions::{SubscriptionsUnderTest, assert_subscriptions, tight_limits};

use crate::{
    Args, CallId, CallMode, Completion, Delivery, Device, Ending, Journal, JournalEntry, Qos, Repairs, Reply,
    ReplyBody, RequestId, ServiceId, TransportKind, UnixMillis, UnwrittenReply,
};

/// An asynchronous call of this service, to be written down.
pub fn entry(device: &Arc<Device>, id: CallId, service: &ServiceId, qos: Qos) -> JournalEntry {
    let delivery = Delivery {
        letter: None,
        id,
        device: device.clone(),
        service: service.clone(),
        params: Args::checked(r#"{"x":10.0}"#),
        raw: None,
        mode: CallMode::Async,
        qos,
        deadline: None,
        sync_topic: None,
        trace: None,
    };
    let (request_id, times) = (RequestId::random(), crate::CallTimes::default());
    JournalEntry { delivery, answer: None, request_id, action: "", key: None, accepted_at: UnixMillis(1), times }
}

/// A device's answer with this code, as the embedded broker hands it over.
pub fn reply(device: &Device, id: CallId, code: i64) -> Reply {
    Reply {
        device: device.key.clone(),
        transport: TransportKind::Embedded,
        payload_id: Some(id),
        topic_id: None,
        repairs: Repairs::NONE,
        body: Ok(ReplyBody { code, message: Some("said".to_owned()), data: r#"{"y":1}"#.to_owned() }),
        bytes: 40,
    }
}

/// A reply on its way into a journal; what it did is told here.
pub struct Asking(pub Reply, pub mpsc::Sender<Completion>);

impl UnwrittenReply for Asking {
    fn reply(&self) -> &Reply {
        &self.0
    }

    fn told(self: Box<Self>, did: Completion) {
        let _gone = self.1.send(did);
    }
}

/// Hands replies over; what they did comes when they are written.
pub fn end_all(journal: &dyn Journal, replies: Vec<Reply>) -> mpsc::Receiver<Completion> {
    let (told, did) = mpsc::channel();
    for reply in replies {
        journal.end(Ending::Replied(Box::new(Asking(reply, told.clone()))));
    }
    did
}

#[cfg(test)]
mod tests;
