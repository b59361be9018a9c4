//! Logins that failed, and who may not try again for a while.
//!
//! **Invariant:** what is remembered is bounded: of the keys and addresses that failed, those that did so longest ago go first.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use hashlink::LruCache;
use tokio::time::Instant;

/// How many are remembered.
const REMEMBERED_MAX: usize = 10_000;
/// The longest id that is worth a place.
const NAME_BYTES_MAX: usize = 256;

/// Failed logins.
#[derive(Debug)]
pub(crate) struct Lockout {
    failed_max: usize,
    lasts: Duration,
    of: Mutex<LruCache<String, Failed>>,
}

#[derive(Debug, Clone, Copy)]
struct Failed {
    times: usize,
    last: Instant,
}

impl Lockout {
    /// So many failures lock out for so long.
    pub(crate) fn new(failed_max: usize, lasts: Duration) -> Self {
        Self { failed_max, lasts, of: Mutex::new(LruCache::new(REMEMBERED_MAX)) }
    }

    /// How long one of these still has to wait; `None` if it need not.
    pub(crate) fn waits(&self, names: &[&str]) -> Option<Duration> {
        let now = Instant::now();
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        let mut left = |name: &&str| {
            let failed = of.get(cut(name)).filter(|failed| failed.times >= self.failed_max)?;
            self.lasts.checked_sub(now.duration_since(failed.last)).filter(|left| !left.is_zero())
        };
        names.iter().filter_map(&mut left).max()
    }

    /// A login of all of these failed.
    pub(crate) fn failed(&self, names: &[&str]) {
        let now = Instant::now();
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        for name in names {
            let name = cut(name);
            let before = of.get(name).filter(|failed| now.duration_since(failed.last) < self.lasts);
            let times = before.map_or(0, |failed| failed.times) + 1;
            of.insert(name.to_owned(), Failed { times, last: now });
        }
    }

    /// A login of all of these succeeded.
    pub(crate) fn succeeded(&self, names: &[&str]) {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        for name in names {
            of.remove(cut(name));
        }
    }
}

fn cut(name: &str) -> &str {
    name.get(..NAME_BYTES_MAX).unwrap_or(name.get(..name.floor_char_boundary(NAME_BYTES_MAX)).unwrap_or_default())
}

#[cfg(test)]
mod tests;
