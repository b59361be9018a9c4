//! The rule of a bucket.

use super::*;

const SECOND: i64 = FULL_MICROS;

fn max(calls: u32) -> NonZeroU32 {
    NonZeroU32::new(calls).unwrap()
}

fn grant(calls: u32, full_in_micros: i64) -> Grant {
    Grant { calls, full_in: Duration::from_micros(u64::try_from(full_in_micros).unwrap()) }
}

fn want(used: u32, unused: u32, ahead: u32) -> Want {
    Want { account: "a".to_owned(), used, unused, ahead }
}

#[test]
fn a_full_bucket_gives_a_seconds_calls_and_no_more() {
    let (full_at, got) = want(0, 0, 700).settle(0, 5 * SECOND, max(500));
    assert_eq!((full_at, got), (6 * SECOND, grant(500, SECOND)));
    assert_eq!(want(0, 0, 700).settle(full_at, 5 * SECOND, max(500)).1, grant(0, SECOND));
    let (_, got) = want(0, 0, 700).settle(full_at, 5 * SECOND + SECOND / 10, max(500));
    assert_eq!(got, grant(50, SECOND), "what came back in a tenth of a second");
    let (_, got) = want(0, 0, 700).settle(full_at, 5 * SECOND + 1999, max(500));
    assert_eq!(got, grant(0, SECOND - 1999), "not a whole call yet");
}

#[test]
fn what_was_used_unasked_is_paid_back_first() {
    let (full_at, got) = want(3, 0, 1).settle(0, 0, max(1));
    assert_eq!((full_at, got), (3 * SECOND, grant(0, 3 * SECOND)));
    assert_eq!(want(0, 0, 1).settle(full_at, 2 * SECOND, max(1)).1, grant(0, SECOND));
    assert_eq!(want(0, 0, 1).settle(full_at, 3 * SECOND, max(1)).1, grant(1, SECOND));
}

#[test]
fn what_is_given_back_is_there_again_and_fills_no_bucket_over() {
    let (full_at, _) = want(0, 0, 10).settle(0, 0, max(10));
    let (full_at, got) = want(0, 10, 4).settle(full_at, 0, max(10));
    assert_eq!(got, grant(4, SECOND * 4 / 10));
    assert_eq!(want(0, 10, 20).settle(full_at, 0, max(10)).1, grant(10, SECOND));
}

#[test]
fn more_calls_a_second_than_microseconds_never_give_too_many() {
    let (full_at, got) = want(0, 0, u32::MAX).settle(0, 0, NonZeroU32::MAX);
    assert_eq!(got, grant(u32::MAX, SECOND));
    assert_eq!(want(0, 0, 9).settle(full_at, 0, NonZeroU32::MAX).1.calls, 0);
}
