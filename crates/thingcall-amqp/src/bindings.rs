//! What of the MQTT plugin's exchange comes to the queues of our slots. Topics on which only devices publish are bound from the start;
//! those that requests and answers share, when the first request needs them.
//!
//! **Invariants:** no topic of a request is bound unless its answer comes on that very topic (`/ext/rrpc/...`): a queue
//! of ours that takes a request would hide that the device's own is not there. What was bound once is bound again on
//! every later connection, before deliveries are taken on it.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use lapin::Channel;
use lapin::options::QueueBindOptions;
use lapin::types::{FieldTable, ShortString};
use thingcall_alink::REPLY_FILTERS;
use thingcall_core::{CallMode, Delivery, LetterTo, SyncTopic};

use crate::config::Config;
use crate::keys::{pattern_of, slot_queue};

/// How many services have a binding of their own; those beyond share one.
const SERVICES_MAX: usize = 10_000;
const ANY_SERVICE: &str = ".sys.*.*.thing.service.*";

/// The patterns that are wanted, on this connection and on later ones.
#[derive(Debug, Default)]
pub(crate) struct Wanted(Mutex<BTreeSet<String>>);

/// The patterns that are bound on one connection, for each slot.
pub(crate) struct Bindings {
    /// Not a consumer's: an error of a binding must not end that one.
    channel: Channel,
    exchange: ShortString,
    replies_exchange: String,
    bound: Mutex<BTreeSet<(u8, String)>>,
}

impl Wanted {
    /// The patterns on which the device may answer this.
    fn of(&self, delivery: &Delivery, sync_topic: SyncTopic) -> Vec<String> {
        let mut patterns = Vec::new();
        let on_same_topic = match &delivery.letter {
            None => delivery.mode == CallMode::Sync && sync_topic == SyncTopic::Ext,
            Some(letter) => matches!(letter.to, LetterTo::RrpcOn(_)),
        };
        if on_same_topic {
            patterns.extend(REPLY_FILTERS.iter().filter(|filter| is_ext(filter)).map(|filter| pattern_of(filter)));
        }
        // What answers a set of properties is bound from the start.
        if delivery.raw.is_none() && delivery.letter.is_none() && !delivery.service.sets_properties() {
            patterns.push(format!(".sys.*.*.thing.service.{}_reply", delivery.service));
        }
        let mut wanted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for pattern in &mut patterns {
            if wanted.len() >= SERVICES_MAX && !wanted.contains(pattern) {
                ANY_SERVICE.clone_into(pattern);
            }
            if !wanted.contains(pattern) {
                wanted.insert(pattern.clone());
            }
        }
        patterns
    }

    /// What to bind on a new connection.
    pub(crate) fn all(&self) -> BTreeSet<String> {
        let shared = |filter: &&&str| is_ext(filter) || filter.ends_with("/thing/service/+");
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        all.extend(REPLY_FILTERS.iter().filter(|filter| !shared(filter)).map(|filter| pattern_of(filter)));
        all
    }
}

fn is_ext(filter: &str) -> bool {
    filter.starts_with("/ext/")
}

impl Bindings {
    pub(crate) fn new(channel: Channel, config: &Config) -> Self {
        let (exchange, replies_exchange) = (config.mqtt_exchange.as_str().into(), config.replies_exchange.clone());
        Self { channel, exchange, replies_exchange, bound: Mutex::default() }
    }

    /// Binds the queue of a slot to all that is wanted.
    pub(crate) async fn begin(&self, wanted: &Wanted, slot: u8) -> Result<(), lapin::Error> {
        for pattern in wanted.all() {
            self.bind(slot, pattern).await?;
        }
        Ok(())
    }

    /// Sees to it that the answer to this comes to the queue of its slot.
    pub(crate) async fn expect(
        &self,
        wanted: &Wanted,
        delivery: &Delivery,
        sync_topic: SyncTopic,
    ) -> Result<(), lapin::Error> {
        let slot = delivery.id.slot();
        for pattern in wanted.of(delivery, sync_topic) {
            let one = (slot, pattern);
            // Two that come here together bind it twice, which RabbitMQ takes for once.
            if !self.bound.lock().unwrap_or_else(PoisonError::into_inner).contains(&one) {
                self.bind(slot, one.1).await?;
            }
        }
        Ok(())
    }

    async fn bind(&self, slot: u8, pattern: String) -> Result<(), lapin::Error> {
        let (queue, key) = (slot_queue(&self.replies_exchange, slot).as_str().into(), pattern.as_str().into());
        let options = QueueBindOptions::default();
        self.channel.queue_bind(queue, self.exchange.clone(), key, options, FieldTable::default()).await?;
        self.bound.lock().unwrap_or_else(PoisonError::into_inner).insert((slot, pattern));
        Ok(())
    }
}

#[cfg(test)]
mod tests;
