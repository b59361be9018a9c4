//! Our own raw messages on topics that their answers share: a broker of MQTT 3.1.1 brings them back to us, and bytes of a
//! device's own do not say who wrote them.
//!
//! **Invariant:** for each message that was sent one message of the same bytes under its id is taken for its echo, and no
//! other. So a device that answers with the very bytes it got is heard too: its answer is the second one.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hashlink::LruCache;
use thingcall_core::{CallId, RawReply};

/// How many of the latest messages are remembered. An echo comes back within one round trip to the broker, or never.
const MESSAGES_MAX: usize = 32_768;

/// The messages whose echo has not come.
#[derive(Debug)]
pub(crate) struct Echoes {
    /// What each of them holds, as a hash.
    expected: Mutex<LruCache<CallId, u64>>,
    /// Keyed by chance, so that nobody can make bytes that pass for others.
    hasher: RandomState,
}

impl Default for Echoes {
    fn default() -> Self {
        Self { expected: Mutex::new(LruCache::new(MESSAGES_MAX)), hasher: RandomState::new() }
    }
}

impl Echoes {
    /// A message is about to leave.
    pub(crate) fn expect(&self, id: CallId, payload: &[u8]) {
        let hash = self.hasher.hash_one(payload);
        self.lock().insert(id, hash);
    }

    /// The message did not leave.
    pub(crate) fn forget(&self, id: CallId) {
        self.lock().remove(&id);
    }

    /// What was sent does not come back any more.
    pub(crate) fn forget_all(&self) {
        self.lock().clear();
    }

    /// Whether this is an echo that was expected. The next one like it is not.
    pub(crate) fn take(&self, raw: &RawReply) -> bool {
        let Some(id) = raw.topic_id else { return false };
        let hash = self.hasher.hash_one(&*raw.payload);
        let mut expected = self.lock();
        let is_echo = expected.peek(&id) == Some(&hash);
        if is_echo {
            expected.remove(&id);
        }
        is_echo
    }

    fn lock(&self) -> MutexGuard<'_, LruCache<CallId, u64>> {
        self.expected.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
