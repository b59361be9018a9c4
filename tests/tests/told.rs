//! What goes wrong is told: in the caller's answer, in the log, by `explain` and by `device show`.

use serde_json::{Value, json};
use thingcall_tests::{Credential, HttpCall, MqttDevice, PRODUCT, Site, eventually};

fn site() -> Site {
    Site::embedded(&[("ENGINE__REPLY_TIMEOUT", "1s")])
}

fn explained(site: &Site, id: &str) -> Value {
    site.command_json(&["explain", id])
}

/// The line that the log has for a failed call.
fn line(site: &Site, request: &str) -> Value {
    line_of(site, "call failed", request)
}

fn line_of(site: &Site, message: &str, request: &str) -> Value {
    eventually("the request has its line", || {
        let log = site.program.log();
        let mut lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.find(|line| line["message"] == message && line["request"] == request)
    })
}

#[test]
fn an_answer_on_the_requests_topic_is_named_when_the_time_is_over() {
    let site = site();
    let device = site.device("answers-there");
    let connected = MqttDevice::connect(site.broker(), &Credential::of(&device, None));
    let waiting = site.begin_invoke(&device, "testFb:testService", r#"{"param1":1}"#);
    let seen = connected.next();
    connected.publish(&seen.topic, &json!({ "id": seen.id(), "code": 200, "data": { "param1": 1 } }));

    let answer = waiting.answer();
    let (code, text) = answer.failure();
    assert_eq!(code, "iot.messagebroker.TIMEOUT");
    assert!(text.contains(&seen.topic) && text.contains("rrpc/response/{id}"), "{text}");

    let request = answer.text_at("RequestId");
    for id in [request, seen.id()] {
        let told = explained(&site, id);
        assert_eq!((&told["requestId"], &told["messageId"]), (&json!(request), &json!(seen.id())), "{told}");
        assert_eq!((&told["outcome"], &told["executed"]), (&json!("timeout"), &json!("maybe")), "{told}");
        assert_eq!(told["lastDropped"]["reason"], "request_topic", "{told}");
    }
    let line = line(&site, request);
    assert_eq!(line["device"], format!("{PRODUCT}/answers-there"), "{line}");
    for (member, value) in [
        ("id", seen.id()),
        ("service", "testFb:testService"),
        ("outcome", "timeout"),
        ("code", code),
        ("transport", "embedded"),
    ] {
        assert_eq!(line[member], value, "{line}");
    }
    // The time to answer begins with the request: what its signature took to check is not the engine's.
    assert!(line["elapsed_ms"].as_u64().is_some_and(|ms| ms > 0), "{line}");

    let name = format!("{PRODUCT}/answers-there");
    let shown = site.command_json(&["device", "show", &name]);
    assert_eq!(shown["lastDropped"]["topic"], seen.topic, "{shown}");
    let dropped = site.program.metrics().sum("thingcall_dropped_messages_total", &[r#"reason="request_topic""#]);
    assert_eq!(dropped, 1.0);
    assert_eq!(site.program.log().matches("a device's message was dropped").count(), 1);
}

#[test]
fn an_answer_without_a_code_fails_its_call_at_once() {
    let site = Site::embedded(&[]);
    for ext in [None, Some(1)] {
        let device = site.device(&format!("params-{}", ext.unwrap_or(0)));
        let connected = MqttDevice::connect(site.broker(), &Credential::of(&device, ext));
        let waiting = site.begin_invoke(&device, "testFb:testService", r#"{"param1":1}"#);
        let seen = connected.next();
        let method = "thing.service.testFb:testService";
        let body = json!({ "id": seen.id(), "method": method, "version": "1.0.0", "params": { "result": "1" } });
        connected.publish(&seen.topic.replace("/rrpc/request/", "/rrpc/response/"), &body);

        let answer = waiting.answer();
        let (code, text) = answer.failure();
        assert_eq!(code, "iot.device.InvokeThingServiceFailed");
        assert!(text.contains(r#""code" is missing, the output is in "params""#), "{text}");
    }
}

#[test]
fn a_refused_request_is_found_by_its_request_id() {
    let site = site();
    let device = site.device("refused");
    let answer = site.invoke(&device, "testFb:unknownService", r#"{"param1":1}"#);
    let request = answer.text_at("RequestId");
    let told = explained(&site, request);
    assert_eq!((&told["outcome"], &told["stage"]), (&json!("unknown_target"), &json!("check")), "{told}");
    assert_eq!(line(&site, request)["code"], answer.failure().0);
}

#[test]
fn calls_that_succeed_have_lines_where_the_configuration_asks_for_them() {
    for (asked, lines) in [("true", 1), ("false", 0)] {
        let site = Site::embedded(&[("ENGINE__LOG_SUCCESSES", asked)]);
        let (device, _connected) = site.linkkit("succeeds");
        let request = site.invoke(&device, "testFb:testService", r#"{"param1":1}"#).ok();
        // Its line comes after any of the call before it.
        let failed = site.invoke(&device, "testFb:unknownService", "{}");
        line(&site, failed.text_at("RequestId"));
        assert_eq!(site.program.log().matches("call succeeded").count(), lines, "{asked}");
        if lines > 0 {
            let told = line_of(&site, "call succeeded", request.text_at("RequestId"));
            assert_eq!((&told["outcome"], &told["transport"]), (&json!("ok"), &json!("embedded")), "{told}");
        }
    }
}

#[test]
fn refused_requests_push_out_no_line_of_a_signed_call() {
    const LINES_MAX: usize = 20;
    let site = Site::embedded(&[("LOG__KIND_LINES_PER_SECOND_MAX", "20")]);
    let device = site.device("beside-a-flood");
    let flood = || {
        for _ in 0..3 * LINES_MAX {
            HttpCall::send(site.program.addresses.api, "GET", "/?Action=InvokeThingService").answer();
        }
    };
    for _ in 0..3 {
        flood();
        let failed = site.invoke(&device, "testFb:unknownService", r#"{"param1":1}"#);
        line(&site, failed.text_at("RequestId"));
        let refused = site.ask("InvokeThingService", &json!({ "IotId": "#", "Identifier": "a", "Args": "{}" }));
        line_of(&site, "request refused", refused.text_at("RequestId"));
    }
    eventually("the flood was cut", || site.program.log().contains("lines of one kind were left out").then_some(()));
}

#[test]
fn what_is_no_request_is_found_by_its_request_id() {
    let site = site();
    let api = site.program.addresses.api;
    let long = format!("/?{}", "a".repeat(70_000));
    let headers = format!("/ HTTP/1.1\r\n{}A:", "a: bcdef\r\n".repeat(300));
    for (method, path, status) in
        [("GET", &*long, 414), ("GET", &*headers, 431), ("G(T", "/", 400), ("PUT", "/?Format=JSON", 405)]
    {
        let answer = HttpCall::send(api, method, path).answer();
        assert_eq!(answer.status, status, "{answer:?}");
        let body: Value = serde_json::from_str(&answer.body).expect("JSON");
        let request = body["RequestId"].as_str().expect("text");
        let told = explained(&site, request);
        assert_eq!((&told["code"], &told["stage"]), (&body["Code"], &json!("front")), "{told}");
        assert_eq!(line_of(&site, "request refused", request)["code"], body["Code"]);
    }
}

#[test]
fn an_asynchronous_call_that_its_device_refuses_has_a_line_of_its_own() {
    let site = site();
    let device = site.device("refuses-later");
    let connected = MqttDevice::connect(site.broker(), &Credential::of(&device, None));
    let answer = site.invoke(&device, "SetScene", r#"{"scene":1}"#).ok();
    let seen = connected.next();
    connected.publish(&format!("{}_reply", seen.topic), &json!({ "id": seen.id(), "code": 460, "data": {} }));
    let line = line(&site, answer.text_at("RequestId"));
    assert_eq!(line["outcome"], "device_error", "{line}");
    assert_eq!(line["code"], Value::Null, "its caller got none: {line}");
    assert!(line["why"].as_str().is_some_and(|why| why.contains("460")), "{line}");
}

#[test]
fn an_asynchronous_call_is_found_by_its_request_id_too() {
    let site = site();
    let device = site.device("asynchronous");
    let _connected = MqttDevice::connect(site.broker(), &Credential::of(&device, None));
    let answer = site.invoke(&device, "SetScene", r#"{"scene":1}"#).ok();
    let told = explained(&site, answer.text_at("RequestId"));
    assert_eq!(told["messageId"], answer.message_id(), "{told}");
}
