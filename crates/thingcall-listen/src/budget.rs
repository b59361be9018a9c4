//! The bytes that all connections of a listener may make it hold before anybody vouched for them.
//!
//! **Invariant:** never more than `max` is taken; whatever was taken comes back when its [`Share`] is emptied or dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use prometheus::IntGauge;

/// One budget, shared by all connections of a listener.
#[derive(Debug)]
pub struct Budget {
    max: usize,
    taken: AtomicUsize,
    gauge: IntGauge,
}

impl Budget {
    /// So many bytes; `gauge` shows what is taken.
    pub fn new(max: usize, gauge: IntGauge) -> Arc<Self> {
        Arc::new(Self { max, taken: AtomicUsize::new(0), gauge })
    }

    /// How many there are in all.
    pub fn max(&self) -> usize {
        self.max
    }

    fn take(&self, bytes: usize) -> bool {
        let taken = self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |taken| {
            taken.checked_add(bytes).filter(|sum| *sum <= self.max)
        });
        if taken.is_ok() {
            self.gauge.add(i64::try_from(bytes).unwrap_or(i64::MAX));
        }
        taken.is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.taken.fetch_sub(bytes, Ordering::Relaxed);
        self.gauge.sub(i64::try_from(bytes).unwrap_or(i64::MAX));
    }
}

/// What one connection has taken.
#[derive(Debug)]
pub(crate) struct Share {
    budget: Arc<Budget>,
    // Used from one task; atomic so that it may be shared within it.
    bytes: AtomicUsize,
}

impl Share {
    pub(crate) fn of(budget: Arc<Budget>) -> Self {
        Self { budget, bytes: AtomicUsize::new(0) }
    }

    pub(crate) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Takes so many more; `false` if there are not so many.
    pub(crate) fn grow(&self, bytes: usize) -> bool {
        let grown = bytes == 0 || self.budget.take(bytes);
        if grown {
            self.bytes.store(self.bytes.load(Ordering::Relaxed) + bytes, Ordering::Relaxed);
        }
        grown
    }

    /// Gives all back.
    pub(crate) fn empty(&self) {
        if self.bytes.load(Ordering::Relaxed) > 0 {
            self.budget.give_back(self.bytes.swap(0, Ordering::Relaxed));
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.empty();
    }
}
