//! For tests of whoever stands at a seam of this crate: what every journal must do, and one that keeps all in memory.

#![allow(clippy::expect_used, reason = "what breaks here breaks a test")]

mod contract;
mod memory;

use std::sync::Arc;

pub use contract::{UnderTest, assert_journal};
pub use memory::MemoryJournal;

use crate::{
    Args, CallId, CallMode, Delivery, Device, JournalEntry, Qos, Repairs, Reply, ReplyBody, RequestId, ServiceId,
    TransportKind, UnixMillis,
};

/// An asynchronous call of this service, to be written down.
pub fn entry(device: &Arc<Device>, id: CallId, service: &ServiceId, qos: Qos) -> JournalEntry {
    let delivery = Delivery {
        id,
        device: device.clone(),
        service: service.clone(),
        params: Args::checked(r#"{"x":10.0}"#),
        raw: None,
        mode: CallMode::Async,
        qos,
        deadline: None,
        sync_topic: None,
    };
    JournalEntry { delivery, request_id: RequestId::random(), accepted_at: UnixMillis(1) }
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

#[cfg(test)]
mod tests;
