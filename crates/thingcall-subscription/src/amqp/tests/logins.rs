//! From the first byte to the open.

use super::super::frames::{AMQP_HEADER, MECHANISMS, SASL_HEADER};
use super::consumer::{Bench, Flow, Link, attach, begin, open, plain, sasl_init, told};
use crate::machine::{BodyEncoding, Condition, Decision, Event, Machine as _, Password, Why};

const SASL_OK: [u8; 16] = *b"\x00\x00\x00\x10\x02\x01\x00\x00\x00S\x44\xc0\x03\x01P\x00";

fn outcome(code: u8) -> Vec<u8> {
    let mut bytes = SASL_OK.to_vec();
    bytes[15] = code;
    bytes
}

fn before_our_answers() -> Vec<u8> {
    let parts = [
        SASL_HEADER.to_vec(),
        plain("user", "password"),
        AMQP_HEADER.to_vec(),
        open(512, Some(60_000)),
        begin(0, 100),
        begin(1, 100),
        attach(1, "queueName", 0, &Link::default()),
        Flow::credit(20).on(1),
    ];
    parts.concat()
}

#[test]
fn wrong_header_is_answered_with_ours_and_the_end() {
    for wrong in
        [&b"GET / HTTP/1.1\r\n\r\n"[..], &AMQP_HEADER, b"AMQP\x02\x01\x00\x00", b"AMQP\x00\x00\x09\x01", b"\x16\x03"]
    {
        let mut bench = Bench::new();
        bench.say(wrong);
        assert_eq!(bench.bytes(), SASL_HEADER, "{wrong:?}");
        assert!(matches!(bench.events()[..], [Event::Closed(Why::Fault(_))]), "{wrong:?}");
        assert!(bench.machine.is_over());
    }
    let mut bench = Bench::new();
    bench.say(&[&SASL_HEADER[..], &plain("u", "p")].concat());
    drop(bench.events());
    bench.machine.authenticated(Decision::Accepted(BodyEncoding::Plain), bench.now);
    drop(bench.bytes());
    bench.say(&SASL_HEADER);
    assert_eq!(bench.bytes(), AMQP_HEADER);
}

#[test]
fn all_may_come_in_one_packet_before_our_answers() {
    let mut bench = Bench::new();
    bench.say(&before_our_answers());
    let [Event::Authenticate { user, password }] = &bench.events()[..] else { panic!("a login") };
    assert_eq!((user.as_str(), password.as_bytes()), ("user", &b"password"[..]));
    assert_eq!(bench.bytes(), [&SASL_HEADER[..], &MECHANISMS].concat());
    assert!(!bench.machine.wants_input());

    bench.machine.authenticated(Decision::Accepted(BodyEncoding::Plain), bench.now);
    assert_eq!(bench.events(), [Event::Attached]);
    assert_eq!(bench.machine.room(), 20);
    let bytes = bench.bytes();
    let rest = bytes.strip_prefix(&[&SASL_OK[..], &AMQP_HEADER].concat()[..]).expect("outcome and header");
    let codes: Vec<_> = told(rest).iter().map(|told| (told.channel, told.code)).collect();
    assert_eq!(codes, [(0, 0x10), (0, 0x11), (1, 0x11), (1, 0x12)]);
}

#[test]
fn packets_may_be_cut_anywhere() {
    let mut whole = Bench::new();
    whole.say(&before_our_answers());
    drop(whole.events());
    whole.machine.authenticated(Decision::Accepted(BodyEncoding::Plain), whole.now);
    let all = whole.bytes();
    for cut in 1..30 {
        let mut bench = Bench::new();
        let mut bytes = Vec::new();
        for part in before_our_answers().chunks(cut) {
            bench.say(part);
            if let Some(Event::Authenticate { .. }) = bench.machine.next_event() {
                bench.machine.authenticated(Decision::Accepted(BodyEncoding::Plain), bench.now);
            }
            bytes.extend(bench.bytes());
        }
        assert!(bytes == all, "cut after each {cut}");
        assert_eq!(bench.machine.room(), 20, "cut after each {cut}");
    }
}

#[test]
fn user_name_with_a_token_is_longer_than_512_bytes() {
    let user = format!("app|securityToken={}|", "t".repeat(5000));
    let mut bench = Bench::new();
    bench.say(&[&SASL_HEADER[..], &plain(&user, "p")].concat());
    assert_eq!(bench.events(), [Event::Authenticate { user, password: Password(b"p".to_vec()) }]);

    let mut bench = Bench::new();
    bench.say(&[&SASL_HEADER[..], &plain(&"t".repeat(9000), "p")].concat());
    assert!(
        matches!(bench.events()[..], [Event::Closed(Why::Fault(fault))] if fault.condition == Condition::FramingError)
    );
}

#[test]
fn plain_is_split_at_its_first_two_nuls() {
    let mut bench = Bench::new();
    bench.say(&[&SASL_HEADER[..], &sasl_init("PLAIN", b"authzid\0user\0pass\0word")].concat());
    let password = Password(b"pass\0word".to_vec());
    assert_eq!(format!("{password:?}"), "[secret]");
    assert_eq!(bench.events(), [Event::Authenticate { user: "user".into(), password }]);
}

#[test]
fn refused_is_code_1_and_unavailable_an_end_without_a_word() {
    // rhea gives up for ever at any code but 0, code 4 ("later") too.
    for (decision, told, why) in
        [(Decision::Refused, outcome(1), Why::Refused), (Decision::Unavailable, vec![], Why::Unavailable)]
    {
        let mut bench = Bench::new();
        bench.say(&[&SASL_HEADER[..], &plain("u", "p")].concat());
        drop((bench.events(), bench.bytes()));
        bench.machine.authenticated(decision, bench.now);
        assert_eq!(bench.bytes(), told);
        assert_eq!(bench.events(), [Event::Closed(why)]);
    }
}

#[test]
fn closing_while_a_login_is_looked_at_is_no_refusal() {
    let mut bench = Bench::new();
    bench.say(&[&SASL_HEADER[..], &plain("u", "p")].concat());
    drop((bench.events(), bench.bytes()));
    bench.machine.close(Condition::ConnectionForced, "stopping", bench.now);
    assert_eq!(bench.bytes(), [0u8; 0]);
    bench.machine.authenticated(Decision::Accepted(BodyEncoding::Plain), bench.now);
    assert_eq!(bench.events(), [Event::Closed(Why::Ordered(Condition::ConnectionForced))]);
}

#[test]
fn other_mechanisms_and_broken_responses_are_refused() {
    for init in [sasl_init("ANONYMOUS", b""), sasl_init("PLAIN", b"no nul"), sasl_init("PLAIN", b"\0\xff\0p")] {
        let mut bench = Bench::new();
        bench.say(&[&SASL_HEADER[..], &init].concat());
        assert_eq!(bench.events(), [Event::Closed(Why::Refused)]);
        assert!(bench.bytes().ends_with(&outcome(1)));
    }
}

#[test]
fn fault_before_the_open_is_told_behind_ours() {
    let mut bench = Bench::new().logged_in();
    bench.say(&begin(0, 10));
    let told = bench.told();
    let codes: Vec<_> = told.iter().map(|told| told.code).collect();
    assert_eq!(codes, [0x10, 0x18]);
    assert_eq!(told[1].condition(0).as_deref(), Some("amqp:not-allowed"));
}

#[test]
fn our_open_says_half_of_our_idle_timeout() {
    let mut bench = Bench::new().logged_in();
    bench.say(&open(512, None));
    let ours = bench.told_one();
    assert_eq!((ours.u32(2), ours.u32(4)), (Some(16_384), Some(60_000)));
}
