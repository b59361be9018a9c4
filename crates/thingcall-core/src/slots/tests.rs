//! Slots come and go, and whoever shares them sees it.

use super::*;

fn held(slots: &Slots) -> Vec<u8> {
    slots.held().collect()
}

#[test]
fn nothing_is_held_at_first() {
    let slots = Slots::default();
    assert_eq!((slots.own(), held(&slots)), (None, vec![]));
    assert!(!slots.holds(CallId::new(0, 7)));
}

#[test]
fn a_server_that_is_alone_holds_its_slot() {
    let slots = Slots::alone(63);
    assert_eq!((slots.own(), held(&slots)), (Some(63), vec![63]));
    assert!(slots.holds(CallId::new(63, 7)) && !slots.holds(CallId::new(62, 7)));
}

#[test]
fn slots_taken_over_come_and_go_beside_the_own_one() {
    let slots = Slots::alone(3);
    let seen_by_others = slots.clone();
    slots.take(0);
    slots.take(63);
    assert_eq!((seen_by_others.own(), held(&seen_by_others)), (Some(3), vec![0, 3, 63]));
    slots.let_go(0);
    assert!(!seen_by_others.holds(CallId::new(0, 1)) && seen_by_others.holds(CallId::new(63, 1)));
}

#[test]
fn what_is_lost_is_lost_at_once_and_another_slot_may_follow() {
    let slots = Slots::alone(3);
    slots.take(5);
    slots.let_go_of_all();
    assert_eq!((slots.own(), held(&slots)), (None, vec![]));
    slots.set_own(4);
    assert_eq!((slots.own(), held(&slots)), (Some(4), vec![4]));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "there is no runtime here whose clock could be asked")]
fn a_slot_that_is_over_gives_no_id_though_nobody_took_it_away() {
    let slots = Slots::alone(3);
    let now = Instant::now();
    let later = |seconds| now + Duration::from_secs(seconds);
    assert_eq!(slots.own_at(later(1_000_000)), Some(3), "for ever");
    slots.last(now, Duration::from_secs(9));
    assert_eq!((slots.own_at(now), slots.own_at(later(8))), (Some(3), Some(3)));
    assert_eq!((slots.own_at(later(9)), slots.own()), (None, Some(3)));
    slots.last(later(2), Duration::from_secs(9));
    assert_eq!((slots.own_at(later(10)), slots.own_at(later(11))), (Some(3), None));
}
