//! What an instance saw of the others: who held a slot, and since when nobody does.

use std::collections::BTreeMap;

use thingcall_core::SlotState;

use crate::rule::Moment;

#[derive(Debug, Default)]
pub(crate) struct Seen {
    holders: BTreeMap<u8, String>,
    orphans: BTreeMap<u8, Moment>,
}

impl Seen {
    /// The slots, as they are now.
    pub(crate) fn look_at(&mut self, slots: &[SlotState], now: Moment) {
        let orphans = slots.iter().filter(|state| state.holder.is_none() && state.work);
        self.orphans = orphans.map(|state| (state.slot, self.since(state.slot).unwrap_or(now))).collect();
        // An instance that took a slot over made none of the ids in it.
        let holders = slots.iter().filter(|state| !state.taken_over);
        let holders = holders.filter_map(|state| Some((state.slot, state.holder.as_ref()?.name.clone())));
        self.holders.extend(holders);
    }

    /// Since when nobody was seen to hold a slot that has work.
    pub(crate) fn since(&self, slot: u8) -> Option<Moment> {
        self.orphans.get(&slot).copied()
    }

    /// Who was last seen to make ids in a slot.
    pub(crate) fn holder(&self, slot: u8) -> Option<&str> {
        self.holders.get(&slot).map(String::as_str)
    }
}
