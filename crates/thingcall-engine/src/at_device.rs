//! How long a call has waited for its device.
//!
//! **Invariant:** a moment counts once, however many commands are under way in it. One task polls a call's handler and
//! with it all of its commands, so nothing here is changed by two at once: the atomics are for `Sync` alone.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;

/// The time a call has spent at its device.
#[derive(Debug)]
pub(crate) struct AtDevice {
    /// What the times below count from.
    from: Instant,
    /// How many are under way.
    commands: AtomicU32,
    /// Since when at least one is, in nanoseconds.
    since_ns: AtomicU64,
    /// Of those before, in nanoseconds.
    total_ns: AtomicU64,
}

impl AtDevice {
    /// None so far; `from` is before the first.
    pub(crate) const fn new(from: Instant) -> Self {
        Self { from, commands: AtomicU32::new(0), since_ns: AtomicU64::new(0), total_ns: AtomicU64::new(0) }
    }

    /// Counts a command as under way until the guard is dropped.
    pub(crate) fn ask(&self) -> Asked<'_> {
        let before = self.commands.load(Relaxed);
        if before == 0 {
            self.since_ns.store(self.now_ns(), Relaxed);
        }
        self.commands.store(before + 1, Relaxed);
        Asked(self)
    }

    /// The time so far.
    pub(crate) fn total(&self) -> Duration {
        let under_way = self.commands.load(Relaxed) > 0;
        let so_far = if under_way { self.now_ns().saturating_sub(self.since_ns.load(Relaxed)) } else { 0 };
        Duration::from_nanos(self.total_ns.load(Relaxed) + so_far)
    }

    fn now_ns(&self) -> u64 {
        u64::try_from(self.from.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// A command under way.
#[derive(Debug)]
pub(crate) struct Asked<'a>(&'a AtDevice);

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        let total = self.0.total();
        let left = self.0.commands.load(Relaxed).saturating_sub(1);
        self.0.commands.store(left, Relaxed);
        if left == 0 {
            self.0.total_ns.store(u64::try_from(total.as_nanos()).unwrap_or(u64::MAX), Relaxed);
        }
    }
}

#[cfg(test)]
mod tests;
