//! Which QoS 1 messages of one connection the broker has not acknowledged, and since when.
//!
//! **Invariant:** it knows what was written and what was acknowledged, not who still waits: a message that its caller
//! gave up is unacknowledged all the same.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use thingcall_transport::Unacknowledged;
use tokio::time::{Duration, Instant};

/// What all connections of one transport show of it.
#[derive(Debug)]
pub(crate) struct Shown {
    metrics: Unacknowledged,
    began: Instant,
    /// When the oldest was sent, in milliseconds since `began`, and one more; 0 if there is none.
    oldest_millis: AtomicU64,
}

impl Shown {
    pub(crate) fn new(metrics: Unacknowledged) -> Self {
        Self { metrics, began: Instant::now(), oldest_millis: AtomicU64::new(0) }
    }

    /// How old the oldest is, which the metric shows from now on.
    pub(crate) fn oldest(&self, now: Instant) -> Duration {
        let age = match self.oldest_millis.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            millis => now.saturating_duration_since(self.began + Duration::from_millis(millis - 1)),
        };
        self.metrics.oldest_seconds.set(age.as_secs_f64());
        age
    }
}

/// Those of one connection. A broker acknowledges in the order in which it was sent to.
pub(crate) struct Unacked {
    shown: Arc<Shown>,
    waiting: VecDeque<(u16, Instant)>,
}

impl Unacked {
    pub(crate) fn new(shown: Arc<Shown>) -> Self {
        Self { shown, waiting: VecDeque::new() }
    }

    /// A message was written; those of QoS 0 have no packet id.
    pub(crate) fn sent(&mut self, packet: u16) {
        if packet == 0 {
            return;
        }
        self.waiting.push_back((packet, Instant::now()));
        self.shown.metrics.length.inc();
        if self.waiting.len() == 1 {
            self.show();
        }
    }

    /// The broker acknowledged it.
    pub(crate) fn acked(&mut self, packet: u16) {
        let Some(at) = self.waiting.iter().position(|(waiting, _)| *waiting == packet) else { return };
        self.waiting.remove(at);
        self.shown.metrics.length.dec();
        if at == 0 {
            self.show();
        }
    }

    fn show(&self) {
        let since = self.waiting.front().map(|(_, sent)| sent.saturating_duration_since(self.shown.began).as_millis());
        let millis = since.map_or(0, |since| u64::try_from(since).unwrap_or(u64::MAX - 1) + 1);
        self.shown.oldest_millis.store(millis, Ordering::Relaxed);
    }
}

impl Drop for Unacked {
    /// With its connection, what was not acknowledged is lost.
    fn drop(&mut self) {
        self.waiting.clear();
        self.shown.metrics.length.set(0);
        self.shown.metrics.oldest_seconds.set(0.0);
        self.show();
    }
}
