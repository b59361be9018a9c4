//! What becomes of deliveries.

use super::consumer::{Bench, Flow, Link, SECOND, attach, disposition};
use crate::limits::Limits;
use crate::machine::{DeliveryId, Event, Machine as _, Outcome};

fn settled(delivery: DeliveryId, outcome: Outcome) -> Event {
    Event::Settled { delivery, outcome }
}

/// A bench with so many deliveries out.
fn out(first_serial: u32, number: u32) -> (Bench, Vec<DeliveryId>) {
    let mut bench = Bench::with(Limits::default(), first_serial).opened().attached();
    bench.say(&Flow::credit(number).on(0));
    let all = (0..number).map(|_| bench.send(b"{}").expect("room")).collect();
    drop(bench.bytes());
    (bench, all)
}

#[test]
fn every_outcome_is_told() {
    let (mut bench, all) = out(0, 5);
    for (id, state) in [(0, Some(0x24)), (1, Some(0x25)), (2, Some(0x26)), (3, Some(0x27)), (4, None)] {
        bench.say(&disposition(0, id, None, true, state));
    }
    let outcomes = [Outcome::Accepted, Outcome::Rejected, Outcome::Released, Outcome::Modified, Outcome::Unsaid];
    let events: Vec<_> = all.iter().zip(outcomes).map(|(delivery, outcome)| settled(*delivery, outcome)).collect();
    assert_eq!(bench.events(), events);
    assert_eq!(bench.told(), [], "a settled disposition is not answered");
}

#[test]
fn one_disposition_settles_a_range_and_each_once() {
    let (mut bench, all) = out(u32::MAX - 3, 10);
    bench.say(&disposition(0, u32::MAX, Some(1), true, Some(0x24)));
    let accepted = |range: std::ops::Range<usize>| -> Vec<_> {
        all[range].iter().map(|delivery| settled(*delivery, Outcome::Accepted)).collect()
    };
    assert_eq!(bench.events(), accepted(3..6));
    bench.say(&disposition(0, u32::MAX - 3, Some(2), true, Some(0x24)));
    assert_eq!(bench.events(), [accepted(0..3), accepted(6..7)].concat());
    bench.say(&disposition(0, 3, Some(4000), true, Some(0x24)));
    assert_eq!(bench.events(), accepted(7..10), "a last one that was not sent yet stands for the newest");
}

#[test]
fn ranges_that_name_nothing_of_the_link_change_nothing() {
    let (mut bench, _) = out(0, 3);
    for (first, last) in [(3, None), (5, Some(9)), (u32::MAX, None), (2, Some(1)), (1 << 30, Some(1 << 31))] {
        bench.say(&disposition(0, first, last, true, Some(0x24)));
        assert_eq!(bench.events(), [], "{first}..{last:?}");
    }
    bench.say(&disposition(5, 0, Some(2), true, Some(0x24)));
    assert_eq!(bench.events(), [], "another session's numbers are others");
    bench.say(&disposition(0, 0, Some(u32::MAX >> 1), true, Some(0x24)));
    assert_eq!(bench.events().len(), 3);
}

#[test]
fn what_the_receiver_leaves_open_is_settled_by_us() {
    // rcv-settle-mode second, and clients that wait for an answer.
    let (mut bench, all) = out(0, 3);
    bench.say(&disposition(0, 0, Some(1), false, Some(0x24)));
    assert_eq!(bench.events(), [settled(all[0], Outcome::Accepted), settled(all[1], Outcome::Accepted)]);
    let told = bench.told_one();
    assert_eq!((told.code, told.boolean(0)), (0x15, Some(false)));
    assert_eq!((told.u32(1), told.u32(2), told.boolean(3)), (Some(0), Some(1), Some(true)));
    assert_eq!(told.raw(4), Some(&[0, 0x53, 0x24, 0xd0, 0, 0, 0, 4, 0, 0, 0, 0][..]));
    // `received` is nothing final.
    bench.say(&disposition(0, 2, None, false, Some(0x23)));
    bench.say(&disposition(0, 2, None, false, None));
    assert_eq!((bench.events(), bench.told()), (vec![], vec![]));
}

#[test]
fn settled_links_count_what_the_socket_took() {
    let mut bench = Bench::new().opened();
    bench.say(&attach(0, "x", 0, &Link { snd_settle_mode: Some(1), ..Link::default() }));
    bench.say(&Flow::credit(2).on(0));
    drop((bench.events(), bench.bytes()));
    let (first, second) = (bench.send(b"1").expect("room"), bench.send(b"2").expect("room"));
    let bytes = bench.machine.output().len();
    bench.machine.written(bytes / 2 - 1, bench.now);
    assert_eq!(bench.events(), []);
    bench.machine.written(1, bench.now);
    assert_eq!(bench.events(), [settled(first, Outcome::Accepted)]);
    bench.machine.disconnected();
    assert_eq!(bench.events()[0], settled(second, Outcome::Gone), "half of it may have arrived");

    let mut bench = Bench::new().opened();
    bench.say(&attach(0, "x", 0, &Link { snd_settle_mode: Some(1), ..Link::default() }));
    bench.say(&Flow::credit(2).on(0));
    drop((bench.bytes(), bench.send(b"1").expect("room")));
    assert_eq!(bench.told_one().boolean(4), Some(true));
}

#[test]
fn unacknowledged_are_given_back_after_30_seconds_and_may_be_settled_late() {
    let (mut bench, all) = out(0, 2);
    bench.pass(SECOND * 29);
    assert_eq!(bench.events(), []);
    bench.say(&disposition(0, 0, None, true, Some(0x24)));
    assert_eq!(bench.events().len(), 1);
    assert_eq!(bench.machine.next_tick(), Some(SECOND * 30));
    bench.pass(SECOND);
    assert_eq!(bench.events(), [settled(all[1], Outcome::TimedOut)]);
    bench.pass(SECOND);
    assert_eq!(bench.events(), [], "once");
    bench.say(&disposition(0, 0, Some(1), true, Some(0x24)));
    assert_eq!(bench.events(), [Event::Late { delivery: all[1], outcome: Outcome::Accepted }]);
}

#[test]
fn overdue_deliveries_take_no_place_and_no_memory() {
    let limits = Limits { unsettled_max: 3, ..Limits::default() };
    let mut bench = Bench::with(limits, 0).opened().attached();
    bench.say(&Flow::credit(100).on(0));
    for round in 0..4 {
        assert_eq!(bench.fill(), 3, "round {round}");
        drop(bench.bytes());
        bench.pass(SECOND * 30);
        bench.say(&[0, 0, 0, 8, 2, 0, 0, 0]);
        assert_eq!(bench.events().len(), 3, "round {round}");
    }
    bench.say(&disposition(0, 0, Some(11), true, Some(0x24)));
    let events = bench.events();
    assert_eq!(events.len(), 3, "of those that timed out the newest are remembered");
    assert!(events.iter().all(|event| matches!(event, Event::Late { .. })));
}
