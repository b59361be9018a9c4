//! How calls went in the last hour: what was counted, looked at every ten seconds.
//!
//! **Invariants:** an hour is kept and no more. Counters begin anew with the program, and so does this; a sample is the difference of
//! two looks, so nothing here is counted on the path of a call.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use thingcall_core::UnixMillis;

use crate::figures::{Buckets, Figures};

/// How many looks are kept: an hour of them.
const LOOKS_MAX: usize = 361;

/// What was counted until a moment.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Look {
    /// When.
    pub(crate) at: UnixMillis,
    /// Calls that ended, by outcome.
    pub(crate) ends: BTreeMap<String, f64>,
    /// How long synchronous calls took.
    pub(crate) whole: Buckets,
    /// How long their devices took.
    pub(crate) device: Buckets,
}

impl Look {
    /// What the metrics say now.
    pub(crate) fn of(figures: &Figures, at: UnixMillis) -> Self {
        Self {
            at,
            ends: figures.by("thingcall_calls_total", "outcome"),
            whole: figures.buckets("thingcall_call_duration_seconds"),
            device: figures.buckets("thingcall_device_response_seconds"),
        }
    }

    /// Nothing was counted yet.
    fn nothing(at: UnixMillis) -> Self {
        Self { at, ends: BTreeMap::new(), whole: Buckets::default(), device: Buckets::default() }
    }

    /// What happened since another look.
    pub(crate) fn since(&self, before: &Self) -> Span {
        let ends = self
            .ends
            .iter()
            .map(|(outcome, count)| (outcome.clone(), (count - before.ends.get(outcome).unwrap_or(&0.0)).max(0.0)));
        Span {
            from: before.at,
            to: self.at,
            ends: ends.collect(),
            whole: self.whole.since(&before.whole),
            device: self.device.since(&before.device),
        }
    }
}

/// What happened between two looks.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Span {
    /// From when.
    pub(crate) from: UnixMillis,
    /// Until when.
    pub(crate) to: UnixMillis,
    /// Calls that ended, by outcome.
    pub(crate) ends: BTreeMap<String, f64>,
    /// How long synchronous calls took.
    pub(crate) whole: Buckets,
    /// How long their devices took.
    pub(crate) device: Buckets,
}

impl Span {
    /// Calls that ended.
    pub(crate) fn calls(&self) -> f64 {
        self.ends.values().sum()
    }

    /// Those of them that failed.
    pub(crate) fn failed(&self) -> f64 {
        self.ends.iter().filter(|(outcome, _)| *outcome != "ok").map(|(_, count)| count).sum()
    }

    /// In seconds.
    pub(crate) fn seconds(&self) -> f64 {
        self.to.0.saturating_sub(self.from.0) as f64 / 1000.0
    }
}

/// The looks of the last hour, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct History(Mutex<VecDeque<Look>>);

impl History {
    /// One more.
    pub(crate) fn take(&self, look: Look) {
        let mut looks = self.lock();
        looks.push_back(look);
        let excess = looks.len().saturating_sub(LOOKS_MAX);
        looks.drain(..excess);
    }

    /// The last hour in parts of so many looks each, the oldest first; the last one ends with `now`.
    pub(crate) fn parts(&self, looks_each: usize, now: &Look) -> Vec<Span> {
        let looks = self.lock();
        let mut edges: Vec<_> = looks.iter().rev().step_by(looks_each.max(1)).cloned().collect();
        // What is left of a part before them.
        let first = looks.front().filter(|first| edges.last().is_some_and(|edge| edge.at != first.at));
        edges.extend(first.cloned());
        drop(looks);
        edges.reverse();
        edges.push(now.clone());
        edges.windows(2).filter_map(|pair| Some(pair.last()?.since(pair.first()?))).collect()
    }

    /// What happened in the last hour, or since the start if that is later.
    pub(crate) fn whole(&self, now: &Look) -> Span {
        let first = self.lock().front().cloned();
        now.since(&first.unwrap_or_else(|| Look::nothing(now.at)))
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Look>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
