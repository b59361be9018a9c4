//! Whose turn it is, where a device takes one asynchronous command at a time.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use thingcall_core::DeviceKey;

/// The devices for which a command is being written down.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<HashSet<DeviceKey>>);

/// The right to write a command down. Dropping it lets the next one try.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    turns: &'a Turns,
    device: &'a DeviceKey,
}

impl Turns {
    /// The turn of this device, if nobody has it.
    pub(crate) fn take<'a>(&'a self, device: &'a DeviceKey) -> Option<Turn<'a>> {
        self.devices().insert(device.clone()).then_some(Turn { turns: self, device })
    }

    fn devices(&self) -> MutexGuard<'_, HashSet<DeviceKey>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.turns.devices().remove(self.device);
    }
}
