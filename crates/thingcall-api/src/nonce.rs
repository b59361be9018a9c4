//! The nonces that were used.
//!
//! **Invariant:** a nonce is remembered as long as the request that carried it could be sent again: until its time
//! leaves the window. None is forgotten earlier; a key that has used up its memory is told to wait.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::BuildHasher;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use thingcall_core::UnixMillis;

/// Why a nonce is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NonceError {
    /// It was used.
    Used,
    /// No room for another one; there will be after this time.
    Full(Duration),
}

/// The nonces of all keys.
#[derive(Debug)]
pub(crate) struct Nonces {
    max: usize,
    skew_ms: i64,
    hasher: RandomState,
    /// By key id. Keys come from the store, so there are as many as it has.
    keys: Mutex<HashMap<String, Ages, foldhash::quality::RandomState>>,
}

/// The nonces of one key, in sets that expire together, the earliest first. Few: at most [`SETS_PER_WINDOW`] and two.
type Ages = VecDeque<Age>;

#[derive(Debug)]
struct Age {
    /// When all of it has expired, in units of a set's length.
    end: i64,
    /// Hashes with a random key: 8 bytes each whatever the nonce's length, and no caller can make two collide.
    nonces: HashSet<u64, foldhash::fast::RandomState>,
}

const SETS_PER_WINDOW: i64 = 4;

impl Nonces {
    /// Remembers at most `max` nonces of a key, each for as long as `skew` allows.
    pub(crate) fn new(max: usize, skew: Duration) -> Self {
        let skew_ms = i64::try_from(skew.as_millis()).unwrap_or(i64::MAX / 4);
        Self { max, skew_ms, hasher: RandomState::new(), keys: Mutex::default() }
    }

    /// Notes that `key` used `nonce` in a request with the time `at`, which is within the window around `now`.
    pub(crate) fn note(&self, key: &str, nonce: &str, at: UnixMillis, now: UnixMillis) -> Result<(), NonceError> {
        let length = self.length();
        let hash = self.hasher.hash_one(nonce);
        let end = at.0.saturating_add(self.skew_ms).div_euclid(length) + 1;
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ages) = keys.get_mut(key) {
            return self.note_among(ages, (hash, end), now);
        }
        self.note_among(keys.entry(key.to_owned()).or_default(), (hash, end), now)
    }

    /// Notes a nonce by its hash, to be forgotten with the set of this end.
    fn note_among(&self, ages: &mut Ages, (hash, end): (u64, i64), now: UnixMillis) -> Result<(), NonceError> {
        let length = self.length();
        forget_expired(ages, length, now);
        if ages.iter().any(|age| age.nonces.contains(&hash)) {
            return Err(NonceError::Used);
        }
        if remembered(ages) >= self.max {
            let free_at = ages.front().map_or(now.0, |age| age.end.saturating_mul(length));
            let wait = u64::try_from(free_at.saturating_sub(now.0)).unwrap_or(0);
            return Err(NonceError::Full(Duration::from_millis(wait)));
        }
        let place = ages.partition_point(|age| age.end < end);
        if ages.get(place).is_none_or(|age| age.end != end) {
            ages.insert(place, Age { end, nonces: HashSet::default() });
        }
        if let Some(age) = ages.get_mut(place) {
            age.nonces.insert(hash);
        }
        Ok(())
    }

    /// How many are remembered of the key that has most. What expired is forgotten, also of keys that sign no more.
    pub(crate) fn fullest(&self, now: UnixMillis) -> usize {
        let length = self.length();
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.retain(|_, ages| {
            forget_expired(ages, length, now);
            !ages.is_empty()
        });
        keys.values().map(remembered).max().unwrap_or(0)
    }

    /// A set's length, in milliseconds.
    fn length(&self) -> i64 {
        (self.skew_ms * 2 / SETS_PER_WINDOW).max(1)
    }
}

fn forget_expired(ages: &mut Ages, length: i64, now: UnixMillis) {
    while ages.front().is_some_and(|age| age.end.saturating_mul(length) < now.0) {
        ages.pop_front();
    }
}

fn remembered(ages: &Ages) -> usize {
    ages.iter().map(|age| age.nonces.len()).sum()
}

#[cfg(test)]
mod tests;
