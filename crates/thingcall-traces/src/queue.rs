//! Spans that wait to be sent.
//!
//! **Invariants:** no more wait than may. Nobody waits to put some: what finds no room is dropped, and counted.

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

use thingcall_core::Span;
use thingcall_metrics::gauge_of;
use tokio::sync::Notify;

use crate::metrics::{Dropped, Metrics};

/// The spans.
pub(crate) struct Queue {
    spans_max: usize,
    batch_max: usize,
    waiting: Mutex<Waiting>,
    /// Told when there is a batch.
    full: Notify,
    metrics: Metrics,
}

#[derive(Default)]
struct Waiting {
    spans: Vec<Span>,
    /// Nothing more is taken.
    closed: bool,
}

impl Queue {
    pub(crate) fn new((spans_max, batch_max): (NonZeroUsize, NonZeroUsize), metrics: Metrics) -> Self {
        let (spans_max, batch_max) = (spans_max.get(), batch_max.get());
        Self { spans_max, batch_max, waiting: Mutex::default(), full: Notify::new(), metrics }
    }

    /// Takes those of one request, all or none of them: half a trace misleads.
    pub(crate) fn put(&self, mut spans: Vec<Span>) {
        let mut waiting = self.waiting();
        if waiting.closed {
            self.metrics.drop(Dropped::Stopped, spans.len());
        } else if waiting.spans.len() + spans.len() > self.spans_max {
            self.metrics.drop(Dropped::QueueFull, spans.len());
        } else {
            waiting.spans.append(&mut spans);
            self.metrics.queue.set(gauge_of(waiting.spans.len()));
            if waiting.spans.len() >= self.batch_max {
                self.full.notify_one();
            }
        }
    }

    /// The oldest, as many as one request holds.
    pub(crate) fn batch(&self) -> Vec<Span> {
        let mut waiting = self.waiting();
        let count = waiting.spans.len().min(self.batch_max);
        let batch = waiting.spans.drain(..count).collect();
        self.metrics.queue.set(gauge_of(waiting.spans.len()));
        batch
    }

    /// Returns when there is a batch.
    pub(crate) async fn full(&self) {
        self.full.notified().await;
    }

    /// Takes nothing more.
    pub(crate) fn close(&self) {
        self.waiting().closed = true;
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
