//! That a rate holds.

use std::time::Duration;

use tokio::time::Instant;

use super::Rate;

#[test]
fn no_more_than_so_many_within_the_span_and_all_again_after_a_rest() {
    let start = Instant::now();
    let mut rate = Rate::new(7, Duration::from_secs(1), start);
    assert_eq!(rate.room(start), 7);

    rate.take(7, start);

    assert_eq!(rate.room(start), 0);
    assert_eq!(rate.room(rate.next()), 1);
    assert!(rate.next() > start && rate.next() < start + Duration::from_millis(150));
    assert_eq!(rate.room(start + Duration::from_secs(5)), 7);
}
