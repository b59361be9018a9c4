//! Tokens: 64-bit names that are given to plugins in place of pointers.
//!
//! **Invariants:** a token names one thing and never another, however late it is used: a slot's generation grows with
//! each use, and a slot whose generations are used up is not used again. Nothing foreign runs under a lock of this
//! table: what leaves it is dropped by the caller.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use thingcall_plugin::abi::Token;

/// The low bits of a token are the slot, the others its generation.
const INDEX_BITS: u32 = 20;
const GENERATION_MAX: u64 = u64::MAX >> INDEX_BITS;
const CHUNK_SLOTS: usize = 1024;
const CHUNKS_MAX: usize = (1 << INDEX_BITS) / CHUNK_SLOTS;

/// The first generation of a table of calls.
pub(crate) const CALLS: u64 = 1;
/// As [`CALLS`], for plugin instances.
pub(crate) const PLUGINS: u64 = 2;
/// As [`CALLS`], for places to write to.
pub(crate) const OUTS: u64 = 3;
/// From one generation of a slot to the next: a token of one of these tables is of no other.
const STEP: u64 = 4;

/// Locks a mutex; what it guards stays whole where a holder panicked, since nothing under these locks can.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A table of things (`T`) by token; it remembers whose (`O`) a token was until its slot is used again.
pub(crate) struct Slots<T, O> {
    /// Slots are never freed, so that any number may be looked up.
    chunks: [OnceLock<Chunk<T, O>>; CHUNKS_MAX],
    free: Mutex<Free>,
    first: u64,
}

type Chunk<T, O> = Box<[Slot<T, O>]>;

/// The tokens to be given out next, the longest unused first: a slot's memory of its owner then lasts.
struct Free {
    tokens: VecDeque<Token>,
    chunks: usize,
}

/// A cache line of its own: slots in a row are used by different threads.
#[repr(align(64))]
struct Slot<T, O>(Mutex<Entry<T, O>>);

struct Entry<T, O> {
    generation: u64,
    live: Option<T>,
    owner: Option<Arc<O>>,
}

const fn token_of(index: usize, generation: u64) -> Token {
    (generation << INDEX_BITS) | index as u64
}

const fn generation_of(token: Token) -> u64 {
    token >> INDEX_BITS
}

impl<T: Clone, O> Slots<T, O> {
    /// An empty table whose slots begin with this generation: [`CALLS`] or one that follows it.
    pub(crate) const fn new(first: u64) -> Self {
        Self {
            chunks: [const { OnceLock::new() }; CHUNKS_MAX],
            free: Mutex::new(Free { tokens: VecDeque::new(), chunks: 0 }),
            first,
        }
    }

    fn slot(&self, token: Token) -> Option<&Slot<T, O>> {
        let index = usize::try_from(token & ((1 << INDEX_BITS) - 1)).ok()?;
        self.chunks.get(index / CHUNK_SLOTS)?.get()?.get(index % CHUNK_SLOTS)
    }

    /// Enters what `make` makes of its token; `None` if the table is full.
    pub(crate) fn insert<R>(&self, owner: &Arc<O>, make: impl FnOnce(Token) -> (T, R)) -> Option<R> {
        let token = self.next_free()?;
        let (value, made) = make(token);
        let before = {
            let mut entry = lock(&self.slot(token)?.0);
            entry.live = Some(value);
            // Most often it was the same one's before.
            let same = entry.owner.as_ref().is_some_and(|before| Arc::ptr_eq(before, owner));
            if same { None } else { entry.owner.replace(owner.clone()) }
        };
        drop(before);
        Some(made)
    }

    fn next_free(&self) -> Option<Token> {
        let mut free = lock(&self.free);
        if free.tokens.is_empty() {
            let chunk = free.chunks;
            let _slots =
                self.chunks.get(chunk)?.get_or_init(|| (0..CHUNK_SLOTS).map(|_| Slot::empty(self.first)).collect());
            free.chunks += 1;
            free.tokens.extend((0..CHUNK_SLOTS).map(|slot| token_of(chunk * CHUNK_SLOTS + slot, self.first)));
        }
        free.tokens.pop_front()
    }

    /// What a token names; `None` if it is stale or was never given out.
    pub(crate) fn get(&self, token: Token) -> Option<T> {
        let entry = lock(&self.slot(token)?.0);
        if entry.generation == generation_of(token) { entry.live.clone() } else { None }
    }

    /// Makes a token stale, once: the one who does it gets what it named.
    pub(crate) fn kill(&self, token: Token) -> Option<T> {
        let (taken, next) = {
            let mut entry = lock(&self.slot(token)?.0);
            if entry.generation != generation_of(token) {
                return None;
            }
            let taken = entry.live.take()?;
            entry.generation += STEP;
            (taken, entry.generation)
        };
        if next <= GENERATION_MAX {
            let index_mask = (1 << INDEX_BITS) - 1;
            lock(&self.free).tokens.push_back((next << INDEX_BITS) | (token & index_mask));
        }
        Some(taken)
    }

    /// Whose a token is, or was, as far as that is remembered.
    pub(crate) fn owner(&self, token: Token) -> Option<Arc<O>> {
        let entry = lock(&self.slot(token)?.0);
        let generation = generation_of(token);
        let known = match &entry.live {
            Some(_) => entry.generation == generation,
            None => entry.generation == generation.saturating_add(STEP),
        };
        if known { entry.owner.clone() } else { None }
    }

    /// Everything alive that `wanted` picks.
    pub(crate) fn filter<R>(&self, mut wanted: impl FnMut(&T) -> Option<R>) -> Vec<R> {
        let slots = self.chunks.iter().filter_map(OnceLock::get).flatten();
        slots.filter_map(|slot| lock(&slot.0).live.as_ref().and_then(&mut wanted)).collect()
    }
}

impl<T, O> Slot<T, O> {
    fn empty(generation: u64) -> Self {
        Self(Mutex::new(Entry { generation, live: None, owner: None }))
    }
}

#[cfg(test)]
mod tests;
