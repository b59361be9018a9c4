//! Which calls wait for which device: what the map of pending calls does not tell without looking at all of them.
//!
//! **Invariants:** the id of every call that waits is listed from before it is delivered until its guard is dropped. A
//! list holds few devices' calls, and no other lock is taken while one is locked.

use std::hash::BuildHasher;
use std::sync::{Mutex, MutexGuard, PoisonError};

use foldhash::quality::RandomState;
use thingcall_core::{CallId, DeviceKey};

/// So many calls are in one list, when as many wait as may, each for a device of its own.
const CALLS_PER_LIST: usize = 16;
const LISTS_MAX: usize = 4096;

/// The ids of waiting calls, in lists by their device's hash.
#[derive(Debug)]
pub(crate) struct OfDevices {
    lists: Box<[Mutex<Vec<CallId>>]>,
    /// With a secret of its own: who may register devices cannot choose names that fall into one list.
    hasher: RandomState,
}

impl OfDevices {
    pub(crate) fn new(calls_max: usize) -> Self {
        let lists = (calls_max / CALLS_PER_LIST).clamp(1, LISTS_MAX);
        Self { lists: (0..lists).map(|_| Mutex::default()).collect(), hasher: RandomState::default() }
    }

    /// The list of a device's calls.
    pub(crate) fn shard(&self, device: &DeviceKey) -> u32 {
        self.shard_named(device.product.as_str(), device.name.as_str())
    }

    #[expect(clippy::cast_possible_truncation, reason = "there are a few thousand")]
    fn shard_named(&self, product: &str, name: &str) -> u32 {
        (self.hasher.hash_one((product, name)) % self.lists.len() as u64) as u32
    }

    pub(crate) fn enter(&self, shard: u32, id: CallId) {
        if let Some(mut list) = self.list(shard) {
            list.push(id);
        }
    }

    pub(crate) fn leave(&self, shard: u32, id: CallId) {
        let Some(mut list) = self.list(shard) else { return };
        // The latest calls are the first to end, mostly.
        if let Some(at) = list.iter().rposition(|listed| *listed == id) {
            list.swap_remove(at);
        }
    }

    /// The calls that may wait for this device: its own and few others'.
    pub(crate) fn near(&self, device: &DeviceKey) -> Vec<CallId> {
        self.near_named(device.product.as_str(), device.name.as_str())
    }

    /// The same, for the device of this product key and name.
    pub(crate) fn near_named(&self, product: &str, name: &str) -> Vec<CallId> {
        self.list(self.shard_named(product, name)).map(|list| list.clone()).unwrap_or_default()
    }

    /// Nothing that is done under this lock can panic half way.
    fn list(&self, shard: u32) -> Option<MutexGuard<'_, Vec<CallId>>> {
        self.lists.get(shard as usize).map(|list| list.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How many are listed.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.lists.iter().map(|list| list.lock().unwrap().len()).sum()
    }
}
