//! Which QoS 1 messages of one connection the broker has not acknowledged, and since when.
//!
//! **Invariant:** it knows what was written and what was acknowledged, not who still waits: a message that its caller
//! gave up is unacknowledged all the same.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus::{Histogram, IntGauge};
use tokio::time::{Duration, Instant};

/// When the oldest of the present connection was sent.
#[derive(Debug)]
pub(crate) struct Oldest {
    began: Instant,
    /// In milliseconds since `began`, and one more; 0 if there is none.
    millis: AtomicU64,
}

impl Oldest {
    pub(crate) fn new() -> Self {
        Self { began: Instant::now(), millis: AtomicU64::new(0) }
    }

    /// How old it is; zero if there is none.
    pub(crate) fn age(&self, now: Instant) -> Duration {
        match self.millis.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            millis => now.saturating_duration_since(self.began + Duration::from_millis(millis - 1)),
        }
    }
}

/// Those of one connection. A broker acknowledges in the order in which it was sent to.
pub(crate) struct Unacked {
    oldest: Arc<Oldest>,
    /// How many there are, as metrics have it.
    length: IntGauge,
    /// How long acknowledgements took.
    took_seconds: Histogram,
    waiting: VecDeque<(u16, Instant)>,
}

impl Unacked {
    pub(crate) fn new(oldest: Arc<Oldest>, length: IntGauge, took_seconds: Histogram) -> Self {
        Self { oldest, length, took_seconds, waiting: VecDeque::new() }
    }

    /// A message was written; those of QoS 0 have no packet id.
    pub(crate) fn sent(&mut self, packet: u16) {
        if packet == 0 {
            return;
        }
        self.waiting.push_back((packet, Instant::now()));
        self.length.inc();
        if self.waiting.len() == 1 {
            self.show();
        }
    }

    /// The broker acknowledged it.
    pub(crate) fn acked(&mut self, packet: u16) {
        let Some(at) = self.waiting.iter().position(|(waiting, _)| *waiting == packet) else { return };
        if let Some((_, sent)) = self.waiting.remove(at) {
            self.took_seconds.observe(sent.elapsed().as_secs_f64());
        }
        self.length.dec();
        if at == 0 {
            self.show();
        }
    }

    fn show(&self) {
        let since = self.waiting.front().map(|(_, sent)| sent.saturating_duration_since(self.oldest.began).as_millis());
        let millis = since.map_or(0, |since| u64::try_from(since).unwrap_or(u64::MAX - 1) + 1);
        self.oldest.millis.store(millis, Ordering::Relaxed);
    }
}

impl Drop for Unacked {
    /// With its connection, what was not acknowledged is lost.
    fn drop(&mut self) {
        self.waiting.clear();
        self.show();
    }
}
