//! A consumer group's clients at this instance, and the messages that are between the log and them.
//!
//! **Invariant:** a message that was put in is with one client, or in `spare`; who leaves leaves behind what it had not sent.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use thingcall_core::{Consumer, Consumption, GroupId, ReaderName, Taken, UnixMillis};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::minute::Minute;
use crate::rate::Rate;

/// A message on its way to a client.
#[derive(Debug)]
pub(crate) struct Handed {
    pub(crate) taken: Taken,
    /// Nobody was given it before, nor did it wait for a consumer.
    pub(crate) fresh: bool,
}

/// A client that comes.
#[derive(Debug)]
pub(crate) struct Guest {
    pub(crate) client: String,
    pub(crate) key_id: String,
    pub(crate) address: SocketAddr,
}

/// Why a client's connection is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Or it may not have this group any more.
    KeyGone,
    GroupGone,
}

/// Why a client cannot be one of the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoPlace {
    Closed,
    Full,
    TooOften,
}

/// What a client finds.
#[derive(Debug, Default)]
pub(crate) struct Given {
    pub(crate) messages: VecDeque<Handed>,
    pub(crate) order: Option<Order>,
    /// It waits to be told that there is nothing, and there was nothing.
    pub(crate) nothing: bool,
}

/// The group.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) id: GroupId,
    pub(crate) reader: ReaderName,
    clients_max: usize,
    state: Mutex<State>,
    /// Clients have more room, or there are others.
    changed: Notify,
}

#[derive(Debug)]
struct State {
    slots: BTreeMap<u64, Slot>,
    next: u64,
    /// Who was given something last.
    turn: u64,
    spare: VecDeque<Handed>,
    connects: Rate,
    consumed: Minute,
    last_at: Option<UnixMillis>,
    closed: bool,
}

#[derive(Debug)]
struct Slot {
    guest: Guest,
    since: UnixMillis,
    consumed: Minute,
    /// How many more it takes, beside those that wait for it in `given`.
    room: usize,
    drains: bool,
    given: Given,
    wake: Arc<Notify>,
}

/// A client's place in its group; it leaves with this value.
#[derive(Debug)]
pub(crate) struct Member {
    group: Arc<Group>,
    number: u64,
    wake: Arc<Notify>,
}

impl Group {
    pub(crate) fn new(id: GroupId, clients_max: usize, connects_per_minute: u32) -> Self {
        let now = Instant::now();
        let state = State {
            slots: BTreeMap::new(),
            next: 0,
            turn: 0,
            spare: VecDeque::new(),
            connects: Rate::new(connects_per_minute, Duration::from_secs(60), now),
            consumed: Minute::new(now),
            last_at: None,
            closed: false,
        };
        Self { reader: id.reader(), id, clients_max, state: Mutex::new(state), changed: Notify::new() }
    }

    pub(crate) fn join(self: &Arc<Self>, guest: Guest) -> Result<Member, NoPlace> {
        let now = Instant::now();
        let mut state = self.state();
        if state.closed {
            return Err(NoPlace::Closed);
        }
        if state.connects.room(now) == 0 {
            return Err(NoPlace::TooOften);
        }
        state.connects.take(1, now);
        if state.slots.len() >= self.clients_max {
            return Err(NoPlace::Full);
        }
        let (number, wake) = (state.next, Arc::new(Notify::new()));
        state.next += 1;
        let slot = Slot {
            guest,
            since: UnixMillis::now(),
            consumed: Minute::new(now),
            room: 0,
            drains: false,
            given: Given::default(),
            wake: wake.clone(),
        };
        state.slots.insert(number, slot);
        Ok(Member { group: self.clone(), number, wake })
    }

    /// Returns when clients may want more than before.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// How many messages clients would take, beside those that are spare.
    pub(crate) fn wanted(&self) -> usize {
        let state = self.state();
        let room: usize = state.slots.values().map(|slot| slot.room).sum();
        room.saturating_sub(state.spare.len())
    }

    /// Hands these out, and what is spare before them: in turn, one to each who has room. What is too many stays spare.
    pub(crate) fn hand_out(&self, messages: impl IntoIterator<Item = Handed>) {
        let mut state = self.state();
        state.spare.extend(messages);
        let State { slots, spare, turn, .. } = &mut *state;
        let mut order: Vec<u64> = slots.iter().filter(|(_, slot)| slot.room > 0).map(|(number, _)| *number).collect();
        let first = order.partition_point(|number| *number <= *turn);
        order.rotate_left(first);
        let mut woken = Vec::new();
        while !spare.is_empty() && !order.is_empty() {
            order.retain(|number| {
                let Some(slot) = slots.get_mut(number).filter(|slot| slot.room > 0) else { return false };
                let Some(message) = spare.pop_front() else { return false };
                if slot.given.messages.is_empty() {
                    woken.push(slot.wake.clone());
                }
                slot.given.messages.push_back(message);
                slot.room -= 1;
                *turn = *number;
                true
            });
        }
        drop(state);
        woken.iter().for_each(|wake| wake.notify_one());
    }

    /// The log has nothing: tells those who wait to hear it.
    pub(crate) fn nothing(&self) {
        for slot in self.state().slots.values_mut().filter(|slot| slot.drains && slot.room > 0) {
            slot.drains = false;
            slot.given.nothing = true;
            slot.wake.notify_one();
        }
    }

    /// Takes away what nobody has room for.
    pub(crate) fn take_spare(&self) -> Vec<Handed> {
        self.state().spare.drain(..).collect()
    }

    pub(crate) fn has_spare(&self) -> bool {
        !self.state().spare.is_empty()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.state().slots.is_empty()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state().closed
    }

    /// Nobody may join any more.
    pub(crate) fn close(&self) {
        self.state().closed = true;
        self.changed.notify_one();
    }

    /// Ends the connections of clients for which `why` has a reason.
    pub(crate) fn order(&self, why: impl Fn(&Guest) -> Option<Order>) {
        for slot in self.state().slots.values_mut() {
            slot.given.order = why(&slot.guest);
            if slot.given.order.is_some() {
                slot.wake.notify_one();
            }
        }
    }

    pub(crate) fn consumption(&self) -> Consumption {
        let now = Instant::now();
        let mut state = self.state();
        let consumer = |slot: &mut Slot| Consumer {
            client: slot.guest.client.clone(),
            address: slot.guest.address.to_string(),
            since: slot.since,
            consumed: slot.consumed.sum(now),
        };
        let mut clients: Vec<_> = state.slots.values_mut().map(consumer).collect();
        clients.sort_by_key(|client| client.since);
        Consumption { clients, consumed: state.consumed.sum(now), last_at: state.last_at }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Member {
    pub(crate) fn reader(&self) -> &ReaderName {
        &self.group.reader
    }

    pub(crate) fn group(&self) -> &GroupId {
        &self.group.id
    }

    /// Returns when [`Self::given`] may have something.
    pub(crate) async fn called(&self) {
        self.wake.notified().await;
    }

    /// What there is for this client now.
    pub(crate) fn given(&self) -> Given {
        self.group.state().slots.get_mut(&self.number).map(|slot| std::mem::take(&mut slot.given)).unwrap_or_default()
    }

    /// So many more this client takes now, and whether it waits to be told that there is nothing.
    pub(crate) fn wants(&self, room: usize, drains: bool) {
        let mut state = self.group.state();
        let Some(slot) = state.slots.get_mut(&self.number) else { return };
        let room = room.saturating_sub(slot.given.messages.len());
        let more = room > slot.room || drains && !slot.drains && !slot.given.nothing;
        slot.room = room;
        slot.drains = drains && !slot.given.nothing;
        drop(state);
        if more {
            self.group.changed.notify_one();
        }
    }

    /// Gives up what this client was handed and cannot take; others may.
    pub(crate) fn put_back(&self, messages: VecDeque<Handed>) {
        if messages.is_empty() {
            return;
        }
        let mut state = self.group.state();
        messages.into_iter().rev().for_each(|message| state.spare.push_front(message));
        drop(state);
        self.group.changed.notify_one();
    }

    /// This client is done with a message.
    pub(crate) fn consumed(&self, fresh: bool) {
        let now = Instant::now();
        let mut state = self.group.state();
        state.consumed.add(fresh, now);
        state.last_at = Some(UnixMillis::now());
        if let Some(slot) = state.slots.get_mut(&self.number) {
            slot.consumed.add(fresh, now);
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut state = self.group.state();
        let given = state.slots.remove(&self.number).map(|slot| slot.given.messages).unwrap_or_default();
        given.into_iter().rev().for_each(|message| state.spare.push_front(message));
        drop(state);
        self.group.changed.notify_one();
    }
}

#[cfg(test)]
mod tests;
