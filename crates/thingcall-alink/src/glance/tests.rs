//! What is seen is what is read.

use bytes::Bytes;
use proptest::prelude::*;
use thingcall_core::{ReplyIds, Takes, TransportKind};

use super::*;
use crate::{Uplink, uplink};

const SERVICE: &str = "/sys/pk/d1/thing/service/Measure_reply";
const RRPC: &str = "/sys/pk/d1/rrpc/response/9";
const EXT: &str = "/ext/rrpc/9/sys/pk/d1/thing/service/Measure";

fn id(id: u32) -> Option<CallId> {
    Some(CallId::from_u32(id))
}

fn ids(topic: &str, payload: &str) -> Option<ReplyIds> {
    glance(topic, payload.as_bytes()).map(|seen| seen.ids)
}

#[test]
fn ids_of_what_sdks_send_are_seen() {
    for payload in [
        r#"{"id":"7","code":200,"data":{}}"#,
        r#"{"code":200,"data":{"a":[1,"}",{"id":"8"}],"b":"\"id\":\"8\""},"id":"7"}"#,
        r#"{ "id" : 7 , "code" : 200 }"#,
        "{\r\n\t\"code\": 200,\r\n\t\"id\": \"7\"\r\n}\r\n",
        r#"{"id":"7"}"#,
    ] {
        assert_eq!(ids(SERVICE, payload), Some(ReplyIds { payload: id(7), topic: None }), "{payload}");
        assert_eq!(ids(RRPC, payload), Some(ReplyIds { payload: id(7), topic: id(9) }), "{payload}");
        assert_eq!(ids(EXT, payload), Some(ReplyIds { payload: id(7), topic: id(9) }), "{payload}");
    }
    for none in ["{}", r#"{"code":200,"data":{"id":"8"}}"#, "\u{1}\u{2}", "", "[1]", "9 }"] {
        assert_eq!(ids(RRPC, none), Some(ReplyIds { payload: None, topic: id(9) }), "{none:?}");
    }
}

#[test]
fn what_would_have_to_be_read_is_not_seen() {
    for payload in [
        r#"{"id":"7.0","code":200}"#,
        r#"{"id":7.0,"code":200}"#,
        r#"{"id":"seven"}"#,
        r#"{"id":null}"#,
        r#"{"id":"4294967296"}"#,
        r#"{"\u0069d":"7"}"#,
        r#"{"id":"7"#,
        r#"{"code":200"#,
        "\u{feff}{\"id\":\"7\"}",
    ] {
        assert_eq!(ids(RRPC, payload), None, "{payload:?}");
    }
}

#[test]
fn own_bytes_are_known_by_their_topic_alone() {
    let payload = r#"{"id":"7"}"#;
    let none = ReplyIds::default();
    assert_eq!(ids("/sys/pk/d1/thing/model/down_raw_reply", payload), Some(none));
    assert_eq!(ids("/sys/pk/d1/thing/model/up_raw", payload), Some(none));
    let ext = glance("/ext/rrpc/9/sys/pk/d1/thing/model/down_raw", payload.as_bytes()).unwrap();
    assert_eq!((ext.ids, ext.may_be_request), (ReplyIds { payload: None, topic: id(9) }, true));
}

#[test]
fn own_request_is_known_when_it_comes_back() {
    let request = br#"{"id":"7","version":"1.0","params":{"a":1},"method":"thing.service.Measure"}"#;
    assert!(glance(EXT, request).unwrap().is_request);
    assert!(!glance(EXT, br#"{"id":"7","version":"1.0","code":200}"#).unwrap().is_request);
}

#[test]
fn anothers_is_what_is_surely_not_ours() {
    let [ours, other] = [1, 2].map(|slot| CallId::new(slot, 5));
    let is_anothers = |payload, topic| {
        let ids = ReplyIds { payload, topic };
        Glance { ids, is_request: false, may_be_request: false }.is_anothers(|id| id.slot() == 1)
    };
    let count = id(12);
    assert!(!is_anothers(None, None), "nobody knows");
    assert!(!is_anothers(Some(ours), None) && is_anothers(Some(other), None));
    assert!(!is_anothers(None, Some(ours)) && is_anothers(None, Some(other)));
    assert!(!is_anothers(Some(ours), Some(other)), "one SDK mixes topics up");
    assert!(!is_anothers(Some(other), Some(ours)), "its own bytes may look like ours");
    assert!(!is_anothers(count, Some(ours)) && is_anothers(count, Some(other)), "one SDK counts for itself");
}

#[test]
fn names_are_those_of_the_topic() {
    for topic in [SERVICE, RRPC, EXT] {
        assert_eq!(names_of_topic(topic), Some(("pk", "d1")));
    }
    assert_eq!(names_of_topic("/sys/pk"), None);
    assert_eq!(names_of_topic("/ext/rrpc/9/pk/d1/user/get"), None);
}

fn read(topic: &str, payload: &[u8]) -> Option<ReplyIds> {
    match uplink(TransportKind::Mqtt, topic, &Bytes::copy_from_slice(payload), 1024, |_, _| Takes::Alink) {
        Uplink::Reply(reply) => Some(reply.ids()),
        Uplink::Raw(_) | Uplink::Post(_) | Uplink::Other(_) | Uplink::Dropped(..) => None,
    }
}

proptest! {
    /// Of a text that can be read as a reply.
    #[test]
    fn what_is_seen_is_what_is_read(
        before in prop::collection::vec(("[a-z]{1,4}", prop_oneof![
            Just(r#""\\\"id\":\"8\"""#.to_owned()), Just("[{},{\"id\":3}]".to_owned()), Just("-1.5e3".to_owned()),
            Just("null".to_owned()), Just("{\"id\":\"5\"}".to_owned()),
        ]), 0..4),
        id in prop_oneof![any::<u32>().prop_map(|id| format!("\"{id}\"")), any::<u32>().prop_map(|id| id.to_string()),
            Just("\"x\"".to_owned()), Just("7.0".to_owned()), Just("\" 7\"".to_owned()), Just("07".to_owned())],
        space in prop_oneof![Just(""), Just(" "), Just("\n\t")],
        topic in prop_oneof![Just(SERVICE), Just(RRPC), Just(EXT)],
    ) {
        let mut text = "{".to_owned();
        for (at, (name, value)) in before.iter().enumerate() {
            text += &format!("{space}\"x{at}{name}\"{space}:{space}{value}{space},");
        }
        text += &format!("{space}\"id\":{space}{id}{space},\"code\":200}}");
        if let (Some(seen), Some(read)) = (glance(topic, text.as_bytes()), read(topic, text.as_bytes())) {
            prop_assert!(seen.ids == read || read.payload.is_none(), "{text}");
        }
    }

    /// Of whatever comes.
    #[test]
    fn a_look_at_anything_ends(payload in prop::collection::vec(any::<u8>(), 0..64), text in r#"[{}\[\]":,id0-9\\ ]{0,40}"#) {
        let _seen = glance(RRPC, &payload);
        let _seen = glance(SERVICE, text.as_bytes());
    }
}
