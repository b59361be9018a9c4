//! Credit, drain and echo.

use super::consumer::{Bench, Flow};
use crate::limits::Limits;
use crate::machine::{Machine as _, NotSent};

#[test]
fn nothing_is_sent_without_credit() {
    let mut bench = Bench::new().opened().attached();
    assert_eq!(bench.machine.room(), 0);
    assert_eq!(bench.send(b"{}"), Err(NotSent::NoRoom));
    bench.say(&Flow::credit(3).on(0));
    assert_eq!(bench.fill(), 3);
    assert_eq!(bench.send(b"{}"), Err(NotSent::NoRoom));
    assert_eq!(bench.told().len(), 3);
}

#[test]
fn credit_counts_from_what_the_consumer_has_seen() {
    let mut bench = Bench::new().opened().attached();
    bench.say(&Flow::credit(10).on(0));
    assert_eq!(bench.fill(), 10);
    // It has seen four of the ten when it gives ten.
    bench.say(&Flow { count: Some(4), ..Flow::credit(10) }.on(0));
    assert_eq!(bench.fill(), 4);
    // One that gives less than is under way takes all away.
    bench.say(&Flow { count: Some(4), ..Flow::credit(5) }.on(0));
    assert_eq!(bench.machine.room(), 0);
}

#[test]
fn credit_before_our_attach_was_seen_has_no_delivery_count() {
    let mut bench = Bench::with(Limits::default(), 77).opened().attached();
    bench.say(&Flow::credit(10).on(0));
    assert_eq!(bench.fill(), 10);
    bench.say(&Flow::credit(12).on(0));
    assert_eq!(bench.fill(), 2);
}

#[test]
fn counts_and_ids_wrap() {
    let first = u32::MAX - 2;
    let mut bench = Bench::with(Limits::default(), first).opened().attached();
    bench.say(&Flow { count: Some(first), ..Flow::credit(5) }.on(0));
    assert_eq!(bench.fill(), 5);
    let ids: Vec<_> = bench.told().iter().map(|told| told.u32(1).expect("an id")).collect();
    assert_eq!(ids, [first, first + 1, first + 2, 0, 1]);
    bench.say(&Flow { count: Some(1), next_incoming_id: Some(1), ..Flow::credit(5) }.on(0));
    assert_eq!(bench.fill(), 4, "one that it has not seen counts against it");
}

#[test]
fn unsettled_are_capped_whatever_the_credit() {
    let mut bench = Bench::new().opened_with(u32::MAX, u32::MAX).attached();
    bench.say(&Flow { window: u32::MAX, ..Flow::credit(u32::MAX) }.on(0));
    let mut sent = 0;
    while bench.machine.room() > 0 && sent < 5000 {
        sent += usize::from(bench.send(b"{}").is_ok());
        drop(bench.bytes());
        bench.say(&Flow { window: u32::MAX, count: Some(0), ..Flow::credit(u32::MAX) }.on(0));
    }
    assert_eq!(sent, 1000);
}

#[test]
fn drain_sends_what_is_there_and_then_says_that_was_all() {
    let mut bench = Bench::new().opened().attached();
    bench.say(&Flow { drain: true, ..Flow::credit(10) }.on(0));
    assert_eq!(bench.told(), [], "there may be something to send");
    bench.send(b"1").expect("room");
    drop(bench.bytes());
    bench.machine.nothing_to_send(bench.now);
    let told = bench.told_one();
    assert_eq!(told.code, 0x13);
    assert_eq!((told.u32(4), told.u32(5), told.u32(6)), (Some(0), Some(10), Some(0)), "handle, count, credit");
    assert_eq!(told.boolean(8), Some(true), "without it rhea is never told");
    assert_eq!(bench.machine.room(), 0);
    bench.machine.nothing_to_send(bench.now);
    assert_eq!(bench.told(), [], "once");
}

#[test]
fn drain_that_uses_all_credit_is_told_at_once() {
    let mut bench = Bench::new().opened().attached();
    bench.say(&Flow { drain: true, ..Flow::credit(2) }.on(0));
    assert_eq!(bench.fill(), 2);
    let codes: Vec<_> = bench.told().iter().map(|told| told.code).collect();
    assert_eq!(codes, [0x14, 0x14, 0x13]);
    bench.say(&Flow { drain: true, count: Some(2), ..Flow::credit(0) }.on(0));
    assert_eq!(bench.told_one().boolean(8), Some(true), "with no credit left too");
}

#[test]
fn nothing_to_send_is_told_to_nobody_who_did_not_ask() {
    let mut bench = Bench::new().opened().attached();
    bench.say(&Flow::credit(2).on(0));
    bench.machine.nothing_to_send(bench.now);
    assert_eq!((bench.told(), bench.machine.room()), (vec![], 2));
}

#[test]
fn echo_is_answered_with_link_or_session() {
    let mut bench = Bench::new().opened().attached();
    bench.say(&Flow { echo: true, ..Flow::credit(4) }.on(0));
    let told = bench.told_one();
    assert_eq!((told.code, told.u32(4), told.u32(6), told.boolean(8)), (0x13, Some(0), Some(4), Some(false)));
    assert_eq!((told.u32(0), told.u32(2)), (Some(5), Some(0)), "next-incoming-id, next-outgoing-id");
    bench.say(&Flow { echo: true, handle: None, ..Flow::credit(0) }.on(0));
    assert_eq!(bench.told_one().u32(4), None);
    assert_eq!(bench.machine.room(), 4, "a flow of the session leaves the link alone");
}

#[test]
fn drain_ends_where_no_more_may_be_out() {
    let limits = Limits { unsettled_max: 2, ..Limits::default() };
    let mut bench = Bench::with(limits, 0).opened().attached();
    bench.say(&Flow { drain: true, ..Flow::credit(10) }.on(0));
    assert_eq!(bench.fill(), 2);
    let told = bench.told();
    assert_eq!((told[2].code, told[2].u32(5), told[2].u32(6)), (0x13, Some(10), Some(0)));
}
