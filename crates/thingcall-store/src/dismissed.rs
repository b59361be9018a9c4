//! Devices that may not be connected any more, until whoever closes their connections takes them.
//!
//! **Invariant:** none is lost, however many there are at once; a device is in here once.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use thingcall_core::DeviceKey;
use tokio::sync::Notify;

use crate::Store;

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

    fn lock(&self) -> MutexGuard<'_, HashSet<DeviceKey>> {
        self.devices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// The devices that were disabled or removed since the last time, by this process or another; waits for one. Only of
    /// a store that was claimed, and for one caller.
    pub async fn dismissed(&self) -> Vec<DeviceKey> {
        let Dismissed { told, .. } = &self.shared().dismissed;
        loop {
            let devices = std::mem::take(&mut *self.shared().dismissed.lock());
            if !devices.is_empty() {
                return devices.into_iter().collect();
            }
            told.notified().await;
        }
    }
}
