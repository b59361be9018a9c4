//! What comes most often of too many things to count each, over the last minutes: Space-Saving (Metwally, Agrawal and El Abbadi,
//! 2005), with a count for each minute.
//!
//! **Invariants:** never more than `max` things are counted. Whatever came more often than one in `max` of all is among them; what is
//! told of one is never less than it came, and at most `too_many` more. What is older than the window counts no more.

use std::collections::HashMap;
use std::hash::Hash;

/// How many minutes count.
pub(crate) const MINUTES: usize = 10;

/// The sketch.
#[derive(Debug)]
pub(crate) struct Sketch<K, V> {
    max: usize,
    /// The newest minute that counts.
    minute: u64,
    entries: HashMap<K, Entry<V>>,
}

#[derive(Debug)]
struct Entry<V> {
    counts: Counts,
    /// Of those, what may be others': the counts of the one whose place it took.
    inherited: Counts,
    value: V,
}

/// A number for each minute of the window.
#[derive(Debug, Clone, Copy, Default)]
struct Counts([u32; MINUTES]);

impl Counts {
    fn sum(&self) -> u32 {
        self.0.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// One more in this minute.
    fn add(&mut self, minute: u64) {
        self.change(minute, |count| count.saturating_add(1));
    }

    /// None in this minute, whose place one of before has.
    fn clear(&mut self, minute: u64) {
        self.change(minute, |_| 0);
    }

    fn change(&mut self, minute: u64, change: impl FnOnce(u32) -> u32) {
        let place = usize::try_from(minute % MINUTES as u64).unwrap_or(0);
        if let Some(count) = self.0.get_mut(place) {
            *count = change(*count);
        }
    }
}

/// One of those that came most often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Often<K, V> {
    /// Which.
    pub key: K,
    /// How often, at most.
    pub count: u32,
    /// By how much that may be too many.
    pub too_many: u32,
    /// What is noted of it.
    pub value: V,
}

impl<K: Hash + Eq + Clone + Ord, V: Clone> Sketch<K, V> {
    pub(crate) fn new(max: usize) -> Self {
        Self { max: max.max(1), minute: 0, entries: HashMap::new() }
    }

    /// How many things are counted.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// It came in this minute. `note` makes what is noted of it, of what was noted before, if anything was.
    pub(crate) fn came(&mut self, key: &K, minute: u64, note: impl FnOnce(Option<V>) -> V) {
        self.move_on(minute);
        let now = self.minute;
        if let Some(entry) = self.entries.get_mut(key) {
            entry.counts.add(now);
            entry.value = note(Some(entry.value.clone()));
            return;
        }
        let mut counts = if self.entries.len() < self.max { Counts::default() } else { self.make_room() };
        let inherited = counts;
        counts.add(now);
        self.entries.insert(key.clone(), Entry { counts, inherited, value: note(None) });
    }

    /// Those that came most often until this minute, at most `max`.
    pub(crate) fn most(&mut self, minute: u64, max: usize) -> Vec<Often<K, V>> {
        self.move_on(minute);
        let often = |(key, entry): (&K, &Entry<V>)| Often {
            key: key.clone(),
            count: entry.counts.sum(),
            too_many: entry.inherited.sum(),
            value: entry.value.clone(),
        };
        let mut all: Vec<_> = self.entries.iter().map(often).collect();
        // Of two that may be alike the one that surely came.
        let sure = |one: &Often<K, V>| (one.count, one.count.saturating_sub(one.too_many));
        all.sort_by(|one, other| sure(other).cmp(&sure(one)).then_with(|| one.key.cmp(&other.key)));
        all.truncate(max);
        all
    }

    /// Takes the one out that came least often, and says how often it came.
    fn make_room(&mut self) -> Counts {
        let least = self.entries.iter().min_by_key(|(_, entry)| entry.counts.sum()).map(|(key, _)| key.clone());
        let gone = least.and_then(|key| self.entries.remove(&key));
        gone.map(|entry| entry.counts).unwrap_or_default()
    }

    /// Forgets the minutes that are over.
    fn move_on(&mut self, minute: u64) {
        // Whoever came to the lock second may be a little behind.
        let new = minute.saturating_sub(self.minute);
        if new == 0 {
            return;
        }
        for past in (self.minute + 1..=minute).rev().take(MINUTES) {
            for entry in self.entries.values_mut() {
                entry.counts.clear(past);
                entry.inherited.clear(past);
            }
        }
        self.minute = minute;
        self.entries.retain(|_, entry| entry.counts.sum() > 0);
    }
}

#[cfg(test)]
mod tests;
