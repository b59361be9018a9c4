//! What the store itself sees happen, as messages: calls that end, devices that come and go, are made and removed.
//!
//! **Invariant:** they are written in the transaction of what they tell, and only where somebody wants them.

use std::collections::HashMap;

use thingcall_core::{
    Device, DeviceKey, EndedCall, LifeCycle, MessageId, MessageKind, MessageWords, NewMessage, Outcome, ProductKey,
    StatusChange, UnixMillis, Words,
};

use crate::database::Tx;
use crate::failure::Failure;
use crate::live::Seen;
use crate::memory::DeviceEntry;
use crate::shared::Shared;
use crate::turns::Turn;

/// A message that is to be written.
pub(crate) type Own = (MessageId, NewMessage);

impl Shared {
    /// The words, if anybody wants such a message of this product.
    pub(crate) fn tells(&self, product: &ProductKey, kind: MessageKind) -> Option<&dyn MessageWords> {
        self.log.words().filter(|_| self.log.is_wanted(product, kind))
    }

    /// How calls ended, in the order in which they did.
    pub(crate) async fn of_ended(&self, mut ended: Vec<EndedCall>) -> Result<Vec<Own>, Failure> {
        ended.sort_by_key(|ended| (ended.at, ended.place));
        let mut own = Vec::with_capacity(ended.len());
        for mut ended in ended {
            let Some(words) = self.tells(&ended.device.product, MessageKind::Result) else { continue };
            if ended.outcome == Outcome::Offline {
                ended.activated = self.was_there(&ended.device).await?;
            }
            own.push(self.own(MessageKind::Result, &ended.device, ended.at, words.result(&ended)));
        }
        Ok(own)
    }

    /// Whether a device ever was connected.
    async fn was_there(&self, device: &DeviceKey) -> Result<bool, Failure> {
        let seen = |entry: &DeviceEntry| entry.live.seen().activated_at.is_some();
        match self.devices.peek(device) {
            Some(known) => Ok(seen(&known.entry)),
            None => Ok(self.reads.device(device).await?.is_some_and(|entry| {
                self.devices.add_heard(&entry);
                seen(&entry)
            })),
        }
    }

    /// That something was done to a device, if anybody wants to know.
    pub(crate) fn of_life_cycle(&self, device: &Device, did: LifeCycle, at: UnixMillis) -> Option<Own> {
        let words = self.tells(&device.key.product, MessageKind::LifeCycle)?;
        Some(self.own(MessageKind::LifeCycle, &device.key, at, words.life_cycle(device, did, at)))
    }

    fn own(&self, kind: MessageKind, device: &DeviceKey, at: UnixMillis, words: Words) -> Own {
        let slot = self.held.first().map_or(0, |lease| lease.slot);
        (self.log.ids.next(slot), NewMessage { kind, device: device.clone(), at, words })
    }

    /// Writes them as part of a transaction; the newest's place, to be told when it is committed.
    pub(crate) async fn append_own(&self, tx: &mut dyn Tx, own: &[Own]) -> Result<Option<i64>, Failure> {
        if own.is_empty() {
            return Ok(None);
        }
        tx.append_messages(own, None).await.map(Some)
    }

    /// They are committed.
    pub(crate) fn appended_own(&self, own: &[Own], newest: Option<i64>) {
        self.log.count(own);
        if let Some(newest) = newest {
            self.log.is_at(newest);
        }
    }

    /// Which of these turns were changes, after what the database says of their devices.
    pub(crate) fn of_turns(&self, turns: &[Turn], devices: &[DeviceEntry]) -> Vec<Own> {
        let found = devices.iter().map(|entry| (&entry.device.key, (&*entry.device, entry.live.seen())));
        let mut found: HashMap<&DeviceKey, (&Device, Seen)> = found.collect();
        let mut own = Vec::new();
        for turn in turns {
            let Some((device, seen)) = found.get_mut(&turn.device) else { continue };
            if seen.online == turn.online {
                continue;
            }
            let last_at = turn.last_at.max(seen.last_seen_at).unwrap_or(turn.at).min(turn.at);
            let address = turn.address.clone().or_else(|| seen.address.clone());
            own.extend(self.of_status(device, turn.online, (turn.at, last_at), address));
            (seen.online, seen.last_seen_at, seen.address) = (turn.online, Some(turn.at), turn.address.clone());
        }
        own
    }

    /// Those that were connected are so no more, since whoever they were connected to has just started.
    pub(crate) fn of_gone(&self, devices: &[DeviceEntry], at: UnixMillis) -> Vec<Own> {
        let gone = devices.iter().filter_map(|entry| {
            let seen = entry.live.seen();
            self.of_status(&entry.device, false, (at, seen.last_seen_at.unwrap_or(at)), seen.address)
        });
        gone.collect()
    }

    fn of_status(
        &self,
        device: &Device,
        online: bool,
        (at, last_at): (UnixMillis, UnixMillis),
        address: Option<String>,
    ) -> Option<Own> {
        let words = self.tells(&device.key.product, MessageKind::Status)?;
        let change = StatusChange { device: device.clone(), online, at, last_at, address };
        Some(self.own(MessageKind::Status, &device.key, at, words.status(&change)))
    }
}
