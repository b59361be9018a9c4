//! Deliveries in frames.

use super::consumer::{Bench, Flow, Link, Told, attach, detach, told};
use crate::limits::Limits;
use crate::machine::{Machine as _, NotSent};

/// Checks the frames of one delivery, and puts its message together.
fn message(frames: &[Told], number: u32) -> Vec<u8> {
    for (at, frame) in frames.iter().enumerate() {
        assert!(frame.frame_bytes <= 512);
        assert_eq!(frame.u32(0), Some(0), "handle");
        let (id, tag) = (frame.u32(1), frame.raw(2).is_some());
        assert_eq!((id, tag), if at == 0 { (Some(number), true) } else { (None, false) }, "frame {at}");
        assert_eq!(frame.boolean(5), Some(at + 1 < frames.len()), "more");
    }
    frames.iter().flat_map(|frame| frame.payload.clone()).collect()
}

#[test]
fn message_is_split_into_frames_of_512_bytes() {
    let mut bench = Bench::new().opened_with(512, 100).attached();
    bench.say(&Flow { window: 100, ..Flow::credit(20) }.on(0));
    for (number, size) in [0, 1, 250, 255, 256, 300, 301, 302, 400, 5000].into_iter().enumerate() {
        let body: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
        bench.send(&body).expect("room");
        let frames = bench.told();
        assert_eq!(frames.len() > 1, size > 302, "{size}");
        let whole = message(&frames, u32::try_from(number).expect("few"));
        assert!(whole.ends_with(&body), "{size}");
    }
}

#[test]
fn each_frame_counts_against_the_window() {
    let mut bench = Bench::new().opened_with(512, 3).attached();
    bench.say(&Flow { window: 3, next_incoming_id: Some(0), ..Flow::credit(20) }.on(0));
    let body = vec![7; 2500];
    bench.send(&body).expect("room");
    let mut frames = bench.told();
    assert_eq!(frames.len(), 3);
    assert_eq!((bench.machine.room(), bench.send(b"next")), (0, Err(NotSent::NoRoom)), "no other in between");
    // The consumer has seen two of three.
    bench.say(&Flow { window: 3, next_incoming_id: Some(2), handle: None, ..Flow::credit(0) }.on(0));
    frames.extend(bench.told());
    assert_eq!(frames.len(), 5);
    bench.say(&Flow { window: 100, next_incoming_id: Some(5), handle: None, ..Flow::credit(0) }.on(0));
    frames.extend(bench.told());
    assert!(message(&frames, 0).ends_with(&body));
    assert_eq!(bench.machine.room(), 19);
}

#[test]
fn windows_wrap() {
    let first = u32::MAX - 1;
    let mut bench = Bench::with(Limits::default(), first).opened_with(512, 4).attached();
    bench.say(&Flow { window: 4, ..Flow::credit(20) }.on(0));
    assert_eq!(bench.fill(), 4);
    bench.say(&Flow { window: 4, next_incoming_id: Some(1), handle: None, ..Flow::credit(0) }.on(0));
    assert_eq!(bench.fill(), 3, "three of four were seen");
}

#[test]
fn rest_of_a_message_goes_out_as_the_socket_takes_it() {
    let limits = Limits { output_bytes_max: 2000, ..Limits::default() };
    let mut bench = Bench::with(limits, 0).opened_with(512, 10_000).attached();
    bench.say(&Flow { window: 10_000, ..Flow::credit(20) }.on(0));
    let body = vec![7; 100_000];
    bench.send(&body).expect("room");
    let mut bytes = Vec::new();
    while !bench.machine.output().is_empty() {
        assert!(bench.machine.output().len() < 2000 + 512);
        let part = bench.machine.output()[..100.min(bench.machine.output().len())].to_vec();
        bench.machine.written(part.len(), bench.now);
        bytes.extend(part);
    }
    assert!(message(&told(&bytes), 0).ends_with(&body));
}

#[test]
fn link_that_goes_in_the_middle_of_a_message_leaves_nothing_behind() {
    let mut bench = Bench::new().opened_with(512, 2).attached();
    bench.say(&Flow { window: 2, ..Flow::credit(20) }.on(0));
    bench.send(&[7; 5000]).expect("room");
    assert_eq!(bench.told().len(), 2);
    bench.say(&[detach(0, 0, true), attach(0, "queueName", 0, &Link::default())].concat());
    bench.say(&Flow { window: 100, next_incoming_id: Some(2), ..Flow::credit(1) }.on(0));
    let codes: Vec<_> = bench.told().iter().map(|told| told.code).collect();
    assert_eq!(codes, [0x16, 0x12]);
    bench.send(b"{}").expect("room");
    assert_eq!(bench.told_one().u32(1), Some(1));
}

#[test]
fn message_larger_than_the_link_takes_is_not_sent() {
    let mut bench = Bench::new().opened();
    let mut bytes = attach(0, "x", 0, &Link::default());
    // Unsettled, incomplete-unsettled, initial-delivery-count, and a max-message-size of 300.
    let more = [0x40, 0x40, 0x40, 0x80, 0, 0, 0, 0, 0, 0, 1, 44];
    bytes.extend_from_slice(&more);
    for at in [0, 12] {
        let number = u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four")) + 12;
        bytes[at..at + 4].copy_from_slice(&number.to_be_bytes());
    }
    bytes[19] += 4;
    bench.say(&[bytes, Flow::credit(5).on(0)].concat());
    drop((bench.events(), bench.bytes()));
    assert_eq!(bench.send(&[7; 300]), Err(NotSent::TooLarge));
    assert_eq!((bench.told(), bench.machine.room()), (vec![], 5));
    bench.send(b"{}").expect("a small one");
}
