//! Devices that may not be connected any more, until whoever closes their connections takes them.
//!
//! **Invariant:** none is lost, however many there are at once; a device is in here once.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use thingcall_core::DeviceKey;
use tokio::sync::Notify;

/// The devices.
#[derive(Debug, Default)]
pub(crate) struct Dismissed {
    devices: Mutex<HashSet<DeviceKey>>,
    told: Notify,
}

impl Dismissed {
    /// This one may not be connected any more.
    pub(crate) fn put(&self, device: &DeviceKey) {
        self.lock().insert(device.clone());
        self.told.notify_one();
    }

    /// Takes those there are; waits for one.
    pub(crate) async fn next(&self) -> Vec<DeviceKey> {
        loop {
            let devices = std::mem::take(&mut *self.lock());
            if !devices.is_empty() {
                return devices.into_iter().collect();
            }
            self.told.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<DeviceKey>> {
        self.devices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
