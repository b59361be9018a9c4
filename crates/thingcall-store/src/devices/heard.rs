//! What was heard of devices and is not in the database yet, and who reads them meanwhile.
//!
//! **Invariant:** what was heard is here from before it is in memory until it is in the database. A device that is read
//! while something of it is written is marked, and read again: nobody can say which of the two came first.

use std::collections::HashMap;
use std::mem;

use thingcall_core::{DeviceKey, UnixMillis};

use crate::live::{Heard, Live};

/// What is not written yet.
#[derive(Debug, Default)]
pub(super) struct Unwritten {
    heard: HashMap<DeviceKey, Heard>,
    /// What was heard before, and is being written.
    writing: HashMap<DeviceKey, Heard>,
    /// Devices that are being read.
    read: HashMap<DeviceKey, Read>,
    /// What this process told others of and has not read back yet.
    pub(super) told: Told,
    /// How often anything was changed in the database, as far as this process knows.
    pub(super) changes: u64,
}

/// What this process told others of: its own memory has it.
#[derive(Debug, Default)]
pub(super) struct Told {
    devices: HashMap<DeviceKey, u32>,
    many: u32,
}

impl Told {
    /// They were told of this device; or of many, without names.
    pub(super) fn tell(&mut self, device: Option<&DeviceKey>) {
        match device {
            Some(device) => *self.devices.entry(device.clone()).or_default() += 1,
            None => self.many += 1,
        }
    }

    /// Whether what is read now is what this process told.
    pub(super) fn is_own(&mut self, device: Option<&DeviceKey>) -> bool {
        let Some(device) = device else {
            let own = self.many > 0;
            self.many = self.many.saturating_sub(1);
            return own;
        };
        let Some(times) = self.devices.get_mut(device) else { return false };
        *times -= 1;
        if *times == 0 {
            self.devices.remove(device);
        }
        true
    }
}

/// A device that is being read.
#[derive(Debug, Default)]
struct Read {
    /// By so many.
    readers: usize,
    /// What they read may be old.
    is_old: bool,
}

impl Unwritten {
    /// Of how many devices there is something.
    pub(super) fn len(&self) -> usize {
        self.heard.len() + self.writing.len()
    }

    /// Takes in what was heard of a device. Where as many as `max` wait, a mere sign of one more is left out: there will be
    /// others. Says whether it was taken in.
    pub(super) fn hear(&mut self, device: &DeviceKey, heard: Heard, max: usize) -> bool {
        if let Some(before) = self.heard.get_mut(device) {
            before.join(heard);
        } else if heard.is_sign() && self.len() >= max {
            return false;
        } else {
            self.heard.insert(device.clone(), heard);
        }
        true
    }

    /// What is to be written, that which could not be written last time too. It stays until [`Unwritten::wrote`].
    pub(super) fn take(&mut self) -> Vec<(DeviceKey, Heard)> {
        for (device, heard) in mem::take(&mut self.heard) {
            self.writing.entry(device).or_default().join(heard);
        }
        self.writing.iter().map(|(device, heard)| (device.clone(), heard.clone())).collect()
    }

    /// It is written.
    pub(super) fn wrote(&mut self) {
        self.changes += 1;
        for device in mem::take(&mut self.writing).into_keys() {
            self.is_changed(&device);
        }
    }

    /// A device's row was changed.
    pub(super) fn is_changed(&mut self, device: &DeviceKey) {
        self.changes += 1;
        if let Some(read) = self.read.get_mut(device) {
            read.is_old = true;
        }
    }

    /// Nobody knows which rows were changed.
    pub(super) fn all_changed(&mut self) {
        self.told = Told::default();
        self.changes += 1;
        self.read.values_mut().for_each(|read| read.is_old = true);
    }

    /// A device is gone: what was heard of it is not another's that gets its name.
    pub(super) fn forget(&mut self, device: &DeviceKey) {
        self.is_changed(device);
        self.heard.remove(device);
        self.writing.remove(device);
    }

    /// Adds to what was read what was heard and may not be in it.
    pub(super) fn add_to(&self, device: &DeviceKey, live: &Live) {
        for heard in [self.writing.get(device), self.heard.get(device)].into_iter().flatten() {
            let _news = live.take_in(heard);
        }
    }

    /// A device is being read from now on.
    pub(super) fn begin(&mut self, device: &DeviceKey) {
        self.read.entry(device.clone()).or_default().readers += 1;
    }

    /// Whether what was read since [`Unwritten::begin`] may be old.
    pub(super) fn is_old(&self, device: &DeviceKey) -> bool {
        self.read.get(device).is_some_and(|read| read.is_old)
    }

    /// It is read no more.
    pub(super) fn end(&mut self, device: &DeviceKey) {
        let Some(read) = self.read.get_mut(device) else { return };
        read.readers -= 1;
        if read.readers == 0 {
            self.read.remove(device);
        }
    }
}

impl super::Devices {
    /// When a device was last heard of, as far as memory knows.
    pub(crate) fn last_heard(&self, device: &DeviceKey) -> Option<UnixMillis> {
        let unwritten = self.lock();
        match self.peek(device) {
            Some(known) => known.entry.live.seen().last_seen_at,
            None => [&unwritten.writing, &unwritten.heard].iter().filter_map(|all| all.get(device)?.last_at).max(),
        }
    }
}
