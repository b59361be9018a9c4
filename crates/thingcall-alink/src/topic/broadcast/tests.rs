//! Who hears what is told many.

use thingcall_core::{CallMode, Letter, LetterTo, SyncTopic};

use super::*;
use crate::envelope::tests::delivery;
use crate::request_topic;

fn key() -> DeviceKey {
    DeviceKey { product: "pk".parse().unwrap(), name: "d1".parse().unwrap() }
}

#[test]
fn devices_of_one_product_are_told_something_on_its_topics_alone() {
    for topic in ["/broadcast/pk/all", "/broadcast/pk/a/b"] {
        assert_eq!(broadcast_refusal(&key().product, topic), None, "{topic}");
    }
    for topic in [
        "",
        "/broadcast/pk",
        "/broadcast/pk/",
        "/broadcast/pk/a/",
        "/broadcast/pk//a",
        "/broadcast/pk/+",
        "/broadcast/pk/#",
        "/broadcast/other/all",
        "/broadcast/pkx/all",
        "/pk/d1/user/get",
        "broadcast/pk/all",
    ] {
        let why = broadcast_refusal(&key().product, topic).unwrap_or_else(|| panic!("{topic}"));
        assert!(why.contains("/broadcast/pk/NAME"), "{why}");
    }
    let long = format!("/broadcast/pk/{}", "x".repeat(128));
    assert!(broadcast_refusal(&key().product, &long).is_some_and(|why| why.contains("142 bytes")));
}

#[test]
fn filters_that_may_match_such_a_topic_are_known_and_no_others() {
    for filter in ["/broadcast/pk/all", "/broadcast/pk/+", "/broadcast/pk/#", "/broadcast/+/all", "/+/pk/#", "#", "/#"]
    {
        assert!(may_hear_broadcasts(&key(), filter), "{filter}");
    }
    for filter in
        ["/broadcast/other/all", "/broadcast/other/#", "/pk/d1/user/#", "/sys/#", "/broadcast/pk/a#", "/broadcast"]
    {
        assert!(!may_hear_broadcasts(&key(), filter), "{filter}");
    }
    assert!(!may_hear_broadcasts(&key(), &format!("/broadcast/pk/{}", "x".repeat(128))));
}

#[test]
fn topic_matches_its_filters() {
    let topic = "/broadcast/pk/a/b";
    for filter in [topic, "/broadcast/pk/#", "/broadcast/pk/a/+", "/broadcast/+/a/b", "#", "/broadcast/pk/a/b/#"] {
        assert!(matches(filter, topic), "{filter}");
    }
    for filter in
        ["/broadcast/pk/a", "/broadcast/pk/+", "/broadcast/pk/a/b/c", "/broadcast/pk/a/b/+", "broadcast/#", "+"]
    {
        assert!(!matches(filter, topic), "{filter}");
    }
}

#[test]
fn where_all_are_told_each_hears_it_on_a_topic_of_its_own() {
    let letter = Letter { to: LetterTo::Broadcast, payload: "x".into(), extras: None };
    let mut delivery = delivery("PubBroadcast", CallMode::Async);
    delivery.letter = Some(std::sync::Arc::new(letter));
    assert_eq!(request_topic(&delivery, SyncTopic::Ext), "/sys/pk/d1/broadcast/request/4294967295");
}
