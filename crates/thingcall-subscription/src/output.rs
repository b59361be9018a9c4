//! Bytes on their way to the peer.
//!
//! **Invariant:** while nothing waits, no memory is held beyond [`KEPT_BYTES_MAX`].

use std::time::Duration;

/// What is kept of an empty buffer. A connection that only beats its heart allocates nothing.
const KEPT_BYTES_MAX: usize = 256;

#[derive(Debug, Default)]
pub(crate) struct Output {
    bytes: Vec<u8>,
    /// So many of `bytes` were taken.
    start: usize,
    /// All that was ever taken.
    taken: u64,
    /// Since when something waits without a byte being taken.
    stalled_since: Option<Duration>,
    /// When a byte was taken last.
    taken_at: Duration,
}

impl Output {
    pub(crate) fn pending(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.start >= self.bytes.len()
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len().saturating_sub(self.start)
    }

    /// Where more is to be appended.
    pub(crate) fn end(&mut self, now: Duration) -> &mut Vec<u8> {
        self.stalled_since.get_or_insert(now);
        &mut self.bytes
    }

    /// The number of the byte that is appended next, counted from the connection's start.
    pub(crate) fn position(&self) -> u64 {
        self.taken.saturating_add(self.len() as u64)
    }

    /// How many bytes were taken since the connection's start.
    pub(crate) fn taken(&self) -> u64 {
        self.taken
    }

    pub(crate) fn taken_at(&self) -> Duration {
        self.taken_at
    }

    pub(crate) fn stalled_since(&self) -> Option<Duration> {
        self.stalled_since.filter(|_| !self.is_empty())
    }

    pub(crate) fn written(&mut self, bytes: usize, now: Duration) {
        let bytes = bytes.min(self.len());
        if bytes == 0 {
            return;
        }
        self.start += bytes;
        self.taken = self.taken.saturating_add(bytes as u64);
        self.taken_at = now;
        if self.is_empty() {
            self.clear();
        } else {
            self.stalled_since = Some(now);
            if self.start > self.len() {
                self.bytes.drain(..self.start);
                self.start = 0;
            }
        }
    }

    /// Forgets what waits: nobody will take it.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BYTES_MAX);
        self.start = 0;
        self.stalled_since = None;
    }
}
