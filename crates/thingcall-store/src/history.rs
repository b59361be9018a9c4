//! The past of devices: what they reported waits here for a second at most, and is in the database then.
//!
//! **Invariants:** what waits stays here until it is committed, so whoever looks here first and then at the database misses
//! nothing. What waits is bounded in records and bytes, and so is what is kept of each product, in age too.

use std::collections::{HashMap, HashSet, VecDeque};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use thingcall_core::{DeviceKey, Past, PastKind, PastWanted, UnixMillis};
use tokio::time::Instant;

use crate::database::{PAST_BYTES, WriteConnection};
use crate::failure::Failure;

/// So many are written in one transaction.
const BATCH_MAX: usize = 2048;
/// How often it is looked whether too much is kept.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// What is not written yet.
#[derive(Debug, Default)]
pub(crate) struct History {
    waiting: Mutex<Waiting>,
    /// Those for which there was no room.
    left_out: AtomicU64,
    /// Those that were dropped for their age, their number or their bytes.
    pub(crate) dropped: AtomicU64,
    looked: Mutex<Option<Instant>>,
}

#[derive(Debug, Default)]
struct Waiting {
    records: VecDeque<(DeviceKey, Past)>,
    bytes: usize,
    /// Of each name among them the times that are taken since it was last so: of one millisecond one value is kept.
    taken: HashMap<(DeviceKey, PastKind, String), RangeInclusive<i64>>,
}

impl Waiting {
    /// The time under which one is kept that came in the same moment as the one before it: the next that is free.
    fn own_time(&mut self, device: &DeviceKey, past: &Past) -> UnixMillis {
        let (at, of) = (past.at.0, (device.clone(), past.kind, past.name.clone()));
        let taken = match self.taken.get(&of) {
            Some(taken) if taken.contains(&at) => *taken.start()..=taken.end().saturating_add(1),
            Some(_) | None => at..=at,
        };
        let own = *taken.end();
        self.taken.insert(of, taken);
        UnixMillis(own)
    }
}

fn bytes_of(past: &Past) -> usize {
    past.name.len() + past.value.len() + PAST_BYTES
}

impl History {
    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.lock().records.len()
    }

    /// How many bytes they take.
    pub(crate) fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// How many found no room.
    pub(crate) fn left_out(&self) -> u64 {
        self.left_out.load(Ordering::Relaxed)
    }

    /// How many were dropped.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Takes what has room.
    pub(crate) fn put(&self, device: &DeviceKey, past: Vec<Past>, (records_max, bytes_max): (usize, usize)) {
        let mut waiting = self.lock();
        for mut one in past {
            let bytes = waiting.bytes + bytes_of(&one);
            if waiting.records.len() >= records_max || bytes > bytes_max {
                self.left_out.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            waiting.bytes = bytes;
            one.at = waiting.own_time(device, &one);
            waiting.records.push_back((device.clone(), one));
        }
    }

    /// What is wanted of what waits.
    pub(crate) fn of(&self, device: &DeviceKey, wanted: &PastWanted) -> Vec<Past> {
        let waiting = self.lock();
        let its = waiting.records.iter().filter(|(of, past)| of == device && wanted.wants(past));
        its.map(|(_, past)| past.clone()).collect()
    }

    fn some(&self) -> Vec<(DeviceKey, Past)> {
        self.lock().records.iter().take(BATCH_MAX).cloned().collect()
    }

    /// The first so many are written; nobody else takes any away.
    fn wrote(&self, count: usize) {
        let mut waiting = self.lock();
        let bytes: usize = waiting.records.drain(..count).map(|(_, past)| bytes_of(&past)).sum();
        waiting.bytes = waiting.bytes.saturating_sub(bytes);
        if waiting.records.is_empty() {
            waiting.taken.clear();
        }
    }

    /// Nothing that is done under this lock can panic half way.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next look is at once.
    #[cfg(test)]
    pub(crate) fn look_anew(&self) {
        *self.looked.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Whether it is time to look for what is too much.
    pub(crate) fn is_time(&self) -> bool {
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        let is_time = looked.is_none_or(|at| at.elapsed() >= LOOK_EVERY);
        if is_time {
            *looked = Some(Instant::now());
        }
        is_time
    }
}

/// Without those of which an earlier one has the name and the time.
fn first_of_each(some: &[(DeviceKey, Past)]) -> Vec<(DeviceKey, Past)> {
    let mut seen = HashSet::with_capacity(some.len());
    let first = some.iter().filter(|(device, past)| seen.insert((device, past.kind, &past.name, past.at)));
    first.cloned().collect()
}

/// Writes what waits; what comes meanwhile, and what cannot be written, waits for the next time.
pub(crate) async fn write(history: &History, conn: &mut dyn WriteConnection) -> Result<(), Failure> {
    let mut left = history.len();
    while left > 0 {
        let some = history.some();
        let mut tx = conn.begin().await?;
        tx.keep_past(&first_of_each(&some)).await?;
        tx.commit().await?;
        history.wrote(some.len());
        left = if some.is_empty() { 0 } else { left.saturating_sub(some.len()) };
    }
    Ok(())
}
