//! Messages of applications' own that wait for devices which are away: those of QoS 1, of devices that asked for their session to
//! be kept when they connected last.
//!
//! **Invariants:** all of it is in memory alone, and a restart forgets it. A device that is connected has no place here: its
//! place begins with the end of its connection, and ends when it connects again, is disabled or deleted, or its session's time is
//! over. So many messages are kept of a device, and so many bytes of all; of devices those that left last.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hashlink::LinkedHashMap;
use prometheus::IntGauge;
use thingcall_core::{DeliverError, DeviceKey};
use thingcall_metrics::gauge_of;
use tokio::time::Instant;

use crate::connection::Outgoing;

/// What a place costs beside its messages, in bytes: the key, and the room in the maps.
const PLACE_BYTES: usize = 256;

/// The places of devices that are away.
pub(crate) struct Kept {
    all: Mutex<All>,
    messages_per_device_max: usize,
    bytes_max: usize,
    bytes_shown: IntGauge,
}

#[derive(Default)]
struct All {
    /// Those that left last come last.
    places: LinkedHashMap<DeviceKey, Place>,
    bytes: usize,
}

/// What waits for a device.
struct Place {
    /// When its session's time is over, if ever.
    until: Option<Instant>,
    waiting: VecDeque<Waiting>,
}

/// A message that waits.
pub(crate) struct Waiting {
    pub(crate) message: Outgoing,
    /// Since then.
    pub(crate) since: Instant,
}

impl Waiting {
    fn bytes(&self) -> usize {
        PLACE_BYTES + self.message.publish.topic.len() + self.message.publish.payload.len()
    }
}

impl Place {
    fn bytes(&self) -> usize {
        PLACE_BYTES + self.waiting.iter().map(Waiting::bytes).sum::<usize>()
    }
}

impl All {
    fn remove(&mut self, device: &DeviceKey) -> Option<Place> {
        let place = self.places.remove(device)?;
        self.bytes = self.bytes.saturating_sub(place.bytes());
        Some(place)
    }
}

impl Kept {
    pub(crate) fn new(messages_per_device_max: usize, bytes_max: usize, bytes_shown: IntGauge) -> Self {
        Self { all: Mutex::default(), messages_per_device_max, bytes_max, bytes_shown }
    }

    /// A device is away from now on, whose session is kept for so long, or for ever. Those that left long ago make room.
    pub(crate) fn begin(&self, device: &DeviceKey, keeps_for: Option<Duration>) {
        if self.messages_per_device_max == 0 {
            return;
        }
        let mut all = self.lock();
        drop(all.remove(device));
        let until = keeps_for.and_then(|keeps_for| Instant::now().checked_add(keeps_for));
        all.places.insert(device.clone(), Place { until, waiting: VecDeque::new() });
        all.bytes += PLACE_BYTES;
        while all.bytes > self.bytes_max
            && let Some(oldest) = all.places.front().map(|(device, _)| device.clone())
        {
            drop(all.remove(&oldest));
        }
        self.show(&all);
    }

    /// The device connects, or there is none any more: what waited for it, the oldest first.
    pub(crate) fn end(&self, device: &DeviceKey) -> VecDeque<Waiting> {
        let mut all = self.lock();
        let place = all.remove(device);
        self.show(&all);
        let in_time = place.filter(|place| place.until.is_none_or(|until| Instant::now() < until));
        in_time.map(|place| place.waiting).unwrap_or_default()
    }

    /// Keeps a message for a device that is away. A device that has no place is offline.
    pub(crate) fn put(&self, device: &DeviceKey, message: Outgoing) -> Result<(), DeliverError> {
        let mut all = self.lock();
        let waiting = Waiting { message, since: Instant::now() };
        let bytes = waiting.bytes();
        let room = all.bytes + bytes <= self.bytes_max;
        let place = all.places.get_mut(device).ok_or(DeliverError::Offline)?;
        if place.until.is_some_and(|until| waiting.since >= until) {
            return Err(DeliverError::Offline);
        }
        if place.waiting.len() >= self.messages_per_device_max || !room {
            return Err(DeliverError::QueueFull(self.messages_per_device_max));
        }
        place.waiting.push_back(waiting);
        all.bytes += bytes;
        self.show(&all);
        Ok(())
    }

    fn show(&self, all: &All) {
        self.bytes_shown.set(gauge_of(all.bytes));
    }

    /// Nothing that is done under this lock can panic half way.
    fn lock(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
