//! What real device SDKs do that surprises.

use serde_json::json;
use thingcall_tests::{Credential, MqttDevice, PRODUCT, Site, eventually};

use crate::sites::embedded;

#[test]
fn device_that_never_subscribes_gets_its_call_once() {
    let site = embedded();
    let device = site.device("never-subscribes");
    let connected = MqttDevice::connect(site.broker(), &Credential::of(&device, Some(1)));

    calls_come_once(site, &device, &connected, &format!("/sys/{PRODUCT}/never-subscribes"));
}

#[test]
fn device_that_subscribes_gets_its_call_once_too() {
    let site = embedded();
    let device = site.device("subscribes");
    let connected = MqttDevice::connect(site.broker(), &Credential::of(&device, Some(1)));
    let own = format!("/sys/{PRODUCT}/subscribes");
    for filter in [format!("{own}/thing/service/+"), format!("{own}/#"), format!("/ext/rrpc/+{own}/thing/service/+")] {
        assert!(connected.subscribe(&filter), "{filter} is granted");
    }

    calls_come_once(site, &device, &connected, &own);
}

/// Two synchronous calls, each answered on its own topic, and an asynchronous one: the device sees these three messages
/// and none twice, nor its own answers.
fn calls_come_once(site: &Site, device: &thingcall_tests::DeviceSecrets, connected: &MqttDevice, own: &str) {
    for number in 1..=2 {
        let waiting = site.begin_invoke(device, "testFb:testService", &format!(r#"{{"param1":{number}}}"#));
        let seen = connected.next();
        assert_eq!(seen.body["params"]["param1"], number, "neither twice nor an echo: {seen:?}");
        assert_eq!(seen.topic, format!("/ext/rrpc/{}{own}/thing/service/testFb:testService", seen.id()));
        connected.publish(&seen.topic, &seen.answer(&json!({ "param1": number })));
        waiting.answer().ok();
    }
    let id = site.invoke(device, "SetScene", r#"{"scene":1}"#).ok().message_id();
    let seen = connected.next();
    assert_eq!((seen.id(), &seen.topic), (id.as_str(), &format!("{own}/thing/service/SetScene")));
    connected.publish(&format!("{own}/thing/service/SetScene_reply"), &seen.answer(&json!({ "applied": 1 })));
    eventually("the record has ended", || (site.command_json(&["explain", &id])["state"] == "ended").then_some(()));
    assert!(!connected.has_message(), "nothing more came");
}

#[test]
fn device_without_ext_is_called_on_its_rrpc_topic() {
    let site = embedded();
    let device = site.device("without-ext");
    let connected = MqttDevice::connect(site.broker(), &Credential::of(&device, None));
    let waiting = site.begin_invoke(&device, "testFb:testService", r#"{"param1":1}"#);

    let seen = connected.next();

    assert_eq!(seen.topic, format!("/sys/{PRODUCT}/without-ext/rrpc/request/{}", seen.id()));
    assert_eq!(seen.body["method"], "thing.service.testFb:testService");
    let answer = seen.topic.replace("/request/", "/response/");
    connected.publish(&answer, &seen.answer(&json!({ "param1": 1 })));
    waiting.answer().ok();
}

#[test]
fn only_bit_0_of_ext_means_ext() {
    let site = embedded();
    for (name, ext, expected) in [("ext-2", 2, "/sys/"), ("ext-3", 3, "/ext/rrpc/")] {
        let device = site.device(name);
        let connected = MqttDevice::connect(site.broker(), &Credential::of(&device, Some(ext)));
        let waiting = site.begin_invoke(&device, "testFb:testService", r#"{"param1":1}"#);
        let seen = connected.next();
        assert!(seen.topic.starts_with(expected), "ext={ext}: {}", seen.topic);
        connected.publish(&seen.topic.replace("/request/", "/response/"), &seen.answer(&json!({ "param1": 1 })));
        waiting.answer().ok();
    }
}

#[test]
fn device_that_knows_no_rrpc_may_answer_as_if_asked_asynchronously() {
    let site = embedded();
    let device = site.device("no-rrpc");
    let connected = MqttDevice::connect(site.broker(), &Credential::of(&device, None));
    let waiting = site.begin_invoke(&device, "testFb:testService", r#"{"param1":1}"#);
    let seen = connected.next();

    let topic = format!("/sys/{PRODUCT}/no-rrpc/thing/service/testFb:testService_reply");
    connected.publish(&topic, &seen.answer(&json!({ "param1": 1 })));

    assert_eq!(waiting.answer().ok().result()["data"], json!({ "param1": 1 }));
}

#[test]
fn line_feeds_in_the_client_id_do_no_harm() {
    let site = embedded();
    let device = site.device("line-feeds");
    let options = "securemode=3,\n        signmethod=hmacsha256,\n        ext=1";
    let connected = MqttDevice::connect(site.broker(), &Credential::with_options(&device, "old-sdk", options));
    let waiting = site.begin_invoke(&device, "testFb:testService", r#"{"param1":1}"#);

    let seen = connected.next();

    assert!(seen.topic.starts_with("/ext/rrpc/"), "{}", seen.topic);
    connected.publish(&seen.topic, &seen.answer(&json!({ "param1": 1 })));
    waiting.answer().ok();
}

#[test]
fn device_of_another_sdk_takes_over_with_its_own_way_of_being_called() {
    let site = embedded();
    let device = site.device("two-sdks");
    let first = MqttDevice::connect(site.broker(), &Credential::of(&device, Some(1)));

    let second = MqttDevice::connect(
        site.broker(),
        &Credential::with_options(&device, "another-client", "securemode=3,signmethod=hmacsha256"),
    );

    first.gone();
    let waiting = site.begin_invoke(&device, "testFb:testService", r#"{"param1":1}"#);
    let seen = second.next();
    assert!(seen.topic.contains("/rrpc/request/"), "{}", seen.topic);
    second.publish(&seen.topic.replace("/request/", "/response/"), &seen.answer(&json!({ "param1": 1 })));
    waiting.answer().ok();
}

#[test]
fn wrong_device_secret_is_refused() {
    let site = embedded();
    let mut device = site.device("wrong-secret");
    device.secret.push('x');

    let refused = MqttDevice::try_connect(site.broker(), &Credential::of(&device, Some(1)));

    let why = refused.expect_err("no connection");
    assert!(why.contains("BadUserNamePassword") || why.contains("NotAuthorized"), "{why}");
}

#[test]
fn unknown_device_is_refused() {
    let site = embedded();
    let mut device = site.device("known");
    device.name = "unknown".to_owned();

    let refused = MqttDevice::try_connect(site.broker(), &Credential::of(&device, Some(1)));

    refused.expect_err("no connection");
}
