//! One device's connection: who it is, the way into its session, and what is on the way.
//!
//! **Invariant:** `waiting` is the number of messages handed to the session and not yet written or dropped; it never
//! exceeds its limit, because the queue in front of the session has none. Commands of the outbox have places of their
//! own, which the flush's window bounds.

use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rmqtt_codec::types::{Publish, QoS};
use rmqtt_codec::v5::{DisconnectReasonCode, ToReasonCode};
use thingcall_alink::matches;
use thingcall_core::{CallId, Deadline, DeviceKey, UnixMillis};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::flush::Flush;
use crate::orders::Orders;
use crate::packet::{Keeps, Version};

/// How often `seen` is reported for a device that keeps talking.
const SEEN_EVERY_MS: i64 = 10_000;

/// How many filters of a device are kept. Source: Huawei's platform has 50 for the like; Alibaba's says no number.
const BROADCAST_FILTERS_MAX: usize = 50;

/// A connected device.
pub(crate) struct Connection {
    /// The device that proved itself.
    pub(crate) device: DeviceKey,
    /// Where it comes from.
    pub(crate) peer: SocketAddr,
    /// It takes synchronous calls on `/ext/rrpc/...`.
    pub(crate) ext_rrpc: bool,
    /// What it speaks.
    pub(crate) version: Version,
    /// The largest packet it takes, in bytes.
    pub(crate) packet_bytes_max: usize,
    /// Whether something is kept for it when it leaves.
    pub(crate) keeps: Keeps,
    /// Notified when a command is acknowledged or given up.
    pub(crate) room: Notify,
    /// Cancelled when this is no longer the device's connection.
    pub(crate) gone: CancellationToken,
    /// What its session is to do.
    pub(crate) orders: Orders<Order>,
    waiting: AtomicUsize,
    waiting_kept: AtomicUsize,
    seen_at_ms: AtomicI64,
    flush: Mutex<Flush>,
    /// What it subscribed to of what is told many devices of its product.
    filters: Mutex<Vec<String>>,
}

/// What a session is to do.
pub(crate) enum Order {
    /// Write a message.
    Send(Outgoing),
    /// Acknowledge one of the device's.
    Acknowledge(Taken),
    /// End.
    Close(Ended),
}

/// A message of the device's that is to be acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) packet_id: NonZeroU16,
    /// 1 or 2.
    pub(crate) qos: QoS,
    /// Not refused.
    pub(crate) allowed: bool,
}

/// A message to the device.
pub(crate) struct Outgoing {
    pub(crate) publish: Box<Publish>,
    /// The asynchronous call that it is.
    pub(crate) command: Option<CallId>,
    /// What MQTT 5 is told as its correlation data, where its bytes do not hold its id.
    pub(crate) correlation: Option<CallId>,
    /// After this nobody waits for it.
    pub(crate) deadline: Option<Deadline>,
}

impl Outgoing {
    /// Whether the outbox keeps it until the device has acknowledged it.
    pub(crate) fn kept(&self) -> bool {
        self.command.is_some() && self.publish.qos != QoS::AtMostOnce
    }
}

/// What place a message takes that waits for the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waits {
    /// One of so many.
    OneOf(usize),
    /// For a command of the outbox.
    Kept,
}

/// Why the broker ends a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Ended {
    #[error("the device logged in again")]
    TakenOver,
    #[error("the device was disabled or deleted")]
    Kicked,
    #[error("the broker stops")]
    Shutdown,
    #[error("the device was silent for longer than its keep-alive")]
    Silent,
    #[error("the device sent what no client sends")]
    Protocol,
    #[error("the device has too many QoS 2 messages under way")]
    TooMany,
    #[error("what the device reported could not be written; it has to send it again")]
    Unwritten,
}

impl ToReasonCode for Ended {
    fn to_reason_code(&self) -> DisconnectReasonCode {
        match self {
            Self::TakenOver => DisconnectReasonCode::SessionTakenOver,
            Self::Kicked => DisconnectReasonCode::AdministrativeAction,
            Self::Shutdown => DisconnectReasonCode::ServerShuttingDown,
            Self::Silent => DisconnectReasonCode::KeepAliveTimeout,
            Self::Protocol => DisconnectReasonCode::ProtocolError,
            Self::TooMany => DisconnectReasonCode::ReceiveMaximumExceeded,
            Self::Unwritten => DisconnectReasonCode::ServerBusy,
        }
    }
}

/// What is known of a connection when it begins.
pub(crate) struct Begin {
    pub(crate) device: DeviceKey,
    pub(crate) peer: SocketAddr,
    pub(crate) ext_rrpc: bool,
    pub(crate) version: Version,
    pub(crate) packet_bytes_max: usize,
    pub(crate) keeps: Keeps,
    pub(crate) window: usize,
}

impl Connection {
    pub(crate) fn new(begin: Begin) -> Self {
        Self {
            device: begin.device,
            peer: begin.peer,
            ext_rrpc: begin.ext_rrpc,
            version: begin.version,
            packet_bytes_max: begin.packet_bytes_max,
            keeps: begin.keeps,
            room: Notify::new(),
            gone: CancellationToken::new(),
            orders: Orders::new(),
            waiting: AtomicUsize::new(0),
            waiting_kept: AtomicUsize::new(0),
            seen_at_ms: AtomicI64::new(0),
            flush: Mutex::new(Flush::new(begin.window)),
            filters: Mutex::default(),
        }
    }

    /// The commands' state. Held for a look-up at a time, never across an await.
    pub(crate) fn flush(&self) -> MutexGuard<'_, Flush> {
        self.flush.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a filter of what is told many devices; `false` if as many are kept as may be.
    pub(crate) fn asks_for(&self, filter: &str) -> bool {
        let mut filters = self.filters();
        let known = filters.iter().any(|other| other == filter);
        let room = filters.len() < BROADCAST_FILTERS_MAX;
        if !known && room {
            filters.push(filter.to_owned());
        }
        known || room
    }

    /// Forgets one.
    pub(crate) fn asks_no_more_for(&self, filter: &str) {
        self.filters().retain(|other| other != filter);
    }

    /// Whether one of them matches this topic.
    pub(crate) fn hears(&self, topic: &str) -> bool {
        self.filters().iter().any(|filter| matches(filter, topic))
    }

    fn filters(&self) -> MutexGuard<'_, Vec<String>> {
        self.filters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the session has ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.orders.is_over()
    }

    /// Takes a place among the waiting messages; `false` if all there are is taken.
    pub(crate) fn reserve(&self, waits: Waits) -> bool {
        let (places, max) = match waits {
            Waits::OneOf(max) => (&self.waiting, max),
            Waits::Kept => (&self.waiting_kept, usize::MAX),
        };
        places.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| (n < max).then_some(n + 1)).is_ok()
    }

    /// Gives a place back; `false` if none was taken any more.
    pub(crate) fn release(&self, kept: bool) -> bool {
        let places = if kept { &self.waiting_kept } else { &self.waiting };
        places.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok()
    }

    /// Gives all places back; how many there were, and how many of commands that the outbox keeps.
    pub(crate) fn release_all(&self) -> (usize, usize) {
        (self.waiting.swap(0, Ordering::Relaxed), self.waiting_kept.swap(0, Ordering::Relaxed))
    }

    /// Hands a message to the session; `false` if the session has ended.
    pub(crate) fn send(&self, message: Outgoing) -> bool {
        self.orders.put(Order::Send(message)).is_ok()
    }

    /// Has a message of the device's acknowledged; gives that back if the session has ended.
    pub(crate) fn acknowledge(&self, taken: Taken) -> Result<(), Taken> {
        self.orders.put(Order::Acknowledge(taken)).map_err(|_| taken)
    }

    /// Tells the session to end. A session that ended already does not mind.
    pub(crate) fn close(&self, ended: Ended) {
        if self.orders.put(Order::Close(ended)).is_err() {
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
