//! Messages of applications' own: what of them this broker carries, and how they are known again where it brings them back
//! as if a device had said them.
//!
//! **Invariant:** what we published on a device's own topic is no report of the device. In MQTT 5 it has our mark, which every
//! instance sees; in 3.1.1 the one instance there is remembers what it sent, for a while.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hashlink::LruCache;
use thingcall_alink::{comes_back, letter_refusal};
use thingcall_core::{DeviceKey, Letter, NotCarried};
use tokio::time::Instant;

use crate::config::{Config, Posts, Version};

/// The user property that marks our own in MQTT 5.
pub(crate) const OWN: (&str, &str) = ("thingcall", "published");

/// How many of the latest are remembered.
const MESSAGES_MAX: usize = 8_192;
/// For how long: what has not come back by then does not.
const COMES_WITHIN: Duration = Duration::from_secs(30);

/// Whether this broker carries a letter, and what it brings back of it is known again.
pub(crate) fn carries(config: &Config, device: &DeviceKey, letter: &Letter) -> Result<(), NotCarried> {
    if let Some(why) = letter_refusal(device, &letter.to) {
        return Err(NotCarried::Topic(why));
    }
    let is_v5 = config.version == Version::V5;
    if letter.extras.is_some() && !is_v5 {
        let why =
            "the devices' broker is reached by MQTT 3.1.1, which carries a topic and bytes and nothing beside them";
        return Err(NotCarried::Extras(why.to_owned()));
    }
    if comes_back(&letter.to) && config.posts() == Posts::Shared && !is_v5 {
        let why = "behind MQTT 3.1.1, with several instances, a message below a device's user/ would come back as the \
                   device's own; set version = \"5\" for the broker";
        return Err(NotCarried::Extras(why.to_owned()));
    }
    Ok(())
}

/// What goes with a letter takes, rounded up, its mark too.
pub(crate) fn extra_bytes(letter: &Letter) -> usize {
    /// What MQTT 5 puts before a text, twice for a pair.
    const EACH: usize = 5;
    let mark = EACH + OWN.0.len() + OWN.1.len();
    let Some(extras) = &letter.extras else { return mark };
    let text = |text: &Option<String>| text.as_ref().map_or(0, |text| text.len() + EACH);
    let user: usize = extras.user.iter().map(|(name, value)| name.len() + value.len() + EACH).sum();
    let data = extras.correlation_data.as_ref().map_or(0, |data| data.len() + EACH);
    mark + user + data + text(&extras.content_type) + text(&extras.response_topic) + 2 * EACH
}

/// What was published on topics of devices and may come back.
#[derive(Debug)]
pub(crate) struct Sent {
    expected: Mutex<LruCache<u64, (u32, Instant)>>,
    /// Keyed by chance, so that nobody can make a message that passes for another.
    hasher: RandomState,
}

impl Default for Sent {
    fn default() -> Self {
        Self { expected: Mutex::new(LruCache::new(MESSAGES_MAX)), hasher: RandomState::new() }
    }
}

impl Sent {
    /// A message is about to leave.
    pub(crate) fn expect(&self, topic: &str, payload: &[u8]) {
        let (hash, now) = (self.hasher.hash_one((topic, payload)), Instant::now());
        let mut expected = self.expected.lock().unwrap_or_else(PoisonError::into_inner);
        let count = expected.get(&hash).filter(|(_, at)| now - *at < COMES_WITHIN).map_or(0, |(count, _)| *count);
        expected.insert(hash, (count.saturating_add(1), now));
    }

    /// Whether this is one that was expected. As many like it are as were sent.
    pub(crate) fn take(&self, topic: &str, payload: &[u8]) -> bool {
        let hash = self.hasher.hash_one((topic, payload));
        let mut expected = self.expected.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((count, at)) = expected.remove(&hash) else { return false };
        if at.elapsed() >= COMES_WITHIN {
            return false;
        }
        if count > 1 {
            expected.insert(hash, (count - 1, at));
        }
        true
    }
}

#[cfg(test)]
mod tests;
