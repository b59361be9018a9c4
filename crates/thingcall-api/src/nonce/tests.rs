//! When a nonce is known, and when it is forgotten.

use proptest::prelude::*;

use super::*;

const SKEW: Duration = Duration::from_secs(900);
const MINUTE: i64 = 60_000;

fn at(minute: i64) -> UnixMillis {
    UnixMillis(1_800_000_000_000 + minute * MINUTE)
}

#[test]
fn a_nonce_is_used_once_by_a_key() {
    let nonces = Nonces::new(10, SKEW);
    assert_eq!(nonces.note("a", "n", at(0), at(0)), Ok(()));
    assert_eq!(nonces.note("a", "n", at(5), at(5)), Err(NonceError::Used));
    assert_eq!(nonces.note("b", "n", at(5), at(5)), Ok(()), "another key's");
}

#[test]
fn a_full_memory_says_when_it_has_room_and_then_has() {
    let nonces = Nonces::new(2, SKEW);
    for nonce in ["1", "2"] {
        assert_eq!(nonces.note("a", nonce, at(0), at(0)), Ok(()));
    }
    let Err(NonceError::Full(wait)) = nonces.note("a", "3", at(0), at(0)) else { panic!("not full") };
    assert!(wait <= SKEW * 2, "{wait:?}");
    assert_eq!(nonces.note("b", "3", at(0), at(0)), Ok(()), "another key's memory");
    let then = UnixMillis(at(0).0 + i64::try_from(wait.as_millis()).unwrap() + 1);
    assert_eq!(nonces.note("a", "4", then, then), Ok(()));
}

#[test]
fn the_fullest_key_is_told_and_what_expired_is_forgotten() {
    let nonces = Nonces::new(10, SKEW);
    for (key, nonce) in [("a", "1"), ("a", "2"), ("b", "1")] {
        nonces.note(key, nonce, at(0), at(0)).expect("new");
    }
    assert_eq!(nonces.fullest(at(1)), 2);
    nonces.note("b", "2", at(60), at(60)).expect("new");
    assert_eq!(nonces.fullest(at(60)), 1, "an hour later");
    assert_eq!(nonces.keys.lock().unwrap().len(), 1, "a key that signs no more takes no room");
}

proptest! {
    #[test]
    fn what_could_be_sent_again_is_remembered(
        requests in prop::collection::vec((0..200_i64, -15..=15_i64, 0..8_u8), 1..60)
    ) {
        let nonces = Nonces::new(1000, SKEW);
        let mut sorted = requests;
        sorted.sort_unstable();
        let mut seen: Vec<(u8, i64)> = Vec::new();
        for (now, off, nonce) in sorted {
            let result = nonces.note("a", &nonce.to_string(), at(now + off), at(now));
            // A request is let in until its time is 15 minutes old: so long its nonce must be known.
            let live = seen.iter().any(|(other, time)| *other == nonce && time + 15 >= now);
            prop_assert!(!live || result == Err(NonceError::Used));
            if result.is_ok() {
                seen.push((nonce, now + off));
            }
        }
    }
}
