//! Which calls are ours.

use super::*;

fn lease(slot: u8, generation: u64) -> Lease {
    Lease { slot, generation }
}

#[test]
fn who_never_took_a_lease_writes_about_every_call_and_needs_none() {
    let held = Held::default();
    assert!(held.is_ours(CallId::new(5, 1)) && held.slots().is_none());
    assert_eq!(held.needed([CallId::new(5, 1)].into_iter()), []);
}

#[test]
fn calls_of_held_slots_are_ours_and_need_their_leases_alone() {
    let held = Held::default();
    for slot in [3, 63, 0] {
        held.take(lease(slot, 1));
    }
    let calls = [CallId::new(63, 9), CallId::new(3, 1), CallId::new(63, 1)];
    assert_eq!(held.needed(calls.into_iter()), [lease(3, 1), lease(63, 1)]);
    assert!(!held.is_ours(CallId::new(4, 1)));
    held.lose(&[lease(63, 1), lease(3, 1), lease(0, 1)]);
    assert!(!held.is_ours(calls[0]) && held.slots() == Some(vec![]));
}

#[test]
fn the_loss_of_an_older_lease_leaves_the_newer_one() {
    let held = Held::default();
    held.take(lease(3, 1));
    held.take(lease(3, 2));
    held.lose(&[lease(3, 1)]);
    assert_eq!(held.needed([CallId::new(3, 0)].into_iter()), [lease(3, 2)]);
}
