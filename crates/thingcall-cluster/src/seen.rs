//! What an instance saw of the others: who held a slot, since when nobody does, and what they are at odds in.

use std::collections::BTreeMap;

use thingcall_core::{Lease, SlotState};

use crate::rule::Moment;

#[derive(Debug, Default)]
pub(crate) struct Seen {
    holders: BTreeMap<u8, String>,
    orphans: BTreeMap<u8, Moment>,
    odds: BTreeMap<String, Moment>,
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

    /// What instances are at odds in for longer than a lease lasts: one that was killed and is here again would else be at
    /// odds with itself.
    pub(crate) fn lasting(&mut self, odds: Vec<String>, now: Moment) -> Vec<String> {
        let since = |why: &String| self.odds.get(why).copied().unwrap_or(now);
        self.odds = odds.into_iter().map(|why| (since(&why), why)).map(|(since, why)| (why, since)).collect();
        let lasts = |since: Moment| now.saturating_sub(since) > Lease::TIME;
        self.odds.iter().filter(|(_, since)| lasts(**since)).map(|(why, _)| why.clone()).collect()
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

#[cfg(test)]
mod tests {
    //! What is told of odds.

    use std::time::Duration;

    use super::*;

    #[test]
    fn odds_are_told_that_outlast_a_lease_and_not_what_a_restart_leaves() {
        let (mut seen, second) = (Seen::default(), Duration::from_secs(1));
        let odds = |all: &[&str]| all.iter().map(|why| (*why).to_owned()).collect::<Vec<_>>();
        assert!(seen.lasting(odds(&["named twice"]), second).is_empty());
        assert!(seen.lasting(odds(&["named twice", "other"]), second + Lease::TIME).is_empty());
        assert_eq!(seen.lasting(odds(&["named twice", "other"]), 2 * second + Lease::TIME), ["named twice"]);
        assert!(seen.lasting(Vec::new(), 3 * second + Lease::TIME).is_empty());
        assert!(seen.lasting(odds(&["named twice"]), 4 * second + Lease::TIME).is_empty(), "another time");
    }
}
