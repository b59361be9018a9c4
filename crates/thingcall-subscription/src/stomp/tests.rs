//! A consumer's side of STOMP against the machine.

use std::time::Duration;

use proptest::prelude::*;

use super::protocol::StompProtocol;
use crate::connection::Connection;
use crate::core::Core;
use crate::limits::Limits;
use crate::machine::{
    BodyEncoding, Condition, Decision, DeliveryId, Event, Machine as _, Notice, Outcome, Password, Why,
};

const SECOND: Duration = Duration::from_secs(1);
const USER: &str =
    "py3|authMode=aksign,signMethod=hmacsha1,timestamp=1,authId=a,iotInstanceId=,consumerGroupId=DEFAULT_GROUP|";

struct Bench {
    machine: Connection<StompProtocol>,
    now: Duration,
}

impl Bench {
    fn new() -> Self {
        Self::with(Limits::default())
    }

    fn with(limits: Limits) -> Self {
        Self { machine: Connection::new(Core::new(limits), StompProtocol::new()), now: Duration::ZERO }
    }

    fn connected(self, headers: &str) -> (Self, String) {
        self.connected_as(headers, BodyEncoding::Plain)
    }

    fn connected_as(mut self, headers: &str, body: BodyEncoding) -> (Self, String) {
        self.say(&format!("STOMP\n{headers}\nhost:h\nlogin:{USER}\npasscode:p=\n\n\0"));
        assert!(matches!(self.events()[..], [Event::Authenticate { .. }]));
        self.machine.authenticated(Decision::Accepted(body), self.now);
        let told = self.told();
        (self, told)
    }

    fn subscribed(self, version: &str, ack: &str) -> Self {
        let (mut bench, _) = self.connected(&format!("accept-version:{version}"));
        bench.say(&format!("SUBSCRIBE\ndestination:/topic/#\nid:1\nack:{ack}\n\n\0"));
        assert_eq!((bench.events(), bench.told()), (vec![Event::Attached], String::new()));
        bench
    }

    fn say(&mut self, text: &str) {
        self.machine.receive(text.as_bytes(), self.now);
    }

    fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.machine.next_event()).collect()
    }

    fn told(&mut self) -> String {
        let bytes = self.machine.output().to_vec();
        self.machine.written(bytes.len(), self.now);
        String::from_utf8(bytes).expect("text")
    }

    fn send(&mut self, id: &str, body: &[u8]) -> DeliveryId {
        let notice = Notice { id, topic: "/pk/dn/user/a:b", generated_ms: 7, tries_before: 0, body, trace: None };
        self.machine.send(&notice, self.now).expect("there is room")
    }
}

fn settled(delivery: DeliveryId, outcome: Outcome) -> Event {
    Event::Settled { delivery, outcome }
}

#[test]
fn login_is_taken_as_it_stands_without_escapes() {
    for command in ["STOMP", "CONNECT"] {
        let mut bench = Bench::new();
        bench.say(&format!("\n{command}\r\naccept-version:1.1\r\nlogin:a\\c|b:c=\\d\npasscode:x\\n==\n\n\0"));
        let password = Password(b"x\\n==".to_vec());
        assert_eq!(bench.events(), [Event::Authenticate { user: "a\\c|b:c=\\d".into(), password }]);
    }
}

#[test]
fn highest_common_version_is_spoken() {
    for (accepted, version) in [("1.1", "1.1"), ("1.2", "1.2"), ("1.0,1.1,1.2", "1.2"), ("1.0, 1.1", "1.1")] {
        let (_, told) = Bench::new().connected(&format!("accept-version:{accepted}"));
        assert_eq!(told, format!("CONNECTED\nversion:{version}\nheart-beat:0,0\n\n\0"));
    }
    let mut bench = Bench::new();
    bench.say("CONNECT\nlogin:u\npasscode:p\n\n\0");
    let told = bench.told();
    assert!(told.starts_with("ERROR\nversion:1.1,1.2\n"), "{told}");
    assert!(matches!(bench.events()[..], [Event::Closed(Why::Fault(_))]));
    assert!(told.ends_with("\n\nversions 1.1 and 1.2 are spoken here\0"), "clients print the body: {told}");
}

#[test]
fn refused_and_unavailable_logins_are_errors() {
    for (decision, why) in [(Decision::Refused, Why::Refused), (Decision::Unavailable, Why::Unavailable)] {
        let mut bench = Bench::new();
        bench.say("STOMP\naccept-version:1.1\nlogin:u\npasscode:p\n\n\0SUBSCRIBE\nid:1\n\n\0");
        drop(bench.events());
        bench.machine.authenticated(decision, bench.now);
        assert!(bench.told().starts_with("ERROR\n"));
        assert_eq!(bench.events(), [Event::Closed(why)]);
    }
}

#[test]
fn heart_beats_go_out_twice_as_often_as_was_agreed_on() {
    let (mut bench, told) = Bench::new().connected("accept-version:1.1\nheart-beat:0,10000");
    assert!(told.contains("heart-beat:10000,0\n"));
    bench.say("SUBSCRIBE\nid:1\ndestination:/topic/#\n\n\0");
    for _ in 0..100 {
        assert_eq!(bench.machine.next_tick(), Some(bench.now + SECOND * 5), "and it may be silent for ever");
        bench.now += SECOND * 5;
        bench.machine.tick(bench.now);
        assert_eq!(bench.told(), "\n");
    }
}

#[test]
fn peer_that_promised_to_beat_and_does_not_is_closed() {
    let (mut bench, told) = Bench::new().connected("accept-version:1.1\nheart-beat:20000,0");
    assert!(told.contains("heart-beat:0,20000\n"));
    bench.say("SUBSCRIBE\nid:1\ndestination:/topic/#\n\n\0");
    bench.now += SECOND * 39;
    bench.say("\r\n");
    bench.now += SECOND * 39;
    bench.machine.tick(bench.now);
    assert_eq!(bench.events(), [Event::Attached]);
    bench.now += SECOND;
    bench.machine.tick(bench.now);
    assert_eq!(bench.events(), [Event::Closed(Why::Silent)]);
}

#[test]
fn message_has_what_clients_need() {
    let mut bench = Bench::new().subscribed("1.1", "auto");
    bench.send("123", b"{}");
    let head = "MESSAGE\nsubscription:1\nmessage-id:123\ndestination:/pk/dn/user/a\\cb\n";
    assert_eq!(bench.told(), format!("{head}messageId:123\ngenerateTime:7\ncontent-length:2\n\n{{}}\0"));
    let mut bench = Bench::new().subscribed("1.2", "client");
    bench.send("123", b"");
    assert!(bench.told().contains("\nack:0\n"));
}

#[test]
fn bodies_are_base64_where_the_user_name_says_so() {
    let (mut bench, _) = Bench::new().connected_as("accept-version:1.1", BodyEncoding::Base64);
    bench.say("SUBSCRIBE\nid:1\ndestination:/topic/#\n\n\0");
    bench.send("1", &[0, 255, 10]);
    assert!(bench.told().ends_with("content-length:4\n\nAP8K\0"));
}

#[test]
fn auto_counts_what_the_socket_took() {
    let mut bench = Bench::new().subscribed("1.1", "auto");
    let (first, second) = (bench.send("1", b"x"), bench.send("2", b"x"));
    let bytes = bench.machine.output().len();
    bench.machine.written(bytes - 1, bench.now);
    assert_eq!(bench.events(), [settled(first, Outcome::Accepted)]);
    bench.now += SECOND * 29;
    bench.machine.tick(bench.now);
    assert_eq!(bench.events(), []);
    bench.machine.written(1, bench.now);
    assert_eq!(bench.events(), [settled(second, Outcome::Accepted)]);
}

#[test]
fn client_acks_settle_all_before_and_individual_ones_one() {
    let mut bench = Bench::new().subscribed("1.1", "client");
    let all = ["a", "b", "c"].map(|id| bench.send(id, b""));
    bench.say("ACK\nsubscription:1\nmessage-id:b\n\n\0");
    assert_eq!(bench.events(), [settled(all[0], Outcome::Accepted), settled(all[1], Outcome::Accepted)]);
    bench.say("ACK\nsubscription:1\nmessage-id:b\n\n\0");
    assert_eq!(bench.events(), [], "once");

    let mut bench = Bench::new().subscribed("1.2", "client-individual");
    let all = ["a", "b", "c"].map(|id| bench.send(id, b""));
    bench.say("ACK\nid:1\n\n\0NACK\nid:2\n\n\0ACK\nid:77\n\n\0ACK\nid:x\n\n\0");
    assert_eq!(bench.events(), [settled(all[1], Outcome::Accepted), settled(all[2], Outcome::Rejected)]);
}

#[test]
fn message_that_came_twice_is_acknowledged_as_the_newer_one() {
    let mut bench = Bench::new().subscribed("1.1", "client-individual");
    let first = bench.send("same", b"");
    drop(bench.told());
    bench.now += SECOND * 30;
    bench.machine.tick(bench.now);
    assert_eq!(bench.events(), [settled(first, Outcome::TimedOut)]);
    let second = bench.send("same", b"");
    bench.say("ACK\nsubscription:1\nmessage-id:same\n\n\0");
    assert_eq!(bench.events(), [settled(second, Outcome::Accepted)]);
}

#[test]
fn unsettled_are_capped() {
    let mut bench = Bench::new().subscribed("1.1", "client");
    let mut sent = 0;
    while bench.machine.room() > 0 {
        bench.send("x", b"");
        drop(bench.told());
        sent += 1;
    }
    assert_eq!(sent, 1000);
}

#[test]
fn unsubscribe_gives_back_and_disconnect_is_receipted() {
    let mut bench = Bench::new().subscribed("1.2", "client");
    let delivery = bench.send("a", b"");
    drop(bench.told());
    bench.say("UNSUBSCRIBE\nid:1\nreceipt:r\\c1\n\n\0");
    assert_eq!(bench.events(), [settled(delivery, Outcome::Gone), Event::Detached]);
    assert_eq!((bench.told().as_str(), bench.machine.room()), ("RECEIPT\nreceipt-id:r\\c1\n\n\0", 0));
    bench.say("SUBSCRIBE\nid:2\ndestination:/topic/#\nreceipt:2\n\n\0DISCONNECT\nreceipt:3\n\n\0");
    assert_eq!(bench.told(), "RECEIPT\nreceipt-id:2\n\n\0RECEIPT\nreceipt-id:3\n\n\0");
    assert_eq!(bench.events(), [Event::Attached, Event::Closed(Why::Peer(None))]);
}

#[test]
fn what_consumers_may_not_do_is_an_error() {
    for frame in [
        "SEND\ndestination:/x\n\nbody\0",
        "SUBSCRIBE\nid:2\ndestination:/topic/#\n\n\0",
        "UNSUBSCRIBE\nid:9\n\n\0",
        "BEGIN\ntransaction:1\n\n\0",
        "STOMP\naccept-version:1.1\n\n\0",
        "ODD\n\n\0",
        "ACK\n\n\0",
        "ACK\nno colon\n\n\0",
        "ACK\nid:\\t\n\n\0",
        "SEND\ncontent-length:3\n\nbody\0",
        "SEND\ncontent-length:99999999999999999999\n\n\0",
        "SEND\ncontent-length:99999\n\n",
        "no empty line\0",
    ] {
        let mut bench = Bench::new().subscribed("1.2", "auto");
        bench.say(frame);
        assert!(bench.told().starts_with("ERROR\n"), "{frame:?}");
        assert!(matches!(bench.events()[..], [Event::Closed(Why::Fault(_))]), "{frame:?}");
    }
}

#[test]
fn frames_are_bounded_before_they_are_all_there() {
    for endless in ["x".to_owned(), "a:b\n".to_owned()] {
        let mut bench = Bench::new();
        for _ in 0..8 * 1024 {
            bench.say(&endless);
        }
        bench.say("yy");
        let [Event::Closed(Why::Fault(fault))] = bench.events()[..] else { panic!("an end") };
        assert_eq!(fault.condition, Condition::FramingError);
    }
}

#[test]
fn content_length_lets_a_body_hold_nul() {
    let mut bench = Bench::new().subscribed("1.2", "client");
    bench.say("DISCONNECT\ncontent-length:3\n\na\0b\0");
    assert_eq!(bench.events(), [Event::Closed(Why::Peer(None))]);
}

#[test]
fn login_and_subscription_must_come_in_time() {
    let mut bench = Bench::new();
    bench.machine.tick(SECOND * 15);
    assert_eq!(bench.events(), [Event::Closed(Why::NoLogin)]);
    let (mut bench, _) = Bench::new().connected("accept-version:1.1");
    bench.machine.tick(SECOND * 15);
    assert_eq!(bench.events(), [Event::Closed(Why::NoLink)]);
}

const CONVERSATION: &str = "STOMP\naccept-version:1.1,1.2\nheart-beat:0,10000\nlogin:u\npasscode:p\n\n\0\n\
    SUBSCRIBE\ndestination:/topic/#\nid:1\nack:client\n\n\0ACK\nid:0\n\n\0\n\nNACK\nid:3\nreceipt:5\n\n\0\
    UNSUBSCRIBE\nid:1\n\n\0DISCONNECT\nreceipt:7\n\n\0";

fn play(bytes: &[u8], cut: usize) -> (Vec<u8>, bool) {
    let mut bench = Bench::with(Limits { output_bytes_max: 4096, ..Limits::default() });
    let (mut all, mut sent, mut settled) = (Vec::new(), 0, 0);
    for part in bytes.chunks(cut) {
        bench.machine.receive(part, bench.now);
        for event in bench.events() {
            match event {
                Event::Authenticate { .. } => {
                    bench.machine.authenticated(Decision::Accepted(BodyEncoding::Plain), bench.now);
                }
                Event::Settled { .. } => settled += 1,
                Event::Attached | Event::Detached | Event::Late { .. } | Event::Closed(_) => {}
            }
        }
        while sent < 4 && bench.machine.room() > 0 {
            bench.send("1", b"body");
            sent += 1;
        }
        all.extend(bench.told().into_bytes());
    }
    bench.machine.disconnected();
    settled += bench.events().iter().filter(|event| matches!(event, Event::Settled { .. })).count();
    assert_eq!(sent, settled, "each is settled once");
    (all, bench.machine.is_over())
}

#[test]
fn packets_may_be_cut_anywhere() {
    let whole = play(CONVERSATION.as_bytes(), 1);
    for cut in 2..40 {
        let (text, _) = play(CONVERSATION.as_bytes(), cut);
        assert!(String::from_utf8_lossy(&text).ends_with("RECEIPT\nreceipt-id:7\n\n\0"), "{cut}");
    }
    assert!(String::from_utf8_lossy(&whole.0).contains("receipt-id:5"));
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..400), cut in 1usize..50) {
        play(&bytes, cut);
    }

    #[test]
    fn changed_bytes_of_a_conversation_are_survived(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in 1usize..100,
    ) {
        let mut bytes = CONVERSATION.as_bytes().to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        play(&bytes, cut);
    }
}
