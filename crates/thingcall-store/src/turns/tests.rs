//! What is noted with a turn, and taken with it.

use super::*;

fn turn(online: bool) -> Turn {
    let device = DeviceKey { product: "p".try_into().unwrap(), name: "d1".try_into().unwrap() };
    Turn { device, online, at: UnixMillis(1), address: None, last_at: None }
}

#[test]
fn nobody_takes_a_turn_without_what_is_heard_with_it() {
    let turns = Turns::default();
    let is_held = || turns.0.try_lock().is_err();
    assert!(turns.push(turn(true), 1, || assert!(is_held(), "somebody may take the turn alone")));
    let mut heard = 0;
    assert!(!turns.push(turn(false), 1, || heard += 1), "there is room for one");
    assert_eq!(heard, 1, "what memory knows needs no room");
    let (held, all) = turns.all(is_held);
    assert!(held, "somebody may add a turn whose part of what is heard is taken already");
    assert_eq!(all.len(), 1);
}
