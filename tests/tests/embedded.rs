//! Calls from the official application SDK to the official device SDK, through the embedded broker.

use serde_json::json;
use thingcall_tests::{PRODUCT, Sdk, eventually, invocation};

use crate::sites::{embedded, impatient};

#[test]
fn sync_call_is_answered_by_the_device() {
    let site = embedded();
    let (device, connected) = site.linkkit("sync");
    connected.answers(200, &json!({ "mean": 1.5, "samples": [0.5, 2.5] }));

    let answer = site.invoke(&device, "Measure", r#"{"channel":3}"#).ok();

    let result = answer.result();
    assert_eq!(result["code"], 200);
    assert_eq!(result["data"], json!({ "mean": 1.5, "samples": [0.5, 2.5] }));
    let called = connected.called();
    assert_eq!(called["identifier"], "Measure");
    assert_eq!(called["params"], json!({ "channel": 3 }));
    assert_eq!(called["id"], json!(answer.message_id()), "the caller's MessageId is the id that the device sees");
    assert_eq!(result["id"], json!(answer.message_id()));
}

#[test]
fn module_service_is_called_under_its_full_name() {
    let site = embedded();
    let (device, connected) = site.linkkit("module");

    let answer = site.invoke(&device, "testFb:testService", r#"{"param1":42}"#).ok();

    assert_eq!(answer.result()["data"], json!({ "param1": 42 }));
    assert_eq!(connected.called()["identifier"], "testFb:testService");
}

#[test]
fn async_call_is_accepted_and_explained_later() {
    let site = embedded();
    let (device, connected) = site.linkkit("async");
    connected.answers(200, &json!({ "applied": 1 }));

    let accepted = site.invoke(&device, "SetScene", r#"{"scene":2,"fade":1.50,"label":"tea"}"#).ok();

    assert!(accepted.at("Data.Result").is_null(), "an asynchronous call has no Result: {accepted:?}");
    let id = accepted.message_id();
    assert_eq!(connected.called()["id"], json!(id));
    let record = eventually("the record has ended", || {
        let record = site.command_json(&["explain", &id]);
        (record["state"] == "ended").then_some(record)
    });
    assert_eq!(record["outcome"], "ok");
    assert_eq!(record["code"], 200);
    assert_eq!(record["data"], json!({ "applied": 1 }));
    assert_eq!(record["args"]["label"], "tea");
    assert_eq!(record["args"]["fade"].to_string(), "1.50", "as the caller wrote it");
    assert_eq!(record["identifier"], "SetScene");
    assert_eq!(record["deviceName"], "async");
}

#[test]
fn async_module_service_goes_the_same_way() {
    let site = embedded();
    let (device, connected) = site.linkkit("async-module");

    let id = site.invoke(&device, "testFb:resetLater", r#"{"delay":1.5}"#).ok().message_id();

    let called = connected.called();
    assert_eq!((&called["identifier"], &called["id"]), (&json!("testFb:resetLater"), &json!(id)));
}

#[test]
fn verification_free_product_is_called_asynchronously_and_unchecked() {
    let site = embedded();
    site.import("a1FreeXxxxx", &["--validation", "free"]);
    let device = eventually("the running server knows the product", || {
        let asked = json!({ "ProductKey": "a1FreeXxxxx", "DeviceName": "free" });
        site.ask("RegisterDevice", &asked).succeeded().then(|| site.device_of("a1FreeXxxxx", "free2"))
    });
    let connected = site.connect(&device, false);

    let accepted = site.invoke(&device, "Measure", r#"{"channel":99}"#).ok();

    assert!(accepted.at("Data.Result").is_null(), "{accepted:?}");
    assert_eq!(connected.called()["params"], json!({ "channel": 99 }));
}

#[test]
fn device_is_called_by_its_iot_id_which_wins() {
    let site = embedded();
    let (device, connected) = site.linkkit("by-iot-id");
    let params = json!({
        "IotId": device.iot_id, "ProductKey": PRODUCT, "DeviceName": "nobody",
        "Identifier": "testFb:testService", "Args": r#"{"param1":7}"#,
    });

    let answer = site.ask("InvokeThingService", &params).ok();

    assert_eq!(answer.result()["data"], json!({ "param1": 7 }));
    connected.called();
}

#[test]
fn silent_device_times_out_and_may_have_executed() {
    let site = impatient();
    let (device, connected) = site.linkkit("silent");
    connected.is_silent();

    let answer = site.invoke(&device, "Measure", "{}");

    let (code, text) = answer.failure();
    assert_eq!(code, "iot.messagebroker.TIMEOUT");
    assert!(text.contains("may have executed"), "{text}");
    connected.called();
}

#[test]
fn code_of_the_device_is_in_the_envelope() {
    let site = embedded();
    let (device, connected) = site.linkkit("refuses");
    connected.answers(100_001, &json!({}));

    let answer = site.invoke(&device, "testFb:testService", r#"{"param1":1}"#).ok();

    assert_eq!(answer.result()["code"], 100_001);
}

#[test]
fn overlapping_calls_get_their_own_answers() {
    let site = embedded();
    let (device, _connected) = site.linkkit("overlapping");
    let begun: Vec<_> = (0..20)
        .map(|number| site.begin_invoke(&device, "testFb:testService", &format!(r#"{{"param1":{number}}}"#)))
        .collect();

    for (number, waiting) in begun.into_iter().enumerate() {
        assert_eq!(waiting.answer().ok().result()["data"], json!({ "param1": number }));
    }
}

#[test]
fn another_connection_of_the_same_device_takes_over() {
    let site = embedded();
    let device = site.device("twice");
    let first = site.connect(&device, true);

    let second = site.connect(&device, false);

    first.event("disconnected");
    site.invoke(&device, "testFb:testService", r#"{"param1":1}"#).ok();
    second.called();
}

#[test]
fn device_that_goes_away_ends_its_call_at_once() {
    let site = embedded();
    let (device, connected) = site.linkkit("leaves");
    connected.is_silent();
    let waiting = site.begin(Sdk::Tea, "InvokeThingService", &invocation(&device, "Measure", "{}"));
    connected.called();

    connected.kill();

    let answer = waiting.answer();
    let (code, text) = answer.failure();
    assert_eq!(code, "iot.messagebroker.OFFLINE");
    assert!(text.contains("may have executed"), "{text}");
}

#[test]
fn arguments_reach_the_device_as_they_were_written() {
    use thingcall_tests::{Credential, MqttDevice};
    let site = embedded();
    let device = site.device("as-written");
    let connected = MqttDevice::connect(site.broker(), &Credential::of(&device, Some(1)));

    site.invoke(&device, "testFb:resetLater", r#"{"delay":10.0}"#).ok();

    let seen = connected.next();
    assert_eq!(seen.body["params"]["delay"].to_string(), "10.0");
    assert_eq!(seen.body["version"], "1.0");
    assert_eq!(seen.body["method"], "thing.service.testFb:resetLater");
    assert_eq!(seen.topic, format!("/sys/{PRODUCT}/as-written/thing/service/testFb:resetLater"));
}
