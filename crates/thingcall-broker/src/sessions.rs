//! Who is connected.
//!
//! **Invariants:** a device has one current connection or none, whatever client id it sent: the last that logged in. So
//! no device can keep another off, nor take its place. Presence is told in the order in which it happened.
//!
//! The map is touched by plain functions only; no guard outlives its statement.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use thingcall_core::{DeviceKey, PresenceSink, ProductKey, TransportName, UnixMillis};

use crate::connection::Connection;

/// The connected devices.
pub(crate) struct Sessions {
    devices: DashMap<DeviceKey, Arc<Connection>>,
    presence: Arc<dyn PresenceSink>,
    max: usize,
    count: AtomicUsize,
    closed: AtomicBool,
}

/// Why a device that proved itself gets no session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoRoom {
    /// As many devices are connected as may.
    Full,
    /// The broker stops.
    Closed,
}

impl Sessions {
    pub(crate) fn new(presence: Arc<dyn PresenceSink>, max: usize) -> Self {
        let (count, closed) = (AtomicUsize::new(0), AtomicBool::new(false));
        Self { devices: DashMap::new(), presence, max, count, closed }
    }

    /// Refuses connections from now on.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    /// Whether connections are accepted.
    pub(crate) fn is_open(&self) -> bool {
        !self.closed.load(Ordering::Acquire)
    }

    /// How many devices are connected.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Makes this the device's connection. The one it takes over from, if any, is no longer it.
    pub(crate) fn enter(&self, connection: &Arc<Connection>, address: &str) -> Result<Option<Arc<Connection>>, NoRoom> {
        if !self.is_open() {
            return Err(NoRoom::Closed);
        }
        let old = match self.devices.entry(connection.device.clone()) {
            Entry::Occupied(mut held) => {
                self.online(connection, address);
                Some(held.insert(connection.clone()))
            }
            Entry::Vacant(free) => {
                let more = |count| (count < self.max).then_some(count + 1);
                if self.count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_err() {
                    return Err(NoRoom::Full);
                }
                self.online(connection, address);
                drop(free.insert(connection.clone()));
                None
            }
        };
        if let Some(old) = &old {
            old.gone.cancel();
        }
        Ok(old)
    }

    /// Under the entry's lock, as in `leave`: the sink sees online and offline in the order they happened.
    fn online(&self, connection: &Connection, address: &str) {
        self.presence.online(&connection.device, TransportName::EMBEDDED, Some(address), UnixMillis::now());
    }

    /// The connection is over. Whether the device is offline by that: `false` if another took over, or this was said
    /// before. What is to be there `before` that is told is done first.
    pub(crate) fn leave(&self, connection: &Arc<Connection>, before: impl FnOnce()) -> bool {
        connection.gone.cancel();
        let left = self.devices.remove_if(&connection.device, |device, current| {
            let ours = Arc::ptr_eq(current, connection);
            if ours {
                before();
                self.presence.offline(device, UnixMillis::now());
            }
            ours
        });
        if left.is_some() {
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
        left.is_some()
    }

    /// The device's connection.
    pub(crate) fn of_device(&self, device: &DeviceKey) -> Option<Arc<Connection>> {
        self.devices.get(device).filter(|connection| !connection.is_closed()).map(|connection| connection.clone())
    }

    /// The connections of a product's devices.
    pub(crate) fn of_product(&self, product: &ProductKey) -> Vec<Arc<Connection>> {
        let its = self.devices.iter().filter(|connection| connection.device.product == *product);
        its.map(|connection| connection.clone()).collect()
    }

    /// All current connections.
    pub(crate) fn all(&self) -> Vec<Arc<Connection>> {
        self.devices.iter().map(|connection| connection.clone()).collect()
    }
}

#[cfg(test)]
mod tests;
