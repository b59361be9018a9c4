//! What is read and written, byte for byte.

use super::super::fields::described_list;
use super::super::frames::{AMQP_HEADER, MECHANISMS, SASL_HEADER, cut};
use super::super::heard::Heard;
use super::super::said;
use super::super::walk::{DEPTH_MAX, Malformed, value_len};
use super::consumer::{Bench, Link, attach, performative};
use crate::machine::{Condition, Event, Fault, Notice, Why};

#[test]
fn mechanisms_frame_is_the_one_that_all_clients_take() {
    let bytes =
        [0, 0, 0, 0x18, 2, 1, 0, 0, 0, 0x53, 0x40, 0xc0, 0x0b, 1, 0xe0, 8, 1, 0xa3, 5, b'P', b'L', b'A', b'I', b'N'];
    assert_eq!(MECHANISMS, bytes);

    let (frame, rest) = cut(&MECHANISMS, 512).expect("a frame").expect("all of it");
    assert!(rest.is_empty());
    assert_eq!(described_list(frame.body).expect("no wrong size inside").0, 0x40);
    let mut bench = Bench::new();
    bench.say(&SASL_HEADER);
    assert_eq!(bench.bytes(), [&SASL_HEADER[..], &MECHANISMS].concat());
}

/// So many lists, each in the one before.
fn nested(depth: usize) -> Vec<u8> {
    let mut value = vec![0x45];
    for _ in 0..depth {
        let mut outer = vec![0xd0];
        outer.extend_from_slice(&u32::try_from(value.len() + 4).expect("a size").to_be_bytes());
        outer.extend_from_slice(&1u32.to_be_bytes());
        outer.append(&mut value);
        value = outer;
    }
    value
}

#[test]
fn frame_nested_15000_deep_is_a_decode_error() {
    // Three bytes a level is the least there is: eight more would be 135 KB, and no frame is that large.
    let described: Vec<u8> = [0, 0x53, 0x28].into_iter().cycle().take(3 * 15_000).chain([0x45]).collect();
    assert_eq!(value_len(&described), Err(Malformed::Nested));
    assert_eq!(value_len(&nested(15_000)), Err(Malformed::Nested));
    assert_eq!(value_len(&nested(DEPTH_MAX + 1)), Err(Malformed::Nested));
    assert_eq!(value_len(&nested(DEPTH_MAX)), Ok(nested(DEPTH_MAX).len()));

    let mut bench = Bench::with(crate::Limits { frame_bytes_max: 1 << 20, ..Default::default() }, 0).opened();
    let deep = Link { source: Some(nested(15_000)), ..Link::default() };
    bench.say(&attach(0, "deep", 0, &deep));
    let fault = Fault { condition: Condition::DecodeError, text: "values are nested too deep" };
    assert_eq!(bench.events(), [Event::Closed(Why::Fault(fault))]);
    assert_eq!(bench.told_one().condition(0).as_deref(), Some("amqp:decode-error"));
}

#[test]
fn counts_and_sizes_are_held_against_the_bytes_that_are_there() {
    for (bytes, error) in [
        (&[0xd0, 0, 0, 0, 5, 0xff, 0xff, 0xff, 0xff, 0x40][..], Malformed::Size),
        (&[0xd0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 0x40], Malformed::Cut),
        (&[0xd0, 0, 0, 0, 2, 0, 0, 0, 1, 0x40], Malformed::Size),
        (&[0xc0, 3, 1, 0x40, 0x40], Malformed::Size),
        (&[0xc0, 2, 1, 0x70, 0, 0, 0, 0], Malformed::Cut),
        (&[0xc1, 2, 1, 0x40], Malformed::Size),
        (&[0xb0, 0xff, 0xff, 0xff, 0xff, 1], Malformed::Cut),
        (&[0xf0, 0, 0, 0, 6, 0xff, 0xff, 0xff, 0xff, 0x70, 1], Malformed::Size),
        (&[0xe0, 3, 2, 0x40, 0x40], Malformed::Size),
        (&[0xa1], Malformed::Cut),
        (&[], Malformed::Cut),
        (&[0x33], Malformed::Constructor),
        (&[0, 0xc0, 1, 0, 0x40], Malformed::Descriptor),
    ] {
        assert_eq!(value_len(bytes), Err(error), "{bytes:02x?}");
    }
    // Four billion nulls take no bytes.
    assert_eq!(value_len(&[0xf0, 0, 0, 0, 5, 0xff, 0xff, 0xff, 0xff, 0x40]), Ok(10));
}

#[test]
fn unknown_described_types_are_passed_over() {
    let state = [0, 0x80, 0, 0, 0x46, 0x8c, 0, 0, 0, 4, 0xc1, 5, 2, 0xa1, 1, b'k', 0x41];
    let bytes = performative(0, 0x15, |fields| {
        fields.boolean(true).u32(1).null().boolean(false).raw(Some(&state));
    });
    let (frame, _) = cut(&bytes, 4096).expect("a frame").expect("all of it");
    let Ok(Heard::Disposition(said)) = Heard::read(frame.body) else { panic!("a disposition") };
    assert_eq!((said.first, said.last, said.outcome), (1, 1, None));
}

#[test]
fn performatives_may_be_named_by_symbols() {
    let body = [&[0, 0xa3, 13][..], b"amqp:end:list", &[0x45]].concat();
    assert_eq!(Heard::read(&body), Ok(Heard::End));
    let body = [&[0, 0xa3, 13][..], b"amqp:odd:list", &[0x45]].concat();
    assert_eq!(Heard::read(&body), Err(Malformed::Performative));
}

#[test]
fn frames_that_are_none_are_framing_errors() {
    for bytes in [[0, 0, 0, 7, 2, 0, 0, 0], [0, 0, 0, 8, 1, 0, 0, 0], [0, 0, 0, 8, 2, 7, 0, 0], [0xff; 8]] {
        let fault = cut(&bytes, 16_384).expect_err("no frame");
        assert_eq!(fault.condition, Condition::FramingError, "{bytes:?}");
    }
    assert_eq!(cut(&AMQP_HEADER, 16_384).expect_err("a header is no frame").condition, Condition::FramingError);
}

#[test]
fn message_is_what_the_samples_read() {
    let notice = Notice { id: "123", topic: "/t", generated_ms: 1, tries_before: 3, body: b"{}", trace: None };
    let mut bytes = Vec::new();
    said::message(&mut bytes, &notice, notice.body);

    let mut sections = Vec::new();
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        let (section, after) = rest.split_at(value_len(rest).expect("a section"));
        sections.push(section);
        rest = after;
    }
    let [header, properties, application, data] = sections[..] else { panic!("four sections: {sections:02x?}") };
    let (code, mut fields) = described_list(header).expect("a list");
    assert_eq!((code, fields.boolean()), (0x70, Ok(Some(true))), "durable");
    fields.skip(3).expect("fields");
    assert_eq!(fields.u32(), Ok(Some(3)), "delivery-count");
    // With a content-type `application/json` the Java sample gets a text message and fails.
    let (code, mut fields) = described_list(properties).expect("a list");
    assert_eq!((code, fields.text()), (0x73, Ok(Some("123"))), "message-id");
    fields.skip(5).expect("fields");
    assert_eq!(fields.symbol(), Ok(None), "content-type");
    let contains = |part: &[u8]| application.windows(part.len()).any(|window| window == part);
    assert!(contains(b"\xa1\x0cgenerateTime\x81\0\0\0\0\0\0\0\x01"), "generateTime is a long");
    assert!(contains(b"\xa1\x05topic\xa1\x02/t") && contains(b"\xa1\x09messageId\xa1\x03123"), "strings");
    assert_eq!(data, b"\0\x53\x75\xa0\x02{}", "one data section");
}
