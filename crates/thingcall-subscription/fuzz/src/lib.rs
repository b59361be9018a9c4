//! A driver for a machine that is fed what a fuzzer makes up: `cargo +nightly fuzz run amqp`, from the folder of the crate.
//!
//! What must hold is asserted: deliveries are settled exactly once, [`Event::Closed`] is the last event, and neither output
//! nor what is out grows beyond its limit.

use std::collections::HashSet;
use std::time::Duration;

use thingcall_subscription::{BodyEncoding, Decision, Event, Limits, Machine, Notice};

/// The limits of the machines under test: small ones are reached.
pub fn limits() -> Limits {
    Limits { unsettled_max: 20, output_bytes_max: 4096, frame_bytes_max: 4096, ..Limits::default() }
}

/// What is out, and whether it is over.
#[derive(Default)]
struct Told {
    out: HashSet<thingcall_subscription::DeliveryId>,
    closed: bool,
}

/// The first byte says how packets are cut and how much the socket takes; the rest is said.
pub fn play(mut machine: Box<dyn Machine>, data: &[u8]) {
    let Some((how, bytes)) = data.split_first() else { return };
    let (cut, take) = (usize::from(how >> 3) + 1, usize::from(how & 7) * 100);
    let body = [b'x'; 700];
    let mut now = Duration::ZERO;
    let mut told = Told::default();
    for part in bytes.chunks(cut * 8) {
        now += Duration::from_millis(300);
        machine.receive(part, now);
        events(machine.as_mut(), &mut told, now);
        let mut sent = 0;
        while machine.room() > 0 && sent < 30 {
            let notice = Notice { id: "1", topic: "/t", generated_ms: 1, tries_before: 0, body: &body, trace: None };
            if let Ok(delivery) = machine.send(&notice, now) {
                assert!(told.out.insert(delivery));
            }
            sent += 1;
        }
        machine.nothing_to_send(now);
        machine.tick(now);
        assert!(machine.output().len() < 4096 + 2048 + 8 * part.len(), "output grows");
        let taken = machine.output().len().min(take);
        machine.written(taken, now);
        events(machine.as_mut(), &mut told, now);
        assert!(told.out.len() <= 20, "more is out than may be");
    }
    machine.disconnected();
    events(machine.as_mut(), &mut told, now);
    assert!(told.out.is_empty() && told.closed);
}

fn events(machine: &mut dyn Machine, told: &mut Told, now: Duration) {
    while let Some(event) = machine.next_event() {
        assert!(!told.closed, "an event after the last");
        match event {
            Event::Authenticate { .. } => machine.authenticated(Decision::Accepted(BodyEncoding::Plain), now),
            Event::Settled { delivery, .. } => assert!(told.out.remove(&delivery), "settled twice"),
            Event::Closed(_) => told.closed = true,
            Event::Attached | Event::Detached | Event::Late { .. } => {}
        }
    }
}
