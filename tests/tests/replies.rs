//! Replies: whose they are, whom they wake, and how those that wake nobody are counted.

use serde_json::json;
use thingcall_tests::{Credential, MqttDevice, PRODUCT, Site, eventually};

fn counted(site: &Site, result: &str) -> f64 {
    site.program.metrics().sum("thingcall_replies_total", &[&format!("result={result:?}"), r#"transport="embedded""#])
}

fn is_counted(site: &Site, result: &str, times: f64) {
    eventually(&format!("{times} replies are {result}"), || (counted(site, result) == times).then_some(()));
}

#[test]
fn reply_of_another_device_is_ignored_and_counted() {
    let site = Site::embedded(&[]);
    let (called, other) = (site.device("called"), site.device("other"));
    let connected = MqttDevice::connect(site.broker(), &Credential::of(&called, Some(1)));
    let intruder = MqttDevice::connect(site.broker(), &Credential::of(&other, Some(1)));
    let waiting = site.begin_invoke(&called, "testFb:testService", r#"{"param1":1}"#);
    let seen = connected.next();

    let foreign = format!("/ext/rrpc/{}/sys/{PRODUCT}/other/thing/service/testFb:testService", seen.id());
    intruder.publish(&foreign, &seen.answer(&json!({ "param1": 666 })));
    is_counted(&site, "wrong_device", 1.0);
    connected.publish(&seen.topic, &seen.answer(&json!({ "param1": 1 })));

    assert_eq!(waiting.answer().ok().result()["data"], json!({ "param1": 1 }));
}

#[test]
fn late_duplicate_unknown_and_malformed_replies_are_told_apart() {
    let site = Site::embedded(&[("ENGINE__REPLY_TIMEOUT", "1s")]);
    let device = site.device("replies");
    let connected = MqttDevice::connect(site.broker(), &Credential::of(&device, Some(1)));

    let waiting = site.begin_invoke(&device, "testFb:testService", r#"{"param1":1}"#);
    let seen = connected.next();
    connected.publish(&seen.topic, &seen.answer(&json!({ "param1": 1 })));
    waiting.answer().ok();
    connected.publish(&seen.topic, &seen.answer(&json!({ "param1": 1 })));
    is_counted(&site, "duplicate", 1.0);

    let waiting = site.begin_invoke(&device, "testFb:testService", r#"{"param1":2}"#);
    let seen = connected.next();
    assert_eq!(waiting.answer().failure().0, "iot.messagebroker.TIMEOUT");
    connected.publish(&seen.topic, &seen.answer(&json!({ "param1": 2 })));
    is_counted(&site, "late", 1.0);

    let reply_topic = format!("/sys/{PRODUCT}/replies/thing/service/Measure_reply");
    connected.publish(&reply_topic, &json!({ "id": "17", "code": 200, "data": {} }));
    is_counted(&site, "unknown", 1.0);

    connected.publish_bytes(&reply_topic, b"nonsense".to_vec());
    is_counted(&site, "malformed", 1.0);
    is_counted(&site, "matched", 1.0);
}

#[test]
fn mixed_up_topic_ids_do_not_mix_up_answers() {
    // The Node device SDK keeps one topic id per service: it answers both calls on the last one's topic.
    let site = Site::embedded(&[]);
    let device = site.device("mixed-up");
    let connected = MqttDevice::connect(site.broker(), &Credential::of(&device, None));
    let first = site.begin_invoke(&device, "testFb:testService", r#"{"param1":1}"#);
    let first_seen = connected.next();
    let second = site.begin_invoke(&device, "testFb:testService", r#"{"param1":2}"#);
    let second_seen = connected.next();
    let topic = second_seen.topic.replace("/rrpc/request/", "/rrpc/response/");

    connected.publish(&topic, &first_seen.answer(&json!({ "param1": 1 })));
    connected.publish(&topic, &second_seen.answer(&json!({ "param1": 2 })));

    assert_eq!(first.answer().ok().result()["data"], json!({ "param1": 1 }));
    assert_eq!(second.answer().ok().result()["data"], json!({ "param1": 2 }));
}

#[test]
fn topic_id_counts_where_the_body_has_none() {
    let site = crate::sites::embedded();
    let device = site.device("no-body-id");
    let connected = MqttDevice::connect(site.broker(), &Credential::of(&device, None));
    let waiting = site.begin_invoke(&device, "testFb:testService", r#"{"param1":1}"#);
    let seen = connected.next();
    let topic = seen.topic.replace("/rrpc/request/", "/rrpc/response/");

    connected.publish(&topic, &json!({ "code": 200, "data": { "param1": 1 } }));

    assert_eq!(waiting.answer().ok().result()["data"], json!({ "param1": 1 }));
}

#[test]
fn numeric_id_is_the_same_as_text() {
    let site = crate::sites::embedded();
    let device = site.device("numeric-id");
    let connected = MqttDevice::connect(site.broker(), &Credential::of(&device, None));
    let waiting = site.begin_invoke(&device, "testFb:testService", r#"{"param1":1}"#);
    let seen = connected.next();
    let id: u64 = seen.id().parse().expect("decimal digits");

    connected.publish(
        &format!("/sys/{PRODUCT}/numeric-id/thing/service/testFb:testService_reply"),
        &json!({ "id": id, "code": 200, "data": { "param1": 1 } }),
    );

    assert_eq!(waiting.answer().ok().result()["data"], json!({ "param1": 1 }));
}

#[test]
fn reply_that_does_not_fit_is_passed_on_or_rejected_as_the_product_says() {
    let site = Site::embedded(&[]);
    let (device, connected) = site.linkkit("unfitting");
    connected.answers(200, &json!({ "param1": "text" }));

    let warned = site.invoke(&device, "testFb:testService", r#"{"param1":1}"#).ok();
    assert_eq!(warned.result()["data"], json!({ "param1": "text" }));

    site.import(PRODUCT, &["--reply-check", "reject"]);
    let rejected = eventually("the running server sees the product's new setting", || {
        let answer = site.invoke(&device, "testFb:testService", r#"{"param1":1}"#);
        (!answer.succeeded()).then_some(answer)
    });
    let (code, text) = rejected.failure();
    assert_eq!(code, "iot.device.InvokeThingServiceFailed");
    assert!(text.contains("param1") && text.contains("may have executed"), "{text}");
}
