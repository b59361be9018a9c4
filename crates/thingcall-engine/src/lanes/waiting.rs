//! Who waits for a turn: what is told of its call, and what wakes it.
//!
//! **Invariant:** a wait is ended under the lock under which turns are given, so a call that is ended never gets one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use thingcall_core::{Call, CallId, CallMode, DeviceKey, RequestId, ServiceId};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::waits::{RunningCall, WaitsFor};

/// One who waits.
pub(super) struct Waiting {
    pub(super) number: u64,
    pub(super) look: Arc<Look>,
    pub(super) id: CallId,
    pub(super) since: Instant,
    pub(super) mode: CallMode,
    request_id: RequestId,
    service: ServiceId,
}

/// Tells one who waits to look how it stands.
#[derive(Default)]
pub(super) struct Look {
    /// Notified when it has become the first, may have its turn, or waits no more.
    notify: Notify,
    ended: AtomicBool,
}

impl Waiting {
    pub(super) fn new(number: u64, call: &Call, look: &Arc<Look>, since: Instant) -> Self {
        let (id, request_id, service, mode) = (call.id, call.request_id, call.service.clone(), call.mode);
        Self { number, look: look.clone(), id, since, request_id, service, mode }
    }

    /// What is told of it.
    pub(super) fn running(&self, device: &DeviceKey) -> RunningCall {
        RunningCall {
            id: self.id,
            request_id: self.request_id,
            device: device.clone(),
            service: self.service.clone(),
            mode: self.mode,
            waits_for: WaitsFor::Turn,
            age: self.since.elapsed(),
        }
    }
}

impl Look {
    /// It is to look.
    pub(super) fn tell(&self) {
        self.notify.notify_one();
    }

    /// It waits no more.
    pub(super) fn end(&self) {
        self.ended.store(true, Relaxed);
        self.tell();
    }

    /// Whether it waits no more.
    pub(super) fn is_ended(&self) -> bool {
        self.ended.load(Relaxed)
    }

    /// Returns when it is to look.
    pub(super) async fn notified(&self) {
        self.notify.notified().await;
    }
}
