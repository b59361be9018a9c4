//! Devices that may not be connected any more, until whoever closes their connections takes them.
//!
//! **Invariant:** none is lost, however many there are at once; a device is in here once.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use thingcall_core::DeviceKey;
use tokio::sync::Notify;

/// Who may not be connected any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dismissed {
    /// These devices.
    These(Vec<DeviceKey>),
    /// Nobody knows who: look at each that is connected.
    PerhapsAny,
}

/// The devices.
#[derive(Debug, Default)]
pub(crate) struct Dismissals {
    waiting: Mutex<Waiting>,
    told: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    devices: HashSet<DeviceKey>,
    perhaps_any: bool,
}

impl Dismissals {
    /// This one may not be connected any more.
    pub(crate) fn put(&self, device: &DeviceKey) {
        self.lock().devices.insert(device.clone());
        self.told.notify_one();
    }

    /// Nobody knows which.
    pub(crate) fn put_any(&self) {
        self.lock().perhaps_any = true;
        self.told.notify_one();
    }

    /// Takes those there are; waits for one.
    pub(crate) async fn next(&self) -> Dismissed {
        loop {
            let Waiting { devices, perhaps_any } = std::mem::take(&mut *self.lock());
            if perhaps_any {
                return Dismissed::PerhapsAny;
            }
            if !devices.is_empty() {
                return Dismissed::These(devices.into_iter().collect());
            }
            self.told.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
