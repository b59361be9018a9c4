//! A device is confined to its own topics.

use serde_json::json;
use thingcall_tests::{Credential, MqttDevice, PRODUCT, Site};

#[test]
fn device_gets_nothing_that_is_not_its_own_whatever_it_subscribes_to() {
    let site = crate::sites::embedded();
    let (spy, victim) = (site.device("spy"), site.device("victim"));
    let watching = MqttDevice::connect(site.broker(), &Credential::of(&spy, Some(1)));
    let watched = MqttDevice::connect(site.broker(), &Credential::of(&victim, Some(1)));

    for filter in
        [format!("/sys/{PRODUCT}/victim/thing/service/+"), format!("/ext/rrpc/+/sys/{PRODUCT}/victim/thing/service/+")]
    {
        assert!(!watching.subscribe(&filter), "{filter} is refused");
    }
    // SDKs send wide ones, and give up where they are refused.
    for filter in [format!("/sys/{PRODUCT}/+/thing/service/+"), "/sys/#".to_owned(), "#".to_owned()] {
        assert!(watching.subscribe(&filter), "{filter} is granted");
    }

    let id = site.invoke(&victim, "SetScene", r#"{"scene":1}"#).ok().message_id();
    assert_eq!(watched.next().id(), id);
    let own = site.invoke(&spy, "SetScene", r#"{"scene":1}"#).ok().message_id();
    assert_eq!(watching.next().id(), own, "the first thing that the spy sees");
}

#[test]
fn reply_on_another_devices_topic_does_not_count() {
    let site = Site::embedded(&[]);
    let (forger, victim) = (site.device("forger"), site.device("victim"));
    let forging = MqttDevice::connect(site.broker(), &Credential::of(&forger, Some(1)));
    let connected = MqttDevice::connect(site.broker(), &Credential::of(&victim, Some(1)));
    let waiting = site.begin_invoke(&victim, "testFb:testService", r#"{"param1":1}"#);
    let seen = connected.next();

    forging.publish(&seen.topic, &seen.answer(&json!({ "param1": 666 })));
    // The broker is through with it when it answers what comes next on the same connection.
    assert!(forging.subscribe(&format!("/sys/{PRODUCT}/forger/thing/service/+")));
    connected.publish(&seen.topic, &seen.answer(&json!({ "param1": 1 })));

    assert_eq!(waiting.answer().ok().result()["data"], json!({ "param1": 1 }));
    let metrics = site.program.metrics();
    assert_eq!(metrics.sum("thingcall_replies_total", &[r#"result="matched""#]), 1.0);
    assert_eq!(metrics.sum("thingcall_replies_total", &[]), 1.0, "the forged one got no further than the broker");
}
