//! One device's connection: who it is, the way into its session, and what is on the way.
//!
//! **Invariant:** `waiting` is the number of messages handed to the session and not yet written or dropped; it never
//! exceeds its limits, because rmqtt's own channel in front of the session has none.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rmqtt::types::{From, Id, Message, Publish, Reason, Tx};
use thingcall_core::{DeviceKey, UnixMillis};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::flush::Flush;

/// How often `seen` is reported for a device that keeps talking.
const SEEN_EVERY_MS: i64 = 10_000;

/// A connected device.
pub(crate) struct Connection {
    /// rmqtt's name of the session; no two connections share it.
    pub(crate) id: Id,
    /// The device that proved itself.
    pub(crate) device: DeviceKey,
    /// It takes synchronous calls on `/ext/rrpc/...`.
    pub(crate) ext_rrpc: bool,
    /// The largest packet it takes, in bytes.
    pub(crate) packet_bytes_max: usize,
    /// Notified when a command is acknowledged or given up.
    pub(crate) room: Notify,
    /// Cancelled when this is no longer the device's connection.
    pub(crate) gone: CancellationToken,
    tx: Tx,
    waiting: AtomicUsize,
    seen_at_ms: AtomicI64,
    flush: Mutex<Flush>,
}

/// What is known of a connection when it begins.
pub(crate) struct Begin {
    pub(crate) id: Id,
    pub(crate) device: DeviceKey,
    pub(crate) ext_rrpc: bool,
    pub(crate) packet_bytes_max: usize,
    pub(crate) window: usize,
    pub(crate) tx: Tx,
}

impl Connection {
    pub(crate) fn new(begin: Begin) -> Self {
        Self {
            id: begin.id,
            device: begin.device,
            ext_rrpc: begin.ext_rrpc,
            packet_bytes_max: begin.packet_bytes_max,
            room: Notify::new(),
            gone: CancellationToken::new(),
            tx: begin.tx,
            waiting: AtomicUsize::new(0),
            seen_at_ms: AtomicI64::new(0),
            flush: Mutex::new(Flush::new(begin.window)),
        }
    }

    /// The commands' state. Held for a look-up at a time, never across an await.
    pub(crate) fn flush(&self) -> MutexGuard<'_, Flush> {
        self.flush.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the session's task has ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.tx.is_closed()
    }

    /// Takes a place among the waiting messages; `false` if `max` are taken.
    pub(crate) fn reserve(&self, max: usize) -> bool {
        self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| (n < max).then_some(n + 1)).is_ok()
    }

    /// Gives a place back; `false` if none was taken any more.
    pub(crate) fn release(&self) -> bool {
        self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok()
    }

    /// Gives all places back; how many there were.
    pub(crate) fn release_all(&self) -> usize {
        self.waiting.swap(0, Ordering::Relaxed)
    }

    /// Hands a message to the session; `false` if the session has ended.
    pub(crate) fn send(&self, from: From, publish: Publish) -> bool {
        self.tx.unbounded_send(Message::Forward(from, publish)).is_ok()
    }

    /// Tells the session to end. A session that ended already does not mind.
    pub(crate) fn close(&self, reason: Reason) {
        if self.tx.unbounded_send(Message::Closed(reason)).is_err() {
            tracing::debug!(device = %self.device, "session had ended");
        }
    }

    /// Whether it is time to report that the device was seen.
    pub(crate) fn seen(&self, now: UnixMillis) -> bool {
        let before = self.seen_at_ms.load(Ordering::Relaxed);
        now.0.saturating_sub(before) >= SEEN_EVERY_MS
            && self.seen_at_ms.compare_exchange(before, now.0, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}
