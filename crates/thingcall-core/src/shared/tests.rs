//! The rule of a bucket.

use super::*;

const SECOND: i64 = FULL_MICROS;

fn max(calls: u32) -> NonZeroU32 {
    NonZeroU32::new(calls).unwrap()
}

fn want(used: u32, unused: u32, ahead: u32) -> Want {
    Want { account: "a".to_owned(), used, unused, ahead }
}

#[test]
fn a_full_bucket_gives_a_seconds_calls_and_no_more() {
    let (full_at, grant) = want(0, 0, 700).settle(0, 5 * SECOND, max(500));
    assert_eq!((full_at, grant), (6 * SECOND, Grant { calls: 500, left: 0 }));
    let (_, grant) = want(0, 0, 700).settle(full_at, 5 * SECOND, max(500));
    assert_eq!(grant, Grant { calls: 0, left: 0 });
    let (_, grant) = want(0, 0, 700).settle(full_at, 5 * SECOND + SECOND / 10, max(500));
    assert_eq!(grant, Grant { calls: 50, left: 0 }, "what came back in a tenth of a second");
}

#[test]
fn what_was_used_unasked_is_paid_back_first() {
    let (full_at, grant) = want(3, 0, 1).settle(0, 0, max(1));
    assert_eq!((full_at, grant), (3 * SECOND, Grant { calls: 0, left: -2 }));
    assert_eq!(want(0, 0, 1).settle(full_at, 2 * SECOND, max(1)).1, Grant { calls: 0, left: 0 });
    assert_eq!(want(0, 0, 1).settle(full_at, 3 * SECOND, max(1)).1, Grant { calls: 1, left: 0 });
}

#[test]
fn what_is_given_back_is_there_again_and_fills_no_bucket_over() {
    let (full_at, _) = want(0, 0, 10).settle(0, 0, max(10));
    let (full_at, grant) = want(0, 10, 4).settle(full_at, 0, max(10));
    assert_eq!(grant, Grant { calls: 4, left: 6 });
    let (_, grant) = want(0, 10, 20).settle(full_at, 0, max(10));
    assert_eq!(grant, Grant { calls: 10, left: 0 });
}

#[test]
fn more_calls_a_second_than_microseconds_never_give_too_many() {
    let (full_at, grant) = want(0, 0, u32::MAX).settle(0, 0, NonZeroU32::MAX);
    assert_eq!(grant, Grant { calls: u32::MAX, left: 0 });
    assert_eq!(want(0, 0, 9).settle(full_at, 0, NonZeroU32::MAX).1.calls, 0);
}
