//! Replies to the calls of other instances. Every instance hears every reply behind an MQTT broker; what is another's is
//! dropped, and kept for a while: when that instance dies, whoever takes its slot over finds the replies that came meanwhile.
//!
//! **Invariant:** a reply is either ours or kept, also while slots change hands: it is asked once more under the lock
//! under which what was taken over is fetched.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use prometheus::{IntCounter, IntGauge, Registry};
use thingcall_core::{ReplyIds, Slots, TransportName};
use thingcall_metrics::{Maker, gauge_of};
use tokio::time::Instant;

/// How long one is kept: a slot is taken over within 15 s of its holder's death.
const KEPT_FOR: Duration = Duration::from_secs(30);

/// How much is kept of other instances' replies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeptMax {
    /// How many.
    pub replies: usize,
    /// How many bytes of topics and payloads.
    pub bytes: usize,
}

/// What other instances' replies come to.
#[derive(Debug)]
pub(crate) struct Foreign {
    max: KeptMax,
    kept: Mutex<Kept>,
    metrics: Metrics,
}

#[derive(Debug)]
struct Metrics {
    heard: IntCounter,
    pushed_out: IntCounter,
    replayed: IntCounter,
    replies: IntGauge,
    bytes: IntGauge,
}

/// The latest, oldest first. Their bytes stand in one buffer, so that keeping one allocates nothing.
#[derive(Debug, Default)]
struct Kept {
    replies: VecDeque<One>,
    bytes: VecDeque<u8>,
}

#[derive(Debug, Clone, Copy)]
struct One {
    at: Instant,
    ids: ReplyIds,
    topic: usize,
    payload: usize,
}

impl Foreign {
    /// Registers what is counted.
    pub(crate) fn register(
        registry: &Registry,
        transport: TransportName,
        max: KeptMax,
    ) -> Result<Self, prometheus::Error> {
        let make = Maker::of(registry, "transport", transport.as_str());
        make.limit("transport_foreign_replies_kept_limit", "How many of these may be kept", max.replies)?;
        make.limit("transport_foreign_replies_kept_bytes_limit", "How many bytes they may have", max.bytes)?;
        let metrics = Metrics {
            heard: make.counter(
                "transport_foreign_replies_total",
                "Replies to calls of other instances, dropped before they were read",
            )?,
            pushed_out: make.counter(
                "transport_foreign_replies_pushed_out_total",
                "Of these, those that were kept for less than 30 s, for want of room",
            )?,
            replayed: make.counter(
                "transport_foreign_replies_replayed_total",
                "Of these, those that were heard when the slot of their call was taken over",
            )?,
            replies: make.gauge(
                "transport_foreign_replies_kept_length",
                "Replies to calls of other instances that are kept in case their slots are taken over",
            )?,
            bytes: make.gauge("transport_foreign_replies_kept_bytes", "The bytes of their topics and payloads")?,
        };
        Ok(Self { max, kept: Mutex::default(), metrics })
    }

    /// Counts one.
    pub(crate) fn heard(&self) {
        self.metrics.heard.inc();
    }

    /// Keeps one, unless it is ours by now. Says whether it is another's still.
    pub(crate) fn keep(&self, slots: &Slots, ids: ReplyIds, topic: &str, payload: &[u8]) -> bool {
        if self.max.replies == 0 {
            return true;
        }
        let one = One { at: Instant::now(), ids, topic: topic.len(), payload: payload.len() };
        let mut kept = self.lock();
        if !ids.is_anothers(|id| slots.holds(id)) {
            return false;
        }
        kept.forget_until(one.at);
        if one.bytes() > self.max.bytes {
            self.metrics.pushed_out.inc();
        } else {
            while kept.replies.len() >= self.max.replies || kept.bytes.len() + one.bytes() > self.max.bytes {
                kept.forget_oldest();
                self.metrics.pushed_out.inc();
            }
            kept.replies.push_back(one);
            kept.bytes.extend(topic.as_bytes());
            kept.bytes.extend(payload);
        }
        self.show(&kept);
        true
    }

    /// Takes out those that are ours now, oldest first.
    pub(crate) fn taken_over(&self, slots: &Slots) -> Vec<(String, Bytes)> {
        let mut kept = self.lock();
        kept.forget_until(Instant::now());
        let Kept { replies, bytes } = std::mem::take(&mut *kept);
        let mut bytes = bytes.into_iter();
        let mut ours = Vec::new();
        for one in replies {
            let (topic, payload): (Vec<u8>, Vec<u8>) =
                (bytes.by_ref().take(one.topic).collect(), bytes.by_ref().take(one.payload).collect());
            if one.ids.is_anothers(|id| slots.holds(id)) {
                kept.replies.push_back(one);
                kept.bytes.extend(topic);
                kept.bytes.extend(payload);
            } else if let Ok(topic) = String::from_utf8(topic) {
                self.metrics.replayed.inc();
                ours.push((topic, Bytes::from(payload)));
            }
        }
        self.show(&kept);
        ours
    }

    /// Forgets what is too old by now.
    pub(crate) fn tidy(&self) {
        let mut kept = self.lock();
        if !kept.replies.is_empty() {
            kept.forget_until(Instant::now());
            self.show(&kept);
        }
    }

    fn show(&self, kept: &Kept) {
        self.metrics.replies.set(gauge_of(kept.replies.len()));
        self.metrics.bytes.set(gauge_of(kept.bytes.len()));
    }

    /// Nothing that is done under this lock can panic half way.
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// Forgets what is too old at this moment.
    fn forget_until(&mut self, now: Instant) {
        while self.replies.front().is_some_and(|one| now.duration_since(one.at) >= KEPT_FOR) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some(one) = self.replies.pop_front() {
            self.bytes.drain(..one.bytes().min(self.bytes.len()));
        }
    }
}

impl One {
    const fn bytes(&self) -> usize {
        self.topic + self.payload
    }
}

#[cfg(test)]
mod tests;
