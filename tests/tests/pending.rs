//! Calls that have not ended: `thingcall pending` lists them, `thingcall cancel` ends one, and its caller is told the truth.

use serde_json::{Value, json};
use thingcall_tests::{PRODUCT, Sdk, Site, eventually, invocation, run};

use crate::sites::embedded;

const SERVICE: &str = "testFb:testService";
const LATER: &str = "testFb:resetLater";
const ARGS: &str = r#"{"param1":1}"#;

/// The calls to a device that have not ended.
fn pending(site: &Site, device: &str) -> Vec<Value> {
    let text = site.command(&["pending", "--oldest", "1000", "--json"]);
    let all = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line is JSON"));
    all.filter(|call| call["device"] == format!("{PRODUCT}/{device}")).collect()
}

/// What `thingcall explain` says, without its line ends.
fn told_whole(site: &Site, id: &str) -> String {
    site.command(&["explain", id]).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn the_one(site: &Site, device: &str) -> Value {
    eventually("the call is pending", || pending(site, device).into_iter().next())
}

#[test]
fn a_caller_of_every_sdk_is_told_that_its_call_was_ended() {
    let site = embedded();
    let (device, connected) = site.linkkit("cancelled");
    connected.is_silent();
    for sdk in [Sdk::Tea, Sdk::TeaV1, Sdk::Legacy] {
        let waiting = site.begin(sdk, "InvokeThingService", &invocation(&device, SERVICE, ARGS));
        let call = the_one(site, "cancelled");
        assert_eq!((&call["mode"], &call["waitsFor"]), (&json!("sync"), &json!("device")), "{call}");
        assert_eq!((&call["identifier"], &call["transport"]), (&json!(SERVICE), &json!("embedded")), "{call}");
        let id = call["messageId"].as_str().expect("an id");
        let done = site.command_json(&["cancel", id]);
        assert_eq!((&done["cancelled"], &done["mode"]), (&json!(true), &json!("sync")), "{done}");
        let answer = waiting.answer();
        let (code, text) = answer.failure();
        assert_eq!(code, "iot.system.SystemException");
        assert!(text.contains("an operator ended the call") && text.contains("may have executed it"), "{text}");
        assert!(pending(site, "cancelled").is_empty());
        let told = eventually("it is on record", || {
            let found = site.command_json(&["explain", answer.text_at("RequestId")]);
            Some(found).filter(|told| told["timesUs"].is_object())
        });
        assert_eq!((&told["outcome"], &told["executed"]), (&json!("cancelled"), &json!("maybe")), "{told}");
        let again = run(["cancel", id, "--data", site.data().to_str().expect("a plain name")]);
        assert!(again.code == Some(1) && again.stderr.contains("thingcall pending"), "{again:?}");
    }
    connected.answers(200, &json!({}));
    site.invoke(&device, SERVICE, ARGS).ok();
}

#[test]
fn an_asynchronous_command_that_was_not_sent_is_withdrawn() {
    let site = embedded();
    let device = site.device("withdrawn");
    let params = json!({
        "IotId": device.iot_id, "Identifier": LATER, "Args": "{}", "Qos": 1,
    });
    let kept = site.ask("InvokeThingService", &params).ok().message_id();
    let other = site.ask("InvokeThingService", &params).ok().message_id();
    let call = the_one(site, "withdrawn");
    assert_eq!((&call["messageId"], &call["mode"]), (&json!(kept), &json!("async")), "{call}");
    assert_eq!((&call["waitsFor"], &call["accessKeyId"]), (&json!("queued"), &json!(site.key.id)), "{call}");
    let done = site.command_json(&["cancel", &kept]);
    assert_eq!((&done["cancelled"], &done["outcome"]), (&json!(true), &json!("cancelled")), "{done}");
    assert!(done["text"].as_str().is_some_and(|text| text.contains("before it was sent")), "{done}");

    let connected = site.connect(&device, false);
    let called = connected.called();
    assert!(called.to_string().contains(&other) || !called.to_string().contains(&kept), "{called}");
    eventually("only the other one was sent", || pending(site, "withdrawn").is_empty().then_some(()));
    let told = site.command_json(&["explain", &kept]);
    assert_eq!((&told["outcome"], &told["sentAt"]), (&json!("cancelled"), &Value::Null), "{told}");
    let sent = site.command_json(&["explain", &other]);
    assert_eq!(sent["outcome"], "ok", "{sent}");
}

#[test]
fn an_answer_to_an_asynchronous_call_that_was_ended_is_kept_beside_its_end() {
    let site = embedded();
    let (device, connected) = site.linkkit("late-answer");
    connected.is_silent();
    let id = site.invoke(&device, LATER, "{}").ok().message_id();
    let called = connected.called();
    let done = site.command_json(&["cancel", &id]);
    assert_eq!(done["outcome"], "cancelled", "{done}");
    assert!(done["text"].as_str().is_some_and(|text| text.contains("may have executed")), "{done}");
    connected.answers_this(&called, &json!({ "done": 1 }));
    let late = eventually("the answer is beside the end", || {
        let told = site.command_json(&["explain", &id]);
        told["code"].is_number().then_some(told)
    });
    assert_eq!((&late["outcome"], &late["data"]), (&json!("cancelled"), &json!({ "done": 1 })), "{late}");
    let words = told_whole(site, &id);
    assert!(words.contains("the device answered later with code 200"), "{words}");
    let (status, body) = site.program.operator("/pending?oldest=0");
    assert!(status == 400 && body.contains("oldest=N"), "{status} {body}");
}

#[test]
fn what_a_device_answers_to_a_call_that_was_ended_is_on_record() {
    let site = embedded();
    let (device, connected) = site.linkkit("answers-later");
    connected.is_silent();
    let waiting = site.begin_invoke(&device, SERVICE, ARGS);
    let called = connected.called();
    let id = the_one(site, "answers-later")["messageId"].as_str().expect("an id").to_owned();
    site.command_json(&["cancel", &id]);
    waiting.answer().failure();
    connected.answers_this(&called, &json!({ "param1": 9 }));
    let told = eventually("the answer is on record", || {
        let told = site.command_json(&["explain", &id]);
        told["lateAnswer"].is_object().then_some(told)
    });
    let late = &told["lateAnswer"];
    assert_eq!((&late["code"], &late["data"]), (&json!(200), &json!({ "param1": 9 })), "{told}");
    assert!(late["at"].is_string() && late["afterEndMs"].is_u64(), "{told}");
    assert_eq!(
        (&told["outcome"], &told["executed"]),
        (&json!("cancelled"), &json!("maybe")),
        "what its caller was told"
    );
    let words = told_whole(site, &id);
    assert!(words.contains("after the call had ended the device answered (200)"), "{words}");
    let name = format!("{PRODUCT}/answers-later");
    let listed = site.command(&["calls", "--device", &name]);
    assert!(listed.contains("cancelled, answered late"), "{listed}");
}

#[test]
fn no_web_page_can_end_a_call() {
    let site = embedded();
    let answer = thingcall_tests::HttpCall::send(site.program.addresses.metrics, "POST", "/calls/1/cancel").answer();
    assert_eq!(answer.status, 403, "{answer:?}");
}
