//! Where letters go, and where they must not.

use std::sync::Arc;

use bytes::Bytes;
use thingcall_core::{CallMode, Delivery, DropReason, Letter, SyncTopic, Takes, TransportKind};

use super::*;
use crate::envelope::tests::delivery;
use crate::{Uplink, payload, request_topic, uplink};

fn key() -> DeviceKey {
    DeviceKey { product: "pk".parse().unwrap(), name: "d1".parse().unwrap() }
}

fn letter(to: LetterTo) -> Delivery {
    let letter = Letter { to, payload: Bytes::from_static(b"\x00\xff"), extras: None };
    Delivery { letter: Some(Arc::new(letter)), ..delivery("RRpc", CallMode::Sync) }
}

fn refused(topic: &str) -> bool {
    letter_refusal(&key(), &LetterTo::Topic(topic.into())).is_some()
}

#[test]
fn letters_have_the_topics_that_their_callers_name_and_their_bytes_as_they_are() {
    for form in [SyncTopic::Ext, SyncTopic::Rrpc, SyncTopic::Service] {
        for (to, topic) in [
            (LetterTo::Topic("/pk/d1/user/get".into()), "/pk/d1/user/get"),
            (LetterTo::Rrpc, "/sys/pk/d1/rrpc/request/4294967295"),
            (LetterTo::RrpcOn("/pk/d1/user/get".into()), "/ext/rrpc/4294967295/pk/d1/user/get"),
        ] {
            let delivery = letter(to);
            assert_eq!(request_topic(&delivery, form), topic);
            assert_eq!(payload(&delivery), &b"\x00\xff"[..]);
        }
    }
}

#[test]
fn device_is_told_something_on_its_own_topics_alone() {
    for topic in [
        "/pk/d1/user/get",
        "/pk/d1/user/a/b",
        "/sys/pk/d1/thing/config/push",
        "/sys/pk/d1/thing/event/property/post_reply",
        "/shadow/get/pk/d1",
        "/ota/device/upgrade/pk/d1",
    ] {
        assert!(!refused(topic), "{topic}: {:?}", letter_refusal(&key(), &LetterTo::Topic(topic.into())));
    }
    for topic in [
        "",
        "/",
        "pk/d1/user/get",
        "/pk/d2/user/get",
        "/pk/d1/get",
        "/pk/d1/user/",
        "/pk/d1/user/+",
        "/pk/d1/user/#",
        "/pk/d1/user//a",
        // Commands are held against the thing model: a message that was one got past it, and past a key's rules.
        "/sys/pk/d1/thing/service/SetScene",
        "/sys/pk/d1/thing/service/property/set",
        "/sys/pk/d1/thing/model/down_raw",
        "/sys/pk/d1/rrpc/request/7",
        // What is for all devices of a product is no letter to one of them.
        "/broadcast/pk/all",
        "/broadcast/pk/d1",
    ] {
        assert!(refused(topic), "{topic}");
    }
    assert!(refused(&format!("/pk/d1/user/{}", "x".repeat(128))));
}

#[test]
fn what_comes_back_as_a_report_is_what_lies_where_devices_report() {
    let comes = |topic: &str| comes_back(&LetterTo::Topic(topic.into()));
    assert!(comes("/pk/d1/user/get"));
    for topic in ["/sys/pk/d1/thing/config/push", "/shadow/get/pk/d1", "/ota/device/upgrade/pk/d1"] {
        assert!(!comes(topic), "{topic}");
    }
    assert!(!comes_back(&LetterTo::Broadcast) && !comes_back(&LetterTo::RrpcOn("/pk/d1/user/get".into())));
}

#[test]
fn no_letter_goes_where_devices_speak() {
    for topic in [
        "/sys/pk/d1/thing/event/property/post",
        "/sys/pk/d1/thing/event/alarm/post",
        "/sys/pk/d1/thing/deviceinfo/update",
        "/sys/pk/d1/thing/service/SetScene_reply",
        "/sys/pk/d1/thing/service/property/set_reply",
        "/sys/pk/d1/thing/model/up_raw",
        "/sys/pk/d1/rrpc/response/7",
        "/ext/rrpc/7/sys/pk/d1/thing/service/SetScene",
        "/ext/rrpc/7/pk/d1/user/get",
        "/ext/ntp/pk/d1/request",
    ] {
        assert!(refused(topic), "{topic}");
    }
    assert!(letter_refusal(&key(), &LetterTo::RrpcOn("/sys/pk/d1/thing/config/push".into())).is_some());
    assert!(letter_refusal(&key(), &LetterTo::RrpcOn("/pk/d1/user/get".into())).is_none());
    assert!(letter_refusal(&key(), &LetterTo::Rrpc).is_none());
}

#[test]
fn answer_to_a_question_is_bytes_where_somebody_waits_for_such() {
    let read = |topic: &str, takes| {
        uplink(TransportKind::Mqtt, topic, &Bytes::from_static(br#"{"id":"9","code":200}"#), 100, |device, id| {
            assert_eq!((device, id.map(CallId::as_u32)), (&key(), Some(7)));
            takes
        })
    };
    for topic in ["/sys/pk/d1/rrpc/response/7", "/ext/rrpc/7/pk/d1/user/get"] {
        let Uplink::Raw(raw) = read(topic, Takes::Bytes) else { panic!("{topic}") };
        assert_eq!((raw.device, raw.topic_id.map(CallId::as_u32)), (key(), Some(7)));
    }
    assert!(matches!(read("/sys/pk/d1/rrpc/response/7", Takes::Alink), Uplink::Reply(_)));
    for takes in [Takes::Alink, Takes::Own] {
        let Uplink::Dropped(Some(device), reason) = read("/ext/rrpc/7/pk/d1/user/get", takes) else { panic!("taken") };
        assert_eq!((device, reason), (key(), DropReason::UnknownId));
    }
}
