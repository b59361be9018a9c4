//! Whose a client id of free text is.
//!
//! Brokers know sessions by client id: a device that connects under another's id takes its session over and gets its
//! queued messages. A free text says nothing of its device, so it belongs to the one that proved itself with it first.
//!
//! **Invariant:** an id has one device at a time, until it was not seen for `hold`; a device has at most
//! [`PER_DEVICE_MAX`] of them, and gives up the one it used least recently; all together are at most `max`.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use thingcall_core::DeviceKey;
use tokio::time::Instant;

/// Devices write time stamps into their ids, so a device has a new one at each connection.
pub(crate) const PER_DEVICE_MAX: usize = 8;

/// How often a full table is searched for ids that expired.
const PURGE_PAUSE: Duration = Duration::from_secs(1);

/// Why a client id is not given to a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotFree {
    /// It is another's.
    Taken,
    /// No more can be remembered.
    Full,
}

/// The ids in use.
pub(crate) struct ClientIds {
    held: Mutex<Held>,
    max: usize,
    hold: Duration,
}

#[derive(Default)]
struct Held {
    ids: HashMap<Arc<str>, Holder>,
    /// The ids of each device, the most recently used last.
    devices: HashMap<DeviceKey, VecDeque<Arc<str>>>,
    next_purge: Option<Instant>,
}

struct Holder {
    device: DeviceKey,
    used: Instant,
}

impl ClientIds {
    pub(crate) fn new(max: usize, hold: Duration) -> Self {
        Self { held: Mutex::default(), max, hold }
    }

    /// Gives the id to the device, or notes that it still uses it. How many ids are held then.
    pub(crate) fn claim(&self, client_id: &str, device: &DeviceKey, now: Instant) -> Result<usize, NotFree> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        match held.ids.get_mut(client_id) {
            Some(holder) if holder.device == *device => {
                holder.used = now;
                held.touch(client_id, device);
                return Ok(held.ids.len());
            }
            Some(holder) if now < holder.used + self.hold => return Err(NotFree::Taken),
            Some(_) => held.release(client_id),
            None => {}
        }
        if held.devices.get(device).is_some_and(|ids| ids.len() >= PER_DEVICE_MAX) {
            held.release_oldest(device);
        }
        if held.ids.len() >= self.max {
            held.purge(now, self.hold);
        }
        if held.ids.len() >= self.max {
            return Err(NotFree::Full);
        }
        held.insert(client_id.into(), device, now);
        Ok(held.ids.len())
    }
}

impl Held {
    fn insert(&mut self, client_id: Arc<str>, device: &DeviceKey, now: Instant) {
        self.devices.entry(device.clone()).or_default().push_back(client_id.clone());
        self.ids.insert(client_id, Holder { device: device.clone(), used: now });
    }

    fn touch(&mut self, client_id: &str, device: &DeviceKey) {
        let Some(ids) = self.devices.get_mut(device) else { return };
        if let Some(id) = ids.iter().position(|id| **id == *client_id).and_then(|at| ids.remove(at)) {
            ids.push_back(id);
        }
    }

    fn release(&mut self, client_id: &str) {
        let Some(holder) = self.ids.remove(client_id) else { return };
        let Some(ids) = self.devices.get_mut(&holder.device) else { return };
        ids.retain(|id| **id != *client_id);
        if ids.is_empty() {
            self.devices.remove(&holder.device);
        }
    }

    fn release_oldest(&mut self, device: &DeviceKey) {
        if let Some(oldest) = self.devices.get(device).and_then(VecDeque::front).cloned() {
            self.release(&oldest);
        }
    }

    fn purge(&mut self, now: Instant, hold: Duration) {
        if self.next_purge.is_some_and(|next| now < next) {
            return;
        }
        self.next_purge = Some(now + PURGE_PAUSE);
        self.ids.retain(|_, holder| now < holder.used + hold);
        let ids = &self.ids;
        self.devices.retain(|_, own| {
            own.retain(|id| ids.contains_key(id));
            !own.is_empty()
        });
    }
}

#[cfg(test)]
mod tests;
