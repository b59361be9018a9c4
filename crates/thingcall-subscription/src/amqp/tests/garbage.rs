//! Whatever bytes come, cut however: no panic, and bounded memory.

use proptest::prelude::*;

use super::super::frames::{AMQP_HEADER, SASL_HEADER};
use super::super::heard::Heard;
use super::super::walk::value_len;
use super::consumer::{Bench, Flow, Link, attach, begin, close, detach, disposition, end, open, plain};
use crate::limits::Limits;
use crate::machine::{BodyEncoding, Decision, Event, Machine as _};

fn conversation() -> Vec<u8> {
    let link = Link { source: Some(vec![0, 0x53, 0x28, 0x45]), ..Link::default() };
    let parts = [
        SASL_HEADER.to_vec(),
        plain("user", "password"),
        AMQP_HEADER.to_vec(),
        open(512, Some(60_000)),
        begin(0, 100),
        attach(0, "queueName", 0, &link),
        Flow { echo: true, ..Flow::credit(20) }.on(0),
        disposition(0, 0, Some(3), true, Some(0x24)),
        disposition(0, 4, None, false, Some(0x26)),
        Flow { drain: true, count: Some(3), ..Flow::credit(20) }.on(0),
        detach(0, 0, false),
        end(0),
        close(),
    ];
    parts.concat()
}

/// Says these bytes in pieces; each event and all output is handled as a driver does.
fn play(bytes: &[u8], cut: usize) -> Bench {
    let limits = Limits { output_bytes_max: 4096, ..Limits::default() };
    let mut bench = Bench::with(limits, 0);
    for part in bytes.chunks(cut) {
        bench.say(part);
        assert!(bench.machine.output().len() < 4096 + 1024 + 3 * part.len());
        for event in bench.events() {
            if let Event::Authenticate { .. } = event {
                bench.machine.authenticated(Decision::Accepted(BodyEncoding::Plain), bench.now);
            }
        }
        bench.fill();
        drop((bench.bytes(), bench.events()));
    }
    bench
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        if let Ok(len) = value_len(&bytes) {
            prop_assert!(len <= bytes.len());
        }
        drop(Heard::read(&bytes));
    }

    #[test]
    fn any_bytes_from_the_start_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..600), cut in 1usize..50) {
        play(&bytes, cut);
    }

    #[test]
    fn any_frames_of_an_open_connection_are_survived(
        bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..20),
        cut in 1usize..50,
    ) {
        let mut bytes = conversation();
        let at = bytes.len() - close().len() - end(0).len() - detach(0, 0, false).len();
        bytes.truncate(at);
        for body in bodies {
            bytes.extend_from_slice(&u32::try_from(body.len() + 8).expect("small").to_be_bytes());
            bytes.extend_from_slice(&[2, 0, 0, 0]);
            bytes.extend_from_slice(&body);
        }
        play(&bytes, cut);
    }

    #[test]
    fn changed_bytes_of_a_conversation_are_survived(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in 1usize..200,
    ) {
        let mut bytes = conversation();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        play(&bytes, cut);
    }
}

#[test]
fn conversation_itself_is_whole() {
    let mut bench = play(&conversation(), 7);
    assert!(bench.machine.is_over());
    assert_eq!(bench.events(), [], "all were handled on the way");
}
