//! What is due by time, and what holds where a peer does nothing, or too much.

use super::super::frames::SASL_HEADER;
use super::consumer::{Bench, Flow, Link, SECOND, attach, begin, detach, open, plain};
use crate::limits::Limits;
use crate::machine::{Condition, Event, Machine as _, Outcome, Why};

const HEARTBEAT: [u8; 8] = [0, 0, 0, 8, 2, 0, 0, 0];

#[test]
fn empty_frame_is_sent_every_half_of_the_peers_idle_timeout() {
    let mut bench = Bench::new().logged_in();
    bench.say(&[open(512, Some(3000)), begin(0, 10), attach(0, "go", 0, &Link::default())].concat());
    drop(bench.bytes());
    for _ in 0..20 {
        bench.say(&HEARTBEAT);
        assert_eq!(bench.machine.next_tick().map(|due| due - bench.now), Some(SECOND * 3 / 2));
        bench.pass(SECOND * 3 / 2);
        assert_eq!(bench.bytes(), HEARTBEAT);
    }
}

#[test]
fn any_idle_timeout_is_taken_and_none_needs_no_heartbeats() {
    for idle in [None, Some(0)] {
        let mut bench = Bench::new().logged_in();
        bench.say(&[open(512, idle), begin(0, 10), attach(0, "x", 0, &Link::default())].concat());
        drop(bench.bytes());
        assert_eq!(bench.machine.next_tick(), Some(SECOND * 120), "only our own");
    }
    for (idle, every_ms) in [(1, 100), (400, 200), (u32::MAX, 120_000)] {
        let mut bench = Bench::new().logged_in();
        bench.say(&[open(512, Some(idle)), begin(0, 10), attach(0, "x", 0, &Link::default())].concat());
        drop(bench.bytes());
        assert_eq!(bench.machine.next_tick().map(|due| due.as_millis()), Some(every_ms), "{idle}");
    }
}

#[test]
fn silent_peer_is_closed_after_our_idle_timeout() {
    let mut bench = Bench::new().opened().attached();
    bench.pass(SECOND * 119);
    assert_eq!((bench.bytes(), bench.events()), (HEARTBEAT.to_vec(), vec![]));
    bench.pass(SECOND);
    let condition = bench.told_one().condition(0);
    assert_eq!(condition.as_deref(), Some("amqp:connection:forced"), "at any other rhea would not come again");
    assert_eq!(bench.events(), [Event::Closed(Why::Silent)]);
}

#[test]
fn login_must_come_within_15_seconds() {
    let mut bench = Bench::new();
    bench.say(&SASL_HEADER);
    drop(bench.bytes());
    bench.pass(SECOND * 14);
    assert_eq!(bench.events(), []);
    bench.pass(SECOND);
    assert_eq!(bench.events(), [Event::Closed(Why::NoLogin)]);

    let mut bench = Bench::new();
    bench.say(&[&SASL_HEADER[..], &plain("u", "p")].concat());
    drop((bench.events(), bench.bytes()));
    bench.pass(SECOND * 15);
    assert_eq!(bench.events(), [Event::Closed(Why::Unavailable)], "it is we who are late");
    assert_eq!(bench.bytes(), [0u8; 0]);
}

#[test]
fn link_must_come_within_15_seconds_and_again_after_a_detach() {
    let mut bench = Bench::new().opened();
    bench.pass(SECOND * 15);
    assert_eq!(bench.events(), [Event::Closed(Why::NoLink)]);
    assert_eq!(bench.told_one().condition(0).as_deref(), Some("amqp:not-allowed"));

    let mut bench = Bench::new().opened().attached();
    bench.pass(SECOND * 20);
    bench.say(&detach(0, 0, true));
    bench.pass(SECOND * 14);
    assert_eq!(bench.events(), [Event::Detached]);
    bench.pass(SECOND);
    assert_eq!(bench.events(), [Event::Closed(Why::NoLink)]);
}

#[test]
fn output_that_nobody_takes_ends_the_connection() {
    let mut bench = Bench::new().opened().attached();
    bench.say(&Flow::credit(1).on(0));
    let delivery = bench.send(b"{}").expect("room");
    bench.pass(SECOND * 29);
    bench.machine.written(1, bench.now);
    bench.pass(SECOND);
    assert_eq!(bench.events(), [Event::Settled { delivery, outcome: Outcome::TimedOut }], "a byte was taken");
    bench.pass(SECOND * 29);
    assert_eq!(bench.events(), [Event::Closed(Why::Stalled)]);
    assert_eq!(bench.machine.output(), [0u8; 0]);
}

#[test]
fn while_output_waits_nothing_is_read_and_nothing_sent() {
    let limits = Limits { output_bytes_max: 1000, ..Limits::default() };
    let mut bench = Bench::with(limits, 0).opened().attached();
    bench.say(&Flow::credit(1000).on(0));
    assert!(bench.fill() < 20);
    assert!(!bench.machine.wants_input());
    // A driver may have read once more by then.
    bench.say(&Flow { echo: true, ..Flow::credit(1000) }.on(0).repeat(200));
    assert!(bench.machine.output().len() < 2000);
    let codes: Vec<_> = bench.told().iter().map(|told| told.code).collect();
    assert_eq!(codes.iter().filter(|code| **code == 0x13).count(), 200, "all are answered in the end");
    assert!(bench.machine.wants_input());
}

#[test]
fn flood_that_is_not_waited_for_is_ended() {
    let mut bench = Bench::new();
    bench.say(&[&SASL_HEADER[..], &plain("u", "p")].concat());
    drop(bench.events());
    for _ in 0..100 {
        bench.say(&[0; 1024]);
    }
    let [Event::Closed(Why::Fault(fault))] = bench.events()[..] else { panic!("an end") };
    assert_eq!(fault.condition, Condition::ResourceLimitExceeded);
}

#[test]
fn time_that_goes_back_changes_nothing() {
    let mut bench = Bench::new().opened().attached();
    bench.pass(SECOND * 20);
    bench.machine.tick(SECOND);
    bench.machine.receive(&HEARTBEAT, SECOND);
    assert_eq!(bench.events(), []);
    assert!(bench.machine.next_tick() > Some(SECOND * 20));
}
