//! How long a call has waited for its device.
//!
//! **Invariant:** a moment counts once, however many commands are under way in it. One task polls a call's handler and
//! with it all of its commands, so nothing here is changed by two at once: the atomics are for `Sync` alone.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;

/// The time a call has spent at its device.
#[derive(Debug)]
pub(crate) struct AtDevice {
    /// What the times below count from, in nanoseconds.
    from: Instant,
    /// How many are under way.
    commands: AtomicU32,
    /// Since when at least one is.
    since_ns: AtomicU64,
    /// Of those before.
    total_ns: AtomicU64,
    /// When the device answered last; 0 = not yet.
    came_ns: AtomicU64,
    /// Whether the wait for an answer was given up.
    unanswered: AtomicBool,
}

impl AtDevice {
    /// None so far; `from` is before the first.
    pub(crate) const fn new(from: Instant) -> Self {
        let [since_ns, total_ns, came_ns] = [const { AtomicU64::new(0) }; 3];
        let unanswered = AtomicBool::new(false);
        Self { from, commands: AtomicU32::new(0), since_ns, total_ns, came_ns, unanswered }
    }

    /// Counts a command as under way from `now` on until the guard is dropped.
    pub(crate) fn ask(&self, now: Instant) -> Asked<'_> {
        let before = self.commands.load(Relaxed);
        if before == 0 {
            self.since_ns.store(self.ns(now), Relaxed);
        }
        self.commands.store(before + 1, Relaxed);
        Asked { at_device: self, ended: None }
    }

    /// The time until now.
    pub(crate) fn total(&self, now: Instant) -> Duration {
        Duration::from_nanos(self.total_ns(self.ns(now)))
    }

    fn total_ns(&self, now: u64) -> u64 {
        let under_way = self.commands.load(Relaxed) > 0;
        let so_far = if under_way { now.saturating_sub(self.since_ns.load(Relaxed)) } else { 0 };
        self.total_ns.load(Relaxed) + so_far
    }

    /// When the device's latest answer came.
    pub(crate) fn came(&self) -> Option<Instant> {
        let ns = self.came_ns.load(Relaxed);
        (ns > 0).then(|| self.from + Duration::from_nanos(ns))
    }

    /// Whether a command's answer was waited for until the call ended.
    pub(crate) fn unanswered(&self) -> bool {
        self.unanswered.load(Relaxed)
    }

    fn ns(&self, at: Instant) -> u64 {
        // Centuries: a call takes seconds.
        let after = at.duration_since(self.from);
        after.as_secs() * 1_000_000_000 + u64::from(after.subsec_nanos())
    }
}

/// A command under way.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    at_device: &'a AtDevice,
    /// In nanoseconds.
    ended: Option<u64>,
}

impl Asked<'_> {
    /// The device's answer came.
    pub(crate) fn came(&mut self, at: Instant) {
        let ns = self.at_device.ns(at);
        self.at_device.came_ns.store(ns, Relaxed);
        self.ended = Some(ns);
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if self.ended.is_none() {
            self.at_device.unanswered.store(true, Relaxed);
        }
        let at_device = self.at_device;
        let total = at_device.total_ns(self.ended.unwrap_or_else(|| at_device.ns(Instant::now())));
        let left = at_device.commands.load(Relaxed).saturating_sub(1);
        at_device.commands.store(left, Relaxed);
        if left == 0 {
            at_device.total_ns.store(total, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests;
