//! Leases in memory, by a clock that a test moves.

mod contract;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

pub use contract::{LeasesUnderTest, assert_leases, instance};

use crate::{CallId, Instance, Lease, LeaseError, Leases, Renewal, SlotState};

/// A store of leases that lives as long as its process.
pub struct MemoryLeases {
    clock: Box<dyn Fn() -> Duration + Send + Sync>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    slots: Vec<Slot>,
    /// Why nothing can be asked.
    fault: Option<String>,
}

#[derive(Clone)]
struct Slot {
    lease: Lease,
    holder: Option<Instance>,
    taken_over: bool,
    until: Duration,
    work: bool,
}

impl MemoryLeases {
    /// Nobody holds anything. `clock` says how much time went by.
    pub fn new(clock: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        let slot = |slot| Slot {
            lease: Lease { slot, generation: 0 },
            holder: None,
            taken_over: false,
            until: Duration::ZERO,
            work: false,
        };
        let slots = (0..=CallId::SLOT_MAX).map(slot).collect();
        Self { clock: Box::new(clock), state: Mutex::new(State { slots, fault: None }) }
    }

    /// From now on a slot has something left to do, or nothing.
    pub fn work(&self, slot: u8, there: bool) {
        self.state().slots.iter_mut().filter(|one| one.lease.slot == slot).for_each(|one| one.work = there);
    }

    /// From now on every question fails so, or none does.
    pub fn fault(&self, why: Option<&str>) {
        self.state().fault = why.map(str::to_owned);
    }

    /// Whether this lease is the slot's newest and not over.
    pub fn is_valid(&self, lease: Lease) -> bool {
        let now = (self.clock)();
        self.state().slots.iter().any(|one| one.lease == lease && one.is_held(now))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The slots and the time, if the store answers.
    fn asked(&self) -> Result<(MutexGuard<'_, State>, Duration), LeaseError> {
        let state = self.state();
        match &state.fault {
            Some(why) => Err(LeaseError::Store(why.clone())),
            None => Ok((state, (self.clock)())),
        }
    }
}

impl Slot {
    fn is_held(&self, now: Duration) -> bool {
        self.holder.is_some() && now < self.until
    }

    fn give(&mut self, to: &Instance, taken_over: bool, now: Duration) -> Lease {
        self.lease.generation += 1;
        (self.holder, self.taken_over, self.until) = (Some(to.clone()), taken_over, now + Lease::TIME);
        self.lease
    }

    fn told(&self, now: Duration) -> SlotState {
        let held = self.is_held(now);
        SlotState {
            slot: self.lease.slot,
            generation: self.lease.generation,
            holder: self.holder.clone().filter(|_| held),
            taken_over: held && self.taken_over,
            left: if held { self.until - now } else { Duration::ZERO },
            work: self.work,
        }
    }
}

impl State {
    fn told(&self, now: Duration) -> Vec<SlotState> {
        self.slots.iter().filter(|slot| slot.is_held(now) || slot.work).map(|slot| slot.told(now)).collect()
    }

    /// Where an embedded broker would not be alone.
    fn not_alone(&self, me: &Instance, now: Duration) -> Option<LeaseError> {
        let others = self.slots.iter().filter(|slot| slot.is_held(now));
        others.filter_map(|slot| Some((slot.lease.slot, slot.holder.as_ref()?))).find_map(|(slot, other)| {
            let name = || other.name.clone();
            match other {
                other if other.run == me.run => None,
                _ if me.embedded => Some(LeaseError::EmbeddedHere { other: name(), slot }),
                other if other.embedded => Some(LeaseError::EmbeddedThere { other: name(), slot }),
                _ => None,
            }
        })
    }
}

#[async_trait]
impl Leases for MemoryLeases {
    async fn take(&self, me: &Instance, wanted: Option<u8>) -> Result<Lease, LeaseError> {
        let (mut state, now) = self.asked()?;
        if let Some(refused) = state.not_alone(me, now) {
            return Err(refused);
        }
        let mut free: Vec<_> = state.slots.iter_mut().filter(|slot| !slot.is_held(now)).collect();
        free.sort_by_key(|slot| (wanted != Some(slot.lease.slot), slot.lease.slot));
        let first = free.into_iter().next().ok_or(LeaseError::NoneFree)?;
        Ok(first.give(me, false, now))
    }

    async fn renew(&self, me: &Instance, held: &[Lease]) -> Result<Renewal, LeaseError> {
        let (mut state, now) = self.asked()?;
        let mut renewed = Vec::new();
        for slot in state.slots.iter_mut().filter(|slot| slot.is_held(now) && held.contains(&slot.lease)) {
            (slot.holder, slot.until) = (Some(me.clone()), now + Lease::TIME);
            renewed.push(slot.lease);
        }
        Ok(Renewal { held: renewed, slots: state.told(now) })
    }

    async fn take_over(&self, me: &Instance, slot: u8, seen: u64) -> Result<Option<Lease>, LeaseError> {
        let (mut state, now) = self.asked()?;
        let seen = Lease { slot, generation: seen };
        let free = state.slots.iter_mut().find(|one| one.lease == seen && !one.is_held(now));
        Ok(free.map(|one| one.give(me, true, now)))
    }

    async fn release(&self, held: &[Lease]) -> Result<(), LeaseError> {
        let (mut state, _) = self.asked()?;
        state.slots.iter_mut().filter(|slot| held.contains(&slot.lease)).for_each(|slot| slot.holder = None);
        Ok(())
    }

    async fn all(&self) -> Result<Vec<SlotState>, LeaseError> {
        let (state, now) = self.asked()?;
        Ok(state.told(now))
    }
}
