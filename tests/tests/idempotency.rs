//! Calls with a token are made once: at one instance, at two, and over a kill.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use thingcall_tests::{
    Answer, Credential, DeviceSecrets, HttpCall, MqttDevice, Postgres, Sdk, Site, eventually, invocation,
};

use crate::sites::embedded;

const SERVICE: &str = "testFb:testService";
const ARGS: &str = r#"{"param1":7}"#;
const CALLERS: usize = 200;

fn with_token(device: &DeviceSecrets, token: &str) -> Value {
    let mut params = invocation(device, SERVICE, ARGS);
    params["ClientToken"] = json!(token);
    params
}

fn connect(site: &Site, device: &DeviceSecrets) -> MqttDevice {
    let connected = MqttDevice::connect(site.broker(), &Credential::of(device, Some(1)));
    if site.mosquitto.is_some() {
        assert!(connected.subscribe(&format!("/ext/rrpc/+/sys/{}/{}/thing/service/+", device.product, device.name)));
    }
    connected
}

fn reply(device: &MqttDevice) {
    let seen = device.next();
    device.publish(&seen.topic, &seen.answer(&json!({ "param1": 7 })));
}

/// Each sends the same call at once, to one of these instances in turn; what they are answered, and the answers of each instance.
fn at_once(sites: &[&Site], params: &Value, device: &MqttDevice) -> BTreeSet<String> {
    let signing: Vec<_> = (0..CALLERS).map(|_| sites[0].begin(Sdk::SignOnly, "InvokeThingService", params)).collect();
    let paths: Vec<_> = signing.into_iter().map(|waiting| waiting.answer().text().to_owned()).collect();
    let sent = paths
        .iter()
        .enumerate()
        .map(|(i, path)| HttpCall::send(sites[i % sites.len()].program.addresses.api, "POST", path));
    let sent: Vec<_> = sent.collect();
    reply(device);
    let answers = sent.into_iter().map(|call| {
        let mut body: Value = serde_json::from_str(&call.answer().body).expect("JSON");
        assert_eq!(body["Success"], true, "{body}");
        body["RequestId"].take();
        body.to_string()
    });
    answers.collect()
}

fn counted(site: &Site, result: &str) -> f64 {
    site.program.metrics().sum("thingcall_idempotent_requests_total", &[&format!(r#"result="{result}""#)])
}

#[test]
fn two_hundred_callers_with_one_token_make_one_call() {
    let site = Site::embedded(&[]);
    let device = site.device("once");
    let connected = connect(&site, &device);
    let answers = at_once(&[&site], &with_token(&device, "two-hundred"), &connected);
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert!(!connected.has_message(), "one call at the device");
    assert_eq!(
        (counted(&site, "made"), counted(&site, "made") + counted(&site, "joined") + counted(&site, "kept")),
        (1.0, 200.0)
    );
    assert_eq!(site.program.metrics().sum("thingcall_idempotent_calls_pending", &[]), 0.0);
}

#[test]
fn every_sdk_gets_the_kept_answer_and_is_refused_another_call() {
    let site = embedded();
    let device = site.device("kept");
    let connected = connect(site, &device);
    for (sdk, token) in [(Sdk::Tea, "by-tea"), (Sdk::TeaV1, "by-older"), (Sdk::Legacy, "by-legacy")] {
        let first = site.begin(sdk, "InvokeThingService", &with_token(&device, token));
        reply(&connected);
        let first = first.answer().ok();
        let again = site.ask_by(sdk, "InvokeThingService", &with_token(&device, token)).ok();
        assert_eq!((again.message_id(), again.result()), (first.message_id(), first.result()));
        assert_ne!(again.text_at("RequestId"), first.text_at("RequestId"));
        let mut other = with_token(&device, token);
        other["Args"] = json!(r#"{"param1":8}"#);
        let refused = site.ask_by(sdk, "InvokeThingService", &other);
        assert_eq!(refused.raised().0, "IdempotentParameterMismatch", "{refused:?}");
    }
    assert!(!connected.has_message());
    // An asynchronous call, too, and one that sets properties.
    let mut set = json!({ "ProductKey": device.product, "DeviceName": device.name, "Items": r#"{"LightSwitch":1}"# });
    set["ClientToken"] = json!("sets");
    let ids: BTreeSet<_> = (0..3).map(|_| site.ask("SetDeviceProperty", &set).ok().message_id()).collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
}

#[test]
fn a_device_that_was_not_called_is_called_by_the_next_with_the_token() {
    let site = embedded();
    let device = site.device("released");
    let ask = || site.begin(Sdk::Tea, "InvokeThingService", &with_token(&device, "released"));
    assert_eq!(ask().answer().failure().0, "iot.messagebroker.OFFLINE");
    let connected = connect(site, &device);
    eventually("it is known to be connected", || {
        let named = json!({ "ProductKey": device.product, "DeviceName": device.name });
        (site.ask("GetDeviceStatus", &named).text_at("Data.Status") == "ONLINE").then_some(())
    });
    let called = ask();
    reply(&connected);
    called.answer().ok();
}

/// What was accepted for a device that was away kept its token, and its device was not called under it for an hour.
#[test]
fn a_call_that_was_accepted_and_found_no_device_is_made_anew() {
    let site = embedded();
    let device = site.device("away");
    let mut scene = invocation(&device, "SetScene", r#"{"scene":1}"#);
    scene["ClientToken"] = json!("away");
    let mut set = json!({ "ProductKey": device.product, "DeviceName": device.name, "Items": r#"{"LightSwitch":1}"# });
    set["ClientToken"] = json!("away-set");
    let ask = |action: &str, params: &Value| site.ask(action, params).ok().message_id();
    let first = [ask("InvokeThingService", &scene), ask("SetDeviceProperty", &set)];
    let connected = connect(site, &device);
    eventually("it is known to be connected", || {
        let named = json!({ "ProductKey": device.product, "DeviceName": device.name });
        (site.ask("GetDeviceStatus", &named).text_at("Data.Status") == "ONLINE").then_some(())
    });
    let again = [ask("InvokeThingService", &scene), ask("SetDeviceProperty", &set)];
    assert!(connected.next().topic.ends_with("SetScene") && connected.next().topic.ends_with("property/set"));
    assert!(first[0] != again[0] && first[1] != again[1], "{first:?} {again:?}");
    assert_eq!([ask("InvokeThingService", &scene), ask("SetDeviceProperty", &set)], again);
    assert!(!connected.has_message());
}

fn is_lost(answer: &Answer) {
    let (code, text) = answer.failure();
    assert!(code == "iot.system.SystemException" && text.contains("may have executed"), "{answer:?}");
}

#[test]
fn over_a_kill_the_device_is_not_called_again() {
    let mut site = Site::embedded(&[]);
    let device = site.device("killed");
    let connected = connect(&site, &device);
    let mut scene = invocation(&device, "SetScene", r#"{"scene":1}"#);
    scene["ClientToken"] = json!("asynchronous");
    let accepted = site.ask("InvokeThingService", &scene).ok().message_id();
    let seen = connected.next();
    connected.publish(&format!("{}_reply", seen.topic), &seen.answer(&json!({ "applied": 1 })));
    let done = site.begin(Sdk::Tea, "InvokeThingService", &with_token(&device, "done"));
    reply(&connected);
    let done = done.answer().ok();
    let unanswered = site.begin(Sdk::Tea, "InvokeThingService", &with_token(&device, "in-the-middle"));
    connected.next();

    site.program.kill();
    assert!(unanswered.answer().has_raised(), "its connection is gone");
    site.start_again();
    let connected = connect(&site, &device);
    for _ in 0..2 {
        is_lost(&site.ask("InvokeThingService", &with_token(&device, "in-the-middle")));
    }
    let again = site.ask("InvokeThingService", &with_token(&device, "done")).ok();
    assert_eq!((again.message_id(), again.result()), (done.message_id(), done.result()));
    assert_eq!(site.ask("InvokeThingService", &scene).ok().message_id(), accepted);
    assert!(!connected.has_message(), "nothing came again");
    let refused = site.ask("InvokeThingService", &with_token(&device, "in-the-middle"));
    let explained = site.command_json(&["explain", refused.text_at("RequestId")]);
    assert_eq!(explained["executed"], "maybe", "{explained}");
}

#[test]
fn over_two_instances_one_call_is_made_and_a_dead_ones_is_not_made_again() {
    let mut first = Site::sharing(&Postgres::shared().database(), &[("ENGINE__REPLY_TIMEOUT", "60s")]);
    let second = first.another(&[]);
    for site in [&first, &second] {
        site.is_ready();
    }
    let device = first.device("shared-once");
    let connected = connect(&first, &device);
    let answers = at_once(&[&first, &second], &with_token(&device, "shared"), &connected);
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(counted(&first, "made") + counted(&second, "made"), 1.0);
    let echo = connected.next();
    assert!(
        echo.topic.contains("testService") && !connected.has_message(),
        "its own answer, which it is subscribed to"
    );

    let begun = first.begin(Sdk::Tea, "InvokeThingService", &with_token(&device, "of-the-dead"));
    connected.next();
    let waits = second.send_once(&with_token(&device, "of-the-dead"));
    first.program.kill();
    assert!(begun.answer().has_raised());
    let told = waits.answer().body;
    assert!(told.contains("may have executed"), "told once the other's lease is over: {told}");
    assert!(!connected.has_message(), "one call, and one that was lost");
}
