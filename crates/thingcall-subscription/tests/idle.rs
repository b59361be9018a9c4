//! What a connection that waits takes of memory, before and after it was busy. A binary of its own: all that this thread
//! allocates is counted.

#![expect(clippy::panic, clippy::cast_possible_truncation, reason = "a test from its first line to its last")]

use std::time::Duration;

use allocation_counter::measure;
use thingcall_subscription::{BodyEncoding, Decision, Event, Limits, Machine, Notice, amqp, stomp};

/// An idle connection has 16 KiB with TLS, whose own buffers take most of that.
const IDLE_BYTES_MAX: i64 = 2048;

fn frame(kind: u8, code: u8, fields: &[u8], count: u8) -> Vec<u8> {
    let list = [&[0, 0x53, code, 0xc0, fields.len() as u8 + 1, count], fields].concat();
    [&(list.len() as u32 + 8).to_be_bytes()[..], &[2, kind, 0, 0], &list].concat()
}

/// Up to a link with a credit of 1000.
fn amqp_consumer() -> Vec<u8> {
    let parts = [
        b"AMQP\x03\x01\x00\x00".to_vec(),
        frame(1, 0x41, b"\xa3\x05PLAIN\xa0\x04\0u\0p", 2),
        b"AMQP\x00\x01\x00\x00".to_vec(),
        frame(0, 0x10, b"\xa1\x01c", 1),
        frame(0, 0x11, b"\x40\x43\x70\x7f\xff\xff\xff\x43", 4),
        frame(0, 0x12, b"\xa1\x01q\x43\x41", 3),
        frame(0, 0x13, b"\x43\x70\x7f\xff\xff\xff\x43\x43\x43\x43\x60\x03\xe8", 7),
    ];
    parts.concat()
}

fn settle_a_thousand() -> Vec<u8> {
    frame(0, 0x15, b"\x41\x43\x60\x03\xe7\x41\x00\x53\x24\x45", 5)
}

/// Says this, and lets the socket take all.
fn say(machine: &mut dyn Machine, bytes: &[u8]) -> usize {
    machine.receive(bytes, Duration::ZERO);
    let mut settled = 0;
    while let Some(event) = machine.next_event() {
        match event {
            Event::Authenticate { .. } => {
                machine.authenticated(Decision::Accepted(BodyEncoding::Plain), Duration::ZERO);
            }
            Event::Settled { .. } => settled += 1,
            Event::Attached => {}
            other @ (Event::Detached | Event::Late { .. } | Event::Closed(_)) => panic!("{other:?}"),
        }
    }
    machine.written(machine.output().len(), Duration::ZERO);
    settled
}

/// What is held of what is allocated in here.
fn held(act: impl FnOnce()) -> i64 {
    measure(act).bytes_current
}

#[test]
fn idle_connection_takes_little_also_after_it_was_busy() {
    let mut consumer = None;
    let idle = held(|| {
        say(consumer.insert(amqp(Limits::default())).as_mut(), &amqp_consumer());
    });
    assert!(idle < IDLE_BYTES_MAX, "{idle} bytes");

    let consumer = consumer.as_deref_mut().expect("a machine");
    let more = held(|| {
        let body = vec![b'x'; 2000];
        for _ in 0..1000 {
            let notice = Notice { id: "1", topic: "/t", generated_ms: 1, tries_before: 0, body: &body, trace: None };
            consumer.send(&notice, Duration::ZERO).expect("credit");
            consumer.written(consumer.output().len(), Duration::ZERO);
        }
        assert_eq!(say(consumer, &settle_a_thousand()), 1000);
    });
    assert!(idle + more < IDLE_BYTES_MAX, "{idle} bytes, and {more} more after a thousand notices");

    let mut consumer = None;
    let hello = b"STOMP\naccept-version:1.1\nlogin:u\npasscode:p\n\n\0SUBSCRIBE\nid:1\n\n\0";
    let idle = held(|| {
        say(consumer.insert(stomp(Limits::default())).as_mut(), hello);
    });
    assert!(idle < IDLE_BYTES_MAX, "{idle} bytes");
}
