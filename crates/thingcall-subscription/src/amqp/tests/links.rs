//! Sessions and links.

use super::consumer::{Bench, Flow, Link, attach, begin, close, detach, end, performative};
use crate::machine::{Condition, Event, Machine as _, Outcome, Why};

#[test]
fn second_session_may_have_the_link() {
    let mut bench = Bench::new().opened();
    bench.say(&[begin(1, 10), attach(1, "jms", 0, &Link::default()), Flow::credit(3).on(1)].concat());
    assert_eq!(bench.events(), [Event::Attached]);
    drop(bench.bytes());
    assert_eq!(bench.fill(), 3);
    assert!(bench.told().iter().all(|told| (told.channel, told.code) == (1, 0x14)));

    bench.say(&end(0));
    assert_eq!(bench.told_one().code, 0x17);
    assert_eq!(bench.events(), [], "the other session had no link");
    bench.say(&end(1));
    assert_eq!(bench.events().len(), 4, "three go back, and the link is gone");
}

#[test]
fn sessions_are_bounded() {
    let mut bench = Bench::new().opened();
    for channel in 1..8 {
        bench.say(&begin(channel, 10));
    }
    assert_eq!(bench.events(), []);
    drop(bench.bytes());
    bench.say(&begin(8, 10));
    assert_eq!(bench.told_one().condition(0).as_deref(), Some("amqp:resource-limit-exceeded"));
}

#[test]
fn attach_is_answered_with_the_clients_own_source_and_target() {
    let source = vec![0, 0x53, 0x28, 0xc0, 12, 1, 0xa1, 9, b'/', b'q', b'u', b'e', b'u', b'e', b'-', b'n', b'a'];
    let target = vec![0, 0x53, 0x29, 0x45];
    for (source, target) in [(Some(source.clone()), Some(target)), (Some(source), None), (None, None)] {
        let mut bench = Bench::new().opened();
        let link = Link { source: source.clone(), target: target.clone(), ..Link::default() };
        bench.say(&attach(0, "queueName", 7, &link));
        let told = bench.told_one();
        assert_eq!(told.field(0).text(), Ok(Some("queueName")));
        assert_eq!((told.u32(1), told.boolean(2)), (Some(7), Some(false)));
        assert_eq!((told.raw(5), told.raw(6)), (source.as_deref(), target.as_deref()));
        assert_eq!(told.u32(9), Some(0), "initial-delivery-count");
        assert_eq!(bench.events(), [Event::Attached]);
    }
}

#[test]
fn settle_modes_are_answered_as_they_were_asked_for() {
    for (snd, rcv) in [(None, None), (Some(0), Some(0)), (Some(1), Some(1)), (Some(2), Some(0))] {
        let mut bench = Bench::new().opened();
        let link = Link { snd_settle_mode: snd, rcv_settle_mode: rcv, ..Link::default() };
        bench.say(&attach(0, "x", 0, &link));
        let told = bench.told_one();
        assert_eq!((told.u32(3), told.u32(4)), (Some(snd.unwrap_or(2).into()), Some(rcv.unwrap_or(0).into())));
    }
}

#[test]
fn second_link_and_sender_link_are_attached_and_detached_as_not_allowed() {
    let mut bench = Bench::new().opened().attached();
    for sender in [false, true] {
        bench.say(&attach(0, "second", 1, &Link { sender, ..Link::default() }));
        // rhea gives credit at once, and answers the detach.
        bench.say(&[Flow { handle: Some(1), ..Flow::credit(1000) }.on(0), detach(0, 1, true)].concat());
        let told = bench.told();
        let [attach, detach] = &told[..] else { panic!("{told:?}") };
        assert_eq!((attach.code, attach.u32(1), attach.boolean(2)), (0x12, Some(1), Some(sender)));
        assert_eq!((attach.raw(5), attach.raw(6)), (None, None));
        assert_eq!((detach.code, detach.u32(0), detach.boolean(1)), (0x16, Some(1), Some(true)));
        assert_eq!(detach.condition(2).as_deref(), Some("amqp:not-allowed"));
        assert_eq!((bench.events(), bench.machine.room()), (vec![], 0));
    }
    bench.say(&Flow::credit(2).on(0));
    assert_eq!(bench.machine.room(), 2, "the first link is as it was");
}

#[test]
fn what_is_out_goes_back_before_the_same_name_attaches_again() {
    for closed in [false, true] {
        let mut bench = Bench::new().opened().attached();
        bench.say(&Flow::credit(2).on(0));
        let first = bench.send(b"1").expect("room");
        let second = bench.send(b"2").expect("room");
        drop(bench.bytes());
        bench.say(&[detach(0, 0, closed), attach(0, "queueName", 0, &Link::default()), Flow::credit(1).on(0)].concat());
        let gone = |delivery| Event::Settled { delivery, outcome: Outcome::Gone };
        assert_eq!(bench.events(), [gone(first), gone(second), Event::Detached, Event::Attached]);
        let told = bench.told();
        assert_eq!((told[0].code, told[0].boolean(1)), (0x16, Some(closed)));
        bench.send(b"3").expect("room");
        let transfer = bench.told_one();
        assert_eq!(transfer.u32(1), Some(2), "delivery-ids of a session go on over its links");
    }
}

#[test]
fn consumer_that_sends_is_ended() {
    let mut bench = Bench::new().opened().attached();
    bench.say(&performative(0, 0x14, |fields| {
        fields.u32(0).u32(0);
    }));
    assert_eq!(bench.told_one().condition(0).as_deref(), Some("amqp:not-allowed"));
}

#[test]
fn frames_without_their_session_are_ended() {
    let mut bench = Bench::new().opened();
    bench.say(&attach(3, "x", 0, &Link::default()));
    assert_eq!(bench.told_one().condition(0).as_deref(), Some("amqp:not-allowed"));
}

#[test]
fn attach_that_does_not_fit_the_peers_own_frames_is_a_fault() {
    let mut bench = Bench::new().opened_with(512, 100);
    bench.say(&attach(0, &"x".repeat(500), 0, &Link::default()));
    assert_eq!(bench.told_one().condition(0).as_deref(), Some("amqp:connection:framing-error"));
}

#[test]
fn close_is_answered_and_all_goes_back() {
    let mut bench = Bench::new().opened().attached();
    bench.say(&Flow::credit(1).on(0));
    let delivery = bench.send(b"1").expect("room");
    drop(bench.bytes());
    bench.say(&close());
    assert_eq!(bench.told_one().code, 0x18);
    let gone = Event::Settled { delivery, outcome: Outcome::Gone };
    assert_eq!(bench.events(), [gone, Event::Closed(Why::Peer(None))]);
    assert_eq!((bench.machine.room(), bench.machine.next_tick()), (0, None));
}

#[test]
fn order_to_close_tells_the_condition() {
    let mut bench = Bench::new().opened().attached();
    bench.machine.close(Condition::ConnectionForced, &"the key is disabled ".repeat(50), bench.now);
    let told = bench.told_one();
    assert_eq!(told.condition(0).as_deref(), Some("amqp:connection:forced"));
    assert!(told.frame_bytes < 512);
    assert_eq!(bench.events(), [Event::Closed(Why::Ordered(Condition::ConnectionForced))]);
}

#[test]
fn server_that_stops_says_no_close_and_all_goes_back() {
    let mut bench = Bench::new().opened().attached();
    bench.say(&Flow::credit(1).on(0));
    let delivery = bench.send(b"1").expect("room");
    drop(bench.bytes());
    bench.machine.stop(bench.now);
    assert_eq!(bench.bytes(), [0u8; 0], "proton would not come again at once");
    let gone = Event::Settled { delivery, outcome: Outcome::Gone };
    assert_eq!(bench.events(), [gone, Event::Closed(Why::Ordered(Condition::ConnectionForced))]);
}

#[test]
fn lost_connection_gives_all_back_once() {
    let mut bench = Bench::new().opened().attached();
    bench.say(&Flow::credit(5).on(0));
    assert_eq!(bench.fill(), 5);
    bench.machine.disconnected();
    bench.machine.disconnected();
    let events = bench.events();
    assert_eq!(events.len(), 6);
    assert_eq!(events.last(), Some(&Event::Closed(Why::Lost)));
    assert_eq!(bench.machine.output(), [0u8; 0]);
}
