//! What this process handed out and nobody has settled or given back yet.
//!
//! **Invariant:** what is in a claim's row is here as long as the row is ours: it comes here in the same hold of the write lock.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use thingcall_core::ReaderName;

/// All of it.
#[derive(Debug, Default)]
pub(crate) struct InHands(Mutex<HashMap<ReaderName, Hand>>);

#[derive(Debug, Default)]
struct Hand {
    /// What is open of each claim, by the claim's first place.
    claims: BTreeMap<i64, HashSet<i64>>,
    /// What had come back, and was handed out again.
    again: HashSet<i64>,
}

/// What somebody lets go of.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct LetGo {
    /// Places that were in hand, out of claims.
    pub(crate) first_time: Vec<i64>,
    /// Those that had come back before.
    pub(crate) again: Vec<i64>,
    /// Claims of which nothing is open any more.
    pub(crate) claims: Vec<i64>,
    /// Those that were not in hand: they were let go of before.
    pub(crate) not_in_hand: Vec<i64>,
}

impl InHands {
    /// These places are handed out by a claim.
    pub(crate) fn take(&self, reader: &ReaderName, first: i64, places: &[i64]) {
        self.lock().entry(reader.clone()).or_default().claims.insert(first, places.iter().copied().collect());
    }

    /// These had come back, and are handed out again.
    pub(crate) fn take_again(&self, reader: &ReaderName, places: impl Iterator<Item = i64>) {
        self.lock().entry(reader.clone()).or_default().again.extend(places);
    }

    /// Lets go of these.
    pub(crate) fn let_go(&self, reader: &ReaderName, places: impl Iterator<Item = i64>) -> LetGo {
        let mut gone = LetGo::default();
        let mut all = self.lock();
        let Some(hand) = all.get_mut(reader) else {
            gone.not_in_hand.extend(places);
            return gone;
        };
        for place in places {
            if hand.again.remove(&place) {
                gone.again.push(place);
                continue;
            }
            let claim = hand.claims.range_mut(..=place).next_back().map(|(first, open)| (*first, open));
            let Some((first, open)) = claim.filter(|(_, open)| open.contains(&place)) else {
                gone.not_in_hand.push(place);
                continue;
            };
            open.remove(&place);
            gone.first_time.push(place);
            if open.is_empty() {
                hand.claims.remove(&first);
                gone.claims.push(first);
            }
        }
        gone
    }

    /// Whether something of this claim is in hand.
    pub(crate) fn has_claim(&self, reader: &ReaderName, first: i64) -> bool {
        self.lock().get(reader).is_some_and(|hand| hand.claims.contains_key(&first))
    }

    /// Whether this is in hand again.
    pub(crate) fn has_again(&self, reader: &ReaderName, place: i64) -> bool {
        self.lock().get(reader).is_some_and(|hand| hand.again.contains(&place))
    }

    /// There is no such reader.
    pub(crate) fn forget(&self, reader: &ReaderName) {
        self.lock().remove(reader);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ReaderName, Hand>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_ends_with_its_last_message_and_nothing_is_let_go_of_twice() {
        let (hands, reader) = (InHands::default(), ReaderName("r".to_owned()));
        hands.take(&reader, 3, &[3, 5, 9]);
        hands.take(&reader, 12, &[12]);
        hands.take_again(&reader, [1].into_iter());
        let gone = hands.let_go(&reader, [3, 3, 4, 1, 99].into_iter());
        assert_eq!(gone, LetGo { first_time: vec![3], again: vec![1], claims: vec![], not_in_hand: vec![3, 4, 99] });
        assert!(hands.has_claim(&reader, 3) && !hands.has_again(&reader, 1));
        let gone = hands.let_go(&reader, [9, 5, 12].into_iter());
        assert_eq!(gone, LetGo { first_time: vec![9, 5, 12], claims: vec![3, 12], ..LetGo::default() });
        assert_eq!(hands.let_go(&reader, [9].into_iter()).not_in_hand, [9]);
    }
}
