//! Keys, topics and devices.

use proptest::prelude::*;

use super::*;

fn device(name: &str) -> DeviceKey {
    DeviceKey { product: "pk".parse().unwrap(), name: name.parse().unwrap() }
}

#[test]
fn topics_and_keys_are_one_another_with_dots_for_slashes() {
    assert_eq!(key_of("/sys/pk/d1/rrpc/request/7"), ".sys.pk.d1.rrpc.request.7");
    assert_eq!(topic_of(".sys.pk.d1.rrpc.response.7").as_deref(), Some("/sys/pk/d1/rrpc/response/7"));
    assert_eq!(pattern_of("/ext/rrpc/+/sys/+/+/thing/service/+"), ".ext.rrpc.*.sys.*.*.thing.service.*");
    assert_eq!(topic_of(".sys.pk/d1.x"), None);
}

#[test]
fn an_answer_to_our_key_is_an_answer_of_its_device() {
    let key = reply_to(&device("d1"), 0);
    assert_eq!(topic_of_reply(&key, 0, "7").as_deref(), Some("/sys/pk/d1/rrpc/response/7"));
    assert_eq!(topic_of_reply(&key, 1, "7"), None);
    for key in [
        ".sys.pk.d1.x.thing.reply.slot-0",
        ".sys.pk.thing.reply.slot-0",
        ".sys.pk.d/1.thing.reply.slot-0",
        "sys.pk.d1.thing.reply.slot-0",
        ".sys.pk.d1.thing.replyXslot-0",
        ".sys.pk.d1.thing.reply.slot-00",
        ".sys.pk.d1.thing.reply.my-slot-0",
    ] {
        assert_eq!(topic_of_reply(key, 0, "7"), None, "{key}");
    }
}

#[test]
fn each_slot_has_a_key_and_a_queue_of_its_own() {
    assert_eq!(replies_to(5), ".sys.*.*.thing.reply.slot-5");
    assert_eq!(slot_queue("thingcall.replies", 5), "thingcall.replies.slot-5");
    let key = reply_to(&device("d1"), 11);
    assert_eq!((topic_of_reply(&key, 1, "7"), topic_of_reply(&key, 11, "7").is_some()), (None, true));
}

#[test]
fn a_dot_in_a_name_cannot_be_named() {
    assert!(can_name(&device("d1:@_-")));
    assert!(!can_name(&device("d.1")));
}

proptest! {
    /// Two devices that can be named never share a key.
    #[test]
    fn each_device_has_keys_of_its_own(a in "[a-z:@_-]{1,8}", b in "[a-z:@_-]{1,8}") {
        let same = reply_to(&device(&a), 0) == reply_to(&device(&b), 0);
        prop_assert_eq!(same, a == b);
    }
}
