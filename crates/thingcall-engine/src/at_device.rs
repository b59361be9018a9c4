//! How long a call has waited for its device.
//!
//! **Invariant:** a moment counts once, however many commands are under way in it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The time a call has spent at its device.
#[derive(Debug, Default)]
pub(crate) struct AtDevice(Mutex<Waited>);

#[derive(Debug, Default)]
struct Waited {
    commands: u32,
    since: Option<Instant>,
    total: Duration,
}

impl AtDevice {
    /// Counts a command as under way until the guard is dropped.
    pub(crate) fn ask(&self) -> Asked<'_> {
        let mut waited = self.lock();
        waited.commands += 1;
        let _since = waited.since.get_or_insert_with(Instant::now);
        Asked(self)
    }

    /// The time so far.
    pub(crate) fn total(&self) -> Duration {
        let waited = self.lock();
        waited.total + waited.since.map(|since| since.elapsed()).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Waited> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A command under way.
#[derive(Debug)]
pub(crate) struct Asked<'a>(&'a AtDevice);

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        let mut waited = self.0.lock();
        waited.commands = waited.commands.saturating_sub(1);
        if waited.commands == 0 {
            let since = waited.since.take();
            waited.total += since.map(|since| since.elapsed()).unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests;
