//! Whose a client id of free text is.
//!
//! Brokers know sessions by client id: a device that connects under another's id takes its session over and gets its
//! queued messages. A free text says nothing of its device, so it belongs to the one that proved itself with it first.
//!
//! **Invariant:** an id has one device at a time, until it was not seen for `hold`; a device has at most
//! [`PER_DEVICE_MAX`] of them, and gives up the one it used least recently; all together are at most `max`.

use std::collections::HashMap;
use std::hash::RandomState;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hashlink::{LinkedHashMap, LinkedHashSet};
use thingcall_core::DeviceKey;
use tokio::time::Instant;

/// Devices write time stamps into their ids, so a device has a new one at each connection.
pub(crate) const PER_DEVICE_MAX: usize = 8;

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

/// Both hold the least recently used first.
#[derive(Default)]
struct Held {
    /// Hashed with a random key: devices choose them.
    ids: LinkedHashMap<Arc<str>, Holder, RandomState>,
    devices: HashMap<DeviceKey, LinkedHashSet<Arc<str>>>,
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
        match held.ids.get(client_id) {
            Some(holder) if holder.device == *device => {
                held.touch(client_id, device, now);
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
            held.release_expired(now, self.hold);
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
        self.devices.entry(device.clone()).or_default().insert(client_id.clone());
        self.ids.insert(client_id, Holder { device: device.clone(), used: now });
    }

    fn touch(&mut self, client_id: &str, device: &DeviceKey, now: Instant) {
        if let Some(holder) = self.ids.to_back(client_id) {
            holder.used = now;
        }
        if let Some(own) = self.devices.get_mut(device) {
            own.to_back(client_id);
        }
    }

    fn release(&mut self, client_id: &str) {
        let Some(holder) = self.ids.remove(client_id) else { return };
        let Some(own) = self.devices.get_mut(&holder.device) else { return };
        own.remove(client_id);
        if own.is_empty() {
            self.devices.remove(&holder.device);
        }
    }

    fn release_oldest(&mut self, device: &DeviceKey) {
        if let Some(oldest) = self.devices.get(device).and_then(LinkedHashSet::front).cloned() {
            self.release(&oldest);
        }
    }

    fn release_expired(&mut self, now: Instant, hold: Duration) {
        while let Some((oldest, holder)) = self.ids.front()
            && now >= holder.used + hold
        {
            let oldest = oldest.clone();
            self.release(&oldest);
        }
    }
}

#[cfg(test)]
mod tests;
