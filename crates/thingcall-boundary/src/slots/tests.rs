//! Tokens name one thing and never another.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Act {
    Insert(u32),
    /// Of the tokens ever seen, this one.
    Kill(usize),
    Look(usize),
    /// A number that may never have been a token.
    Guess(u64),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        any::<u32>().prop_map(Act::Insert),
        any::<usize>().prop_map(Act::Kill),
        any::<usize>().prop_map(Act::Look),
        any::<u64>().prop_map(Act::Guess),
        (0..4096_u64).prop_map(|low| Act::Guess(low | 1 << INDEX_BITS)),
    ];
    proptest::collection::vec(act, 0..400)
}

proptest! {
    #[test]
    fn a_token_names_what_was_entered_until_it_is_killed(acts in acts()) {
        let (slots, owner): (Slots<u32, u32>, _) = (Slots::new(CALLS), Arc::new(0));
        let (mut live, mut seen) = (HashMap::new(), Vec::new());
        for act in acts {
            match act {
                Act::Insert(value) => {
                    let token = slots.insert(&owner, |token| (value, token)).unwrap();
                    prop_assert!(token != 0 && !seen.contains(&token), "given out twice");
                    seen.push(token);
                    live.insert(token, value);
                }
                Act::Kill(nth) if !seen.is_empty() => {
                    let token = seen[nth % seen.len()];
                    prop_assert_eq!(slots.kill(token), live.remove(&token));
                }
                Act::Look(nth) if !seen.is_empty() => {
                    let token = seen[nth % seen.len()];
                    prop_assert_eq!(slots.get(token), live.get(&token).copied());
                }
                Act::Guess(token) => prop_assert_eq!(slots.get(token), live.get(&token).copied()),
                Act::Kill(_) | Act::Look(_) => {}
            }
        }
        let mut all = slots.filter(|value| Some(*value));
        let mut expected: Vec<u32> = live.into_values().collect();
        all.sort_unstable();
        expected.sort_unstable();
        prop_assert_eq!(all, expected);
    }
}

#[test]
fn nothing_is_found_under_zero_and_under_numbers_never_given_out() {
    let slots: Slots<u8, ()> = Slots::new(CALLS);
    for token in [0, 1, u64::MAX, 1 << INDEX_BITS, u64::MAX << INDEX_BITS] {
        assert_eq!((slots.get(token), slots.kill(token), slots.owner(token)), (None, None, None));
    }
}

#[test]
fn a_token_of_one_table_is_of_no_other() {
    let (calls, plugins, owner) = (Slots::new(CALLS), Slots::new(PLUGINS), Arc::new(()));
    for n in 0..3 * CHUNK_SLOTS {
        let call = calls.insert(&owner, |token| (n, token)).unwrap();
        let plugin = plugins.insert(&owner, |token| (n, token)).unwrap();
        assert_eq!((plugins.get(call), plugins.kill(call), plugins.owner(call)), (None, None, None));
        assert_eq!((calls.get(plugin), calls.owner(plugin)), (None, None));
        assert_eq!((calls.kill(call), plugins.kill(plugin)), (Some(n), Some(n)));
        assert_eq!((plugins.owner(call), calls.owner(plugin)), (None, None));
    }
}

#[test]
fn the_owner_of_a_stale_token_is_known_until_its_slot_is_used_again() {
    let slots: Slots<u8, &str> = Slots::new(CALLS);
    let [a, b, c] = ["a", "b", "c"].map(Arc::new);
    let first = slots.insert(&a, |token| (1, token)).unwrap();
    assert_eq!(slots.owner(first), Some(a.clone()));
    slots.kill(first).unwrap();
    assert_eq!(slots.owner(first), Some(a.clone()));
    // A freed slot is the last to be used again.
    for _ in 0..CHUNK_SLOTS - 1 {
        slots.insert(&b, |token| (2, token)).unwrap();
    }
    assert_eq!(slots.owner(first), Some(a.clone()));
    let again = slots.insert(&c, |token| (3, token)).unwrap();
    assert_eq!((slots.owner(first), slots.owner(again)), (None, Some(c)));
    assert_eq!((slots.get(first), slots.get(again)), (None, Some(3)));
}

#[test]
fn a_full_table_says_so_and_takes_more_when_one_is_freed() {
    let slots: Slots<(), ()> = Slots::new(CALLS);
    let tokens: Vec<Token> = std::iter::from_fn(|| slots.insert(&Arc::new(()), |token| ((), token))).collect();
    assert_eq!(tokens.len(), 1 << INDEX_BITS);
    slots.kill(tokens[5]).unwrap();
    assert!(slots.insert(&Arc::new(()), |token| ((), token)).is_some());
    assert!(slots.insert(&Arc::new(()), |token| ((), token)).is_none());
}

#[test]
fn a_slot_whose_generations_are_used_up_is_not_used_again() {
    let slots: Slots<(), ()> = Slots::new(CALLS);
    let token = slots.insert(&Arc::new(()), |token| ((), token)).unwrap();
    lock(&slots.slot(token).unwrap().0).generation = GENERATION_MAX;
    let last = (GENERATION_MAX << INDEX_BITS) | (token & ((1 << INDEX_BITS) - 1));
    let free = lock(&slots.free).tokens.len();
    assert_eq!(slots.kill(last), Some(()));
    assert_eq!(lock(&slots.free).tokens.len(), free);
    assert_eq!(slots.get(last), None);
}
