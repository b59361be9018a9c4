//! Since when the broker owes a confirmation: one mark for each channel, which has one message at most.
//!
//! **Invariants:** whoever publishes writes its own channel's mark and locks nothing. A mark knows what was sent and what
//! was confirmed, not who still waits: a message that its caller gave up is owed all the same. A mark goes with its channel.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::time::{Duration, Instant};

/// The marks of one connection.
#[derive(Debug)]
pub(crate) struct Owed {
    began: Instant,
    marks: Mutex<Vec<Weak<AtomicU64>>>,
}

/// A channel's.
#[derive(Debug)]
pub(crate) struct Mark {
    began: Instant,
    /// When the message left, in milliseconds since `began`, and one more; 0 if nothing is owed.
    millis: Arc<AtomicU64>,
}

impl Owed {
    pub(crate) fn new() -> Self {
        Self { began: Instant::now(), marks: Mutex::default() }
    }

    /// A mark for a new channel.
    pub(crate) fn mark(&self) -> Mark {
        let millis = Arc::new(AtomicU64::new(0));
        let mut marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        marks.retain(|mark| mark.strong_count() > 0);
        marks.push(Arc::downgrade(&millis));
        Mark { began: self.began, millis }
    }

    /// How many confirmations are owed, and the age of the oldest message among them; zero if there is none.
    pub(crate) fn now(&self, now: Instant) -> (usize, Duration) {
        let marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = marks.iter().filter_map(|mark| mark.upgrade()?.load(Ordering::Relaxed).checked_sub(1));
        let (count, oldest) = sent.fold((0, None), |(count, oldest): (usize, Option<u64>), millis| {
            (count + 1, Some(oldest.map_or(millis, |oldest| oldest.min(millis))))
        });
        let age = |millis| now.saturating_duration_since(self.began + Duration::from_millis(millis));
        (count, oldest.map_or(Duration::ZERO, age))
    }
}

impl Mark {
    /// The channel's message leaves.
    pub(crate) fn sent(&self, now: Instant) {
        let millis = now.saturating_duration_since(self.began).as_millis();
        self.millis.store(u64::try_from(millis).unwrap_or(u64::MAX - 1) + 1, Ordering::Relaxed);
    }

    /// It is confirmed.
    pub(crate) fn settled(&self) {
        self.millis.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
