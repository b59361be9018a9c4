//! Messages of devices that led to nothing: each is counted by its reason, and the last one of a device is kept.
//!
//! **Invariants:** one log line a device and minute, however much it sends. What is kept is bounded: of the devices
//! beyond the limit, the one that was quiet longest is forgotten. Nothing here is on the path of a call that succeeds.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use enum_map::EnumMap;
use hashlink::LruCache;
use prometheus::{IntCounter, IntGauge};
use thingcall_core::{DeviceKey, DropReason, Dropped, PeerText, Reply, TransportKind, UnixMillis};
use thingcall_metrics::{Maker, gauge_of};
use tokio::time::Instant;
use tracing::info;

use crate::metrics::ReplyResult;
use crate::watches::DeviceWatches;

/// How long a device's line stands for what it sends after.
const LINE_PAUSE: Duration = Duration::from_secs(60);
/// As much of a topic is kept as a topic of ours can have.
const TOPIC_CHARS_MAX: usize = 200;

/// What was dropped.
#[derive(Debug)]
pub(crate) struct DroppedMessages {
    of_devices: Mutex<LruCache<DeviceKey, Noted>>,
    /// Of messages that name no device.
    of_nobody: Mutex<Noted>,
    counts: EnumMap<TransportKind, EnumMap<DropReason, IntCounter>>,
    devices: IntGauge,
    watches: Arc<DeviceWatches>,
}

/// The last message of a device that led to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastDropped {
    /// When it came.
    pub at: UnixMillis,
    /// The way it came.
    pub transport: TransportKind,
    /// Why it was dropped.
    pub reason: DropReason,
    /// The topic it came on, fit to be shown.
    pub topic: String,
    /// Its size.
    pub bytes: usize,
    /// What was wrong with its content, where it was read.
    pub problem: Option<String>,
    /// How many of this device were dropped since it was first noted.
    pub times: u64,
}

#[derive(Debug, Default)]
struct Noted {
    last: Option<(Instant, LastDropped)>,
    times: u64,
    /// When its last line was written, and how many had none since.
    line_at: Option<Instant>,
    left_out: u64,
}

impl DroppedMessages {
    pub(crate) fn register(
        make: Maker<'_>,
        devices_max: usize,
        watches: Arc<DeviceWatches>,
    ) -> Result<Self, prometheus::Error> {
        make.limit("dropped_devices_limit", "How many devices' last dropped message is kept", devices_max)?;
        Ok(Self {
            of_devices: Mutex::new(LruCache::new(devices_max)),
            of_nobody: Mutex::default(),
            counts: make.counters(
                "dropped_messages_total",
                "Messages of devices that led to nothing",
                ["transport", "reason"],
            )?,
            devices: make.gauge("dropped_devices", "Devices whose last dropped message is kept")?,
            watches,
        })
    }

    /// Counts a message that is dropped in the course of things: nobody needs to look at it.
    pub(crate) fn count(&self, dropped: &Dropped<'_>) {
        self.counts[dropped.transport][dropped.reason].inc();
        self.watches.dropped(dropped);
    }

    /// Counts a message, keeps it as its device's last, and tells it unless its device was told of a moment ago.
    pub(crate) fn note(&self, dropped: &Dropped<'_>) {
        self.count(dropped);
        let now = Instant::now();
        let left_out = match dropped.device {
            None => lock(&self.of_nobody).note(dropped, now),
            Some(device) => {
                let mut devices = lock(&self.of_devices);
                if !devices.contains_key(device) {
                    let _forgotten = devices.insert(device.clone(), Noted::default());
                    self.devices.set(gauge_of(devices.len()));
                }
                devices.get_mut(device).and_then(|noted| noted.note(dropped, now))
            }
        };
        if let Some(left_out) = left_out {
            tell(dropped, left_out);
        }
    }

    /// The last one of a device.
    pub(crate) fn last(&self, device: &DeviceKey) -> Option<LastDropped> {
        lock(&self.of_devices).peek(device).and_then(Noted::told)
    }

    /// The last one of a device, if it came at `since` or after.
    pub(crate) fn last_since(&self, device: &DeviceKey, since: Instant) -> Option<LastDropped> {
        let devices = lock(&self.of_devices);
        let noted = devices.peek(device)?;
        noted.last.as_ref().filter(|(came, _)| *came >= since)?;
        noted.told()
    }
}

impl LastDropped {
    /// What the device sent and what would have been right.
    pub fn in_words(&self) -> String {
        let Self { topic, bytes, reason, problem, .. } = self;
        let problem = problem.as_ref().map(|problem| format!(", {problem}")).unwrap_or_default();
        format!("{bytes} bytes on {topic} ({}{problem}); right is {}", reason.as_str(), reason.right())
    }
}

impl Noted {
    /// How many lines were left out before this one; `None` if it gets no line either.
    fn note(&mut self, dropped: &Dropped<'_>, now: Instant) -> Option<u64> {
        self.times += 1;
        let last = LastDropped {
            at: UnixMillis::now(),
            transport: dropped.transport,
            reason: dropped.reason,
            topic: PeerText::at_most(dropped.topic, TOPIC_CHARS_MAX).to_string(),
            bytes: dropped.bytes,
            problem: dropped
                .problem
                .map(|problem| PeerText::at_most(&problem.to_string(), TOPIC_CHARS_MAX).to_string()),
            times: self.times,
        };
        self.last = Some((now, last));
        if self.line_at.is_some_and(|line_at| now.duration_since(line_at) < LINE_PAUSE) {
            self.left_out += 1;
            return None;
        }
        self.line_at = Some(now);
        Some(std::mem::take(&mut self.left_out))
    }

    fn told(&self) -> Option<LastDropped> {
        self.last.as_ref().map(|(_, last)| LastDropped { times: self.times, ..last.clone() })
    }
}

/// A reply, as one that is for no call.
pub(crate) fn of_reply<'a>(reply: &'a Reply, topic: &'a str, reason: DropReason) -> Dropped<'a> {
    let Reply { device, transport, bytes, body, .. } = reply;
    let problem = body.as_ref().err();
    Dropped { device: Some(device), transport: *transport, reason, topic, bytes: *bytes, problem }
}

/// How a reply that was dropped counts.
pub(crate) const fn result_of(reason: DropReason) -> ReplyResult {
    match reason {
        DropReason::UnknownId => ReplyResult::Unknown,
        DropReason::OtherInstance => ReplyResult::Foreign,
        DropReason::OtherDevicesCall | DropReason::OtherDevicesTopic => ReplyResult::WrongDevice,
        DropReason::Overloaded => ReplyResult::Overloaded,
        DropReason::WithoutId
        | DropReason::Unreadable
        | DropReason::UnreadablePost
        | DropReason::UnknownDevice
        | DropReason::TooLarge
        | DropReason::Untranslated
        | DropReason::RrpcWithoutId
        | DropReason::RequestTopic
        | DropReason::NoReplySuffix
        | DropReason::Echo
        | DropReason::ForeignTopic => ReplyResult::Malformed,
    }
}

fn tell(dropped: &Dropped<'_>, left_out: u64) {
    let Dropped { device, transport, reason, topic, bytes, problem } = dropped;
    let device = device.map(tracing::field::display);
    let problem = problem.map(|problem| PeerText::new(&problem.to_string()).to_string());
    info!(
        device, transport = transport.as_str(), reason = reason.as_str(), topic = %PeerText::new(topic), bytes, problem,
        left_out, right = reason.right(), "a device's message was dropped"
    );
}

/// Nothing that is done under these locks can panic half way.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
