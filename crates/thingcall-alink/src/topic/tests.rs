//! Where commands go, what uplinks are, and that no device reaches another's topics.

use proptest::prelude::*;

use super::*;
use crate::envelope::tests::delivery;

mod misplaced;

fn key(name: &str) -> DeviceKey {
    DeviceKey { product: "pk".parse().unwrap(), name: name.parse().unwrap() }
}

fn read(topic: &str, payload: &str) -> Uplink {
    uplink(TransportKind::Mqtt, topic, &Bytes::copy_from_slice(payload.as_bytes()), 100, |_, _| Takes::Alink)
}

/// As of a product whose data format is custom.
fn read_raw(topic: &str, payload: &'static [u8]) -> Uplink {
    uplink(TransportKind::Mqtt, topic, &Bytes::from_static(payload), 100, |_, _| Takes::Own)
}

const REPLY: &str = r#"{"id":"7","code":200,"data":{}}"#;

#[test]
fn a_synchronous_call_takes_the_topic_the_device_listens_on() {
    let topic = |form| request_topic(&delivery("testFb:testService", CallMode::Sync), form);
    assert_eq!(topic(SyncTopic::Ext), "/ext/rrpc/4294967295/sys/pk/d1/thing/service/testFb:testService");
    assert_eq!(topic(SyncTopic::Rrpc), "/sys/pk/d1/rrpc/request/4294967295");
    assert_eq!(topic(SyncTopic::Service), "/sys/pk/d1/thing/service/testFb:testService");
}

#[test]
fn an_asynchronous_call_takes_the_services_topic_whatever_the_device() {
    for form in [SyncTopic::Ext, SyncTopic::Rrpc, SyncTopic::Service] {
        let topic = request_topic(&delivery("SetScene", CallMode::Async), form);
        assert_eq!(topic, "/sys/pk/d1/thing/service/SetScene");
    }
}

#[test]
fn properties_are_set_on_a_topic_of_their_own_and_answered_beside_it() {
    let set = delivery("set", CallMode::Async);
    assert_eq!(request_topic(&set, SyncTopic::Ext), "/sys/pk/d1/thing/service/property/set");
    assert_eq!(reply_topic(&key("d1"), &set.service), "/sys/pk/d1/thing/service/property/set_reply");
    assert_eq!(reply_topic(&key("d1"), &"fb:set".parse().unwrap()), "/sys/pk/d1/thing/service/fb:set_reply");
    let Uplink::Dropped(_, reason) = read("/sys/pk/d1/thing/service/property/set", REPLY) else { panic!("taken") };
    assert_eq!(reason, DropReason::NoReplySuffix);
}

#[test]
fn raw_commands_have_topics_of_their_own_but_for_rrpc() {
    let topic = |mode, form| {
        request_topic(
            &Delivery { raw: Some(Bytes::from_static(b"\x01")), ..delivery("testFb:testService", mode) },
            form,
        )
    };
    let down_raw = "/sys/pk/d1/thing/model/down_raw";
    assert_eq!(topic(CallMode::Sync, SyncTopic::Ext), format!("/ext/rrpc/4294967295{down_raw}"));
    assert_eq!(topic(CallMode::Sync, SyncTopic::Rrpc), "/sys/pk/d1/rrpc/request/4294967295");
    assert_eq!(topic(CallMode::Sync, SyncTopic::Service), down_raw);
    for form in [SyncTopic::Ext, SyncTopic::Rrpc, SyncTopic::Service] {
        assert_eq!(topic(CallMode::Async, form), down_raw);
    }
}

#[test]
fn raw_messages_are_handed_on_unread() {
    for (topic, topic_id) in [
        ("/sys/pk/d1/thing/model/down_raw_reply", None),
        ("/sys/pk/d1/thing/model/up_raw", None),
        ("/ext/rrpc/9/sys/pk/d1/thing/model/down_raw", Some(9)),
        ("/ext/rrpc/x/sys/pk/d1/thing/model/down_raw", None),
        ("/sys/pk/d1/rrpc/response/9", Some(9)),
    ] {
        for payload in [&b"\x00\xff"[..], br#"{"id":"7","code":200}"#, br#"{"id":"7","method":"x"}"#, b""] {
            let Uplink::Raw(raw) = read_raw(topic, payload) else { panic!("not raw: {topic}") };
            assert_eq!((raw.device, raw.topic_id.map(CallId::as_u32)), (key("d1"), topic_id));
            assert_eq!(raw.payload, payload);
        }
    }
}

#[test]
fn what_says_by_its_topic_that_it_is_raw_needs_no_asking() {
    for topic in ["/sys/pk/d1/thing/model/up_raw", "/ext/rrpc/9/sys/pk/d1/thing/model/down_raw"] {
        assert!(matches!(read(topic, "x"), Uplink::Raw(_)), "{topic}");
    }
    for topic in ["/sys/pk/d1/thing/service/SetScene_reply", "/ext/rrpc/9/sys/pk/d1/thing/service/SetScene"] {
        assert!(matches!(read_raw(topic, REPLY.as_bytes()), Uplink::Reply(_)), "{topic}");
    }
}

#[test]
fn a_raw_message_over_the_limit_is_malformed_and_keeps_its_topics_id() {
    let Uplink::Reply(reply) = read_raw("/ext/rrpc/9/sys/pk/d1/thing/model/down_raw", &[1; 101]) else { panic!("raw") };
    assert_eq!(reply.topic_id.map(CallId::as_u32), Some(9));
    assert_eq!(reply.body, Err(MalformedReply::TooLarge { bytes: 101, max: 100 }));
}

#[test]
fn every_reply_of_a_device_fits_a_reply_filter() {
    let levels = |text: &'static str| text.split('/').collect::<Vec<_>>();
    for topic in [
        "/sys/pk/d1/rrpc/response/9",
        "/sys/pk/d1/thing/service/SetScene_reply",
        "/sys/pk/d1/thing/service/property/set_reply",
        "/ext/rrpc/9/sys/pk/d1/thing/service/testFb:testService",
        "/sys/pk/d1/thing/model/down_raw_reply",
        "/sys/pk/d1/thing/model/up_raw",
        "/ext/rrpc/9/sys/pk/d1/thing/model/down_raw",
    ] {
        let fits = REPLY_FILTERS.iter().filter(|filter| matches(&levels(filter), &levels(topic))).count();
        assert_eq!(fits, 1, "{topic}: a broker would bring it {fits} times");
    }
}

#[test]
fn a_reply_is_known_by_its_topic() {
    for (topic, topic_id) in [
        ("/sys/pk/d1/rrpc/response/9", Some(9)),
        ("/sys/pk/d1/rrpc/response/1339116017494043136", None),
        ("/sys/pk/d1/thing/service/SetScene_reply", None),
        ("/sys/pk/d1/thing/service/property/set_reply", None),
        ("/ext/rrpc/9/sys/pk/d1/thing/service/testFb:testService", Some(9)),
    ] {
        let Uplink::Reply(reply) = read(topic, REPLY) else { panic!("no reply: {topic}") };
        assert_eq!(reply.device, key("d1"));
        assert_eq!((reply.payload_id.map(CallId::as_u32), reply.topic_id.map(CallId::as_u32)), (Some(7), topic_id));
        assert!(reply.body.is_ok());
    }
}

#[test]
fn the_bodys_id_counts_before_the_topics() {
    let Uplink::Reply(reply) = read("/sys/pk/d1/rrpc/response/9", REPLY) else { panic!("no reply") };
    assert_eq!(reply.id().map(CallId::as_u32), Some(7));
    let Uplink::Reply(reply) = read("/sys/pk/d1/rrpc/response/9", r#"{"code":200}"#) else { panic!("no reply") };
    assert_eq!(reply.id().map(CallId::as_u32), Some(9));
}

#[test]
fn our_own_requests_are_echoes() {
    let request = r#"{"id":"7","version":"1.0","params":{},"method":"thing.service.SetScene"}"#;
    assert!(matches!(read("/sys/pk/d1/thing/service/SetScene", request), Uplink::Dropped(Some(_), DropReason::Echo)));
    assert!(matches!(
        read("/ext/rrpc/7/sys/pk/d1/thing/service/SetScene", request),
        Uplink::Dropped(Some(_), DropReason::Echo)
    ));
    assert!(matches!(read_raw("/sys/pk/d1/thing/model/down_raw", b"\x01"), Uplink::Dropped(Some(_), DropReason::Echo)));
}

#[test]
fn a_reply_over_the_limit_is_malformed_and_keeps_its_topics_id() {
    let Uplink::Reply(reply) = read("/sys/pk/d1/rrpc/response/9", &"x".repeat(101)) else { panic!("no reply") };
    assert_eq!(reply.topic_id.map(CallId::as_u32), Some(9));
    assert_eq!(reply.body.unwrap_err().to_string(), "the reply has 101 bytes; 100 are allowed");
}

#[test]
fn other_uplinks_are_the_devices_but_no_reply() {
    for topic in ["/sys/pk/d1/thing/config/push_reply", "/sys/pk/d1/thing/service/property/get_reply"] {
        assert!(matches!(read(topic, "{}"), Uplink::Other(device) if device == key("d1")), "{topic}");
    }
    for topic in ["", "/", "sys/pk/d1/x", "/sys/pk", "/sys/p k/d1/rrpc/response/1", "/$SYS/x", "/pk/d1/x"] {
        assert!(matches!(read(topic, "{}"), Uplink::Dropped(None, DropReason::ForeignTopic)), "{topic}");
    }
}

#[test]
fn a_device_may_use_what_sdks_use() {
    let d1 = key("d1");
    for topic in [
        "/sys/pk/d1/thing/event/property/post",
        "/sys/pk/d1/thing/service/SetScene_reply",
        "/sys/pk/d1/rrpc/response/1",
        "/ext/rrpc/1/sys/pk/d1/thing/service/Measure",
        "/sys/pk/d1/thing/model/up_raw",
        "/shadow/update/pk/d1",
        "/pk/d1/user/anything/below",
        "/ext/ntp/pk/d1/request",
        "/ota/device/inform/pk/d1",
    ] {
        assert!(may_publish(&d1, topic) && may_subscribe(&d1, topic), "{topic}");
    }
    for filter in [
        "/sys/pk/d1/#",
        "/sys/pk/d1/rrpc/request/+",
        "/ext/rrpc/+/sys/pk/d1/#",
        "/shadow/get/pk/d1/+",
        "/broadcast/pk/#",
    ] {
        assert!(may_subscribe(&d1, filter) && !may_publish(&d1, filter), "{filter}");
    }
}

#[test]
fn a_device_may_not_reach_out_of_its_tree() {
    let d1 = key("d1");
    for filter in [
        "#",
        "+",
        "/#",
        "/sys/#",
        "/sys/pk/#",
        "/sys/pk/+/#",
        "/sys/+/d1/#",
        "/sys/pk/d2/rrpc/request/+",
        "/sys/pk2/d1/#",
        "/ext/rrpc/#",
        "/ext/rrpc/+/#",
        "/ext/rrpc/#/sys/pk/d1/x",
        "/ext/rrpc/+/sys/pk/+/thing/service/x",
        "/ext/rrpc/+/+/pk/d1/x",
        "$share/g//sys/pk/d1/#",
        "$SYS/#",
        "/broadcast/#",
        "/broadcast/+/x",
        "/broadcast/pk2/x",
        "/sys/pk",
        "sys/pk/d1/x",
    ] {
        assert!(!may_subscribe(&d1, filter), "{filter}");
        assert!(!may_publish(&d1, filter), "{filter}");
    }
}

/// `/ext/rrpc/#` is what Alibaba's documents and several SDKs subscribe to, `/sys/+/+/...` what Link SDKs in C name.
#[test]
fn a_device_may_ask_for_filters_that_reach_further_than_its_tree() {
    let d1 = key("d1");
    for filter in [
        "#",
        "/#",
        "/+/pk/d1/#",
        "+/sys/pk/d1/#",
        "/sys/#",
        "/sys/pk/#",
        "/sys/pk/d1/#",
        "/sys/pk/+/#",
        "/sys/+/+/thing/service/property/set",
        "/ext/rrpc/#",
        "/ext/rrpc/+/#",
        "/ext/rrpc/+/+/pk/d1/x",
        "/ext/rrpc/+/sys/+/+/thing/service/+",
        "/ext/rrpc/+/hello/world",
        "/ota/#",
        "/ota/device/upgrade/+/+",
        "/shadow/get/#",
        "/broadcast/#",
        "/broadcast/pk/+",
        "/pk/d1/user/get",
    ] {
        assert!(may_ask_for(&d1, filter), "{filter}");
    }
    for filter in [
        "",
        "/",
        "/sys",
        "/sys/pk/d2/#",
        "/sys/pk2/+/#",
        "/ext/rrpc/+/sys/pk/d2/thing/service/+",
        "/ext/rrpc/#/sys/pk/d1/x",
        "/sys/pk/d1/thing/serv+",
        "/sys/pk/d1/x#",
        "/broadcast/pk2/#",
        "/pk/d2/user/#",
        "$share/g//sys/pk/d1/#",
        "$SYS/#",
    ] {
        assert!(!may_ask_for(&d1, filter), "{filter}");
    }
}

#[test]
fn no_product_key_makes_two_devices_share_a_topic() {
    let words =
        ["sys", "ext", "shadow", "ota", "broadcast", "pk", "user", "rrpc", "update", "device", "ntp", "session"];
    let device =
        |product: &&str, name: &&str| DeviceKey { product: product.parse().unwrap(), name: name.parse().unwrap() };
    let devices: Vec<_> =
        words.iter().flat_map(|product| words.iter().map(move |name| device(product, name))).collect();
    for DeviceKey { product: p, name: d } in &devices {
        for topic in [
            format!("/sys/{p}/{d}/user/x"),
            format!("/ext/rrpc/user/sys/{p}/{d}/user/x"),
            format!("/{p}/{d}/user/x/y/z"),
            format!("/ext/rrpc/sys/{p}/{d}/user/x"),
            format!("/ext/ntp/{p}/{d}/user/x"),
            format!("/shadow/update/{p}/{d}/user/x"),
            format!("/ota/device/user/{p}/{d}/user/x"),
        ] {
            let owners: Vec<_> = devices.iter().filter(|device| may_publish(device, &topic)).collect();
            assert!(owners.len() <= 1, "{topic}: {owners:?}");
        }
    }
}

/// MQTT's own matching, written plainly.
fn matches(filter: &[&str], topic: &[&str]) -> bool {
    match (filter, topic) {
        (["#"], _) => true,
        (["+", filter @ ..], [_, topic @ ..]) => matches(filter, topic),
        ([f, filter @ ..], [t, topic @ ..]) => f == t && matches(filter, topic),
        ([], []) => true,
        _ => false,
    }
}

fn topic_of_another() -> impl Strategy<Value = String> {
    proptest::sample::select(vec![
        "/sys/pk/d2/rrpc/request/7",
        "/sys/pk/d2/thing/service/x",
        "/sys/pk2/d1/thing/service/x",
        "/ext/rrpc/7/sys/pk/d2/thing/service/x",
        "/ext/rrpc/7/pk/d2/user/x",
        "/pk/d2/user/get",
        "/shadow/get/pk/d2",
        "/ext/session/pk/d2/x",
        "/ota/device/upgrade/pk/d2",
    ])
    .prop_map(str::to_owned)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn no_filter_that_is_allowed_matches_another_devices_topic(
        topic in topic_of_another(),
        changes in proptest::collection::vec(proptest::sample::select(vec!["", "", "+", "own"]), 12),
        cut in proptest::option::of(0..10_usize),
    ) {
        let topic: Vec<_> = topic.split('/').collect();
        let mut filter: Vec<_> = topic.iter().zip(changes).map(|(level, change)| match (change, *level) {
            ("+", _) => "+",
            ("own", "pk2") => "pk",
            ("own", "d2") => "d1",
            _ => level,
        }).collect();
        if let Some(cut) = cut {
            filter.truncate(cut);
            filter.push("#");
        }
        if matches(&filter, &topic) {
            prop_assert!(!may_subscribe(&key("d1"), &filter.join("/")));
        }
    }

    #[test]
    fn no_topic_that_is_allowed_is_another_devices(topic in topic_of_another()) {
        prop_assert!(!may_publish(&key("d1"), &topic));
        prop_assert!(!may_subscribe(&key("d1"), &topic));
    }

    #[test]
    fn grants_are_what_a_device_may_do(
        start in proptest::sample::select(vec![
            "", "sys/pk/d1", "sys/pk/user", "ext/rrpc/7/sys/pk/d1", "ext/rrpc/+/pk/d1/user", "pk/d1/user", "ota/device/x/pk",
            "broadcast/pk", "broadcast/sys", "shadow/get/pk/d1", "ext/rrpc", "sys/pk",
        ]),
        more in proptest::collection::vec(proptest::sample::select(vec!["sys", "pk", "d1", "user", "+", "x"]), 0..4),
        rest in proptest::bool::ANY,
    ) {
        let mut levels: Vec<_> = start.split('/').chain(more).filter(|level| !level.is_empty()).collect();
        if rest {
            levels.push("#");
        }
        let filter = format!("/{}", levels.join("/"));
        let levels: Vec<_> = filter.split('/').collect();
        let holds = |grant: &Grant| {
            let granted: Vec<_> = grant.filter.split('/').collect();
            // A filter as a topic: its own wildcards are nothing but words, except that `#` is more than one level.
            matches(&granted, &levels) && granted.iter().zip(&levels).all(|(own, level)| *own == "#" || *level != "#")
        };
        for device in [key("d1"), DeviceKey { product: "sys".parse().unwrap(), name: "pk".parse().unwrap() }] {
            let grants = grants(&device);
            prop_assert_eq!(grants.iter().any(holds), may_subscribe(&device, &filter));
            if !filter.contains(['+', '#']) {
                let held = grants.iter().any(|grant| grant.publish && holds(grant));
                prop_assert_eq!(held, may_publish(&device, &filter));
            }
        }
    }

    #[test]
    fn no_topic_is_too_odd(topic in "\\PC{0,60}") {
        let _read = (read(&topic, "{}"), read_raw(&topic, b"\xff"));
        let _may = (may_publish(&key("d1"), &topic), may_subscribe(&key("d1"), &topic));
    }
}

#[test]
fn the_page_for_those_who_write_access_rules_has_every_filter() {
    let page = include_str!("../../../../deploy/topics.md");
    for filter in REPLY_FILTERS {
        assert!(page.contains(&format!("`{filter}`")), "{filter}");
    }
}
