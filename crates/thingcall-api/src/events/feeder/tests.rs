//! What a reader is told that it has not had.

use thingcall_core::{DeviceKey, MessageKind, Words};

use super::*;

fn at(place: i64) -> Message {
    let device = DeviceKey { product: "pk".parse().unwrap(), name: "d".parse().unwrap() };
    let words = Words { topic: String::new(), body: Bytes::new(), trace: None };
    Message { place, id: MessageId(1), kind: MessageKind::Custom, device, at: UnixMillis(0), words }
}

#[test]
fn what_was_dropped_before_a_page_was_read_is_missed_and_what_the_page_holds_is_not() {
    assert_eq!(missed(5, &[], &(1..=9)), 0);
    assert_eq!(missed(5, &[at(6)], &(6..=9)), 0);
    // Dropped before the look, which found nothing or what stands behind.
    assert_eq!(missed(5, &[], &(8..=9)), 2);
    assert_eq!(missed(5, &[at(9)], &(8..=9)), 2);
    // Dropped after the look, which had found them.
    assert_eq!(missed(5, &[at(6), at(7)], &(8..=9)), 0);
    assert_eq!(missed(5, &[at(7)], &(9..=9)), 1);
    // All of it.
    assert_eq!(missed(5, &[], &RangeInclusive::new(10, 9)), 4);
}
