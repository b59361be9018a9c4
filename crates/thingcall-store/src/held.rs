//! The leases of slots that this process holds, as far as it knows. A process that never took one (a command, a server that
//! is alone on its file) writes without.

use std::sync::{Mutex, MutexGuard, PoisonError};

use thingcall_core::{CallId, Lease};

/// The leases; `None` before the first.
#[derive(Debug, Default)]
pub(crate) struct Held(Mutex<Option<Vec<Lease>>>);

impl Held {
    /// This one is ours now.
    pub(crate) fn take(&self, lease: Lease) {
        let mut held = self.lock();
        let held = held.get_or_insert_default();
        held.retain(|before| before.slot != lease.slot);
        held.push(lease);
    }

    /// These are not ours any more.
    pub(crate) fn lose(&self, leases: &[Lease]) {
        if let Some(held) = &mut *self.lock() {
            held.retain(|held| !leases.contains(held));
        }
    }

    /// Whether the call is ours to write about.
    pub(crate) fn is_ours(&self, id: CallId) -> bool {
        self.lock().as_ref().is_none_or(|held| held.iter().any(|lease| lease.slot == id.slot()))
    }

    /// One of them: the one that was taken first of those that are left.
    pub(crate) fn first(&self) -> Option<Lease> {
        self.lock().as_ref()?.first().copied()
    }

    /// Whether this one is ours, or none is needed.
    pub(crate) fn is_held(&self, lease: Lease) -> bool {
        self.lock().as_ref().is_none_or(|held| held.contains(&lease))
    }

    /// The leases that are needed to write about these calls.
    pub(crate) fn needed(&self, calls: impl Iterator<Item = CallId>) -> Vec<Lease> {
        let held = self.lock();
        let Some(held) = &*held else { return Vec::new() };
        let slots = calls.fold(0_u64, |slots, id| slots | 1 << id.slot());
        held.iter().filter(|lease| slots & (1 << lease.slot) != 0).copied().collect()
    }

    /// The slots; `None`: all calls are ours.
    pub(crate) fn slots(&self) -> Option<Vec<u8>> {
        self.lock().as_ref().map(|held| held.iter().map(|lease| lease.slot).collect())
    }

    fn lock(&self) -> MutexGuard<'_, Option<Vec<Lease>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
