//! Records of calls: each call by an official SDK is found again, with its steps, by `thingcall calls`, by `explain` and at the
//! operator's listener.

use serde_json::{Value, json};
use thingcall_tests::{DeviceSecrets, Key, PRODUCT, Sdk, Site, Tail, eventually, invocation};

const SERVICE: &str = "testFb:testService";
const LATER: &str = "testFb:resetLater";
const ARGS: &str = r#"{"param1":1}"#;

fn site(keep: &str) -> Site {
    Site::embedded(&[("RECORDS__KEEP", keep), ("ENGINE__REPLY_TIMEOUT", "1s")])
}

/// What `thingcall calls` lists.
fn calls(site: &Site, arguments: &[&str]) -> Vec<Value> {
    let text = site.command(&[&["calls", "--json"], arguments].concat());
    text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

/// The same, once there are so many.
fn calls_when(site: &Site, count: usize, arguments: &[&str]) -> Vec<Value> {
    eventually("the calls are listed", || Some(calls(site, arguments)).filter(|calls| calls.len() == count))
}

fn named(device: &DeviceSecrets) -> String {
    format!("{PRODUCT}/{}", device.name)
}

#[test]
fn a_call_of_every_sdk_is_found_with_its_steps() {
    let site = site("all");
    let (device, connected) = site.linkkit("recorded");
    connected.answers(200, &json!({ "param1": 7 }));
    for sdk in [Sdk::Tea, Sdk::TeaV1, Sdk::Legacy] {
        let answer = site.ask_by(sdk, "InvokeThingService", &invocation(&device, SERVICE, ARGS)).ok();
        let (request, message) = (answer.text_at("RequestId").to_owned(), answer.message_id());
        let told = eventually("it is on record", || {
            calls(&site, &["--device", &named(&device)]).into_iter().find(|call| call["requestId"] == request)
        });
        for (member, value) in [
            ("messageId", &*message),
            ("device", &named(&device)),
            ("identifier", SERVICE),
            ("accessKeyId", &site.key.id),
            ("mode", "sync"),
            ("outcome", "ok"),
            ("executed", "yes"),
            ("stage", "answer"),
            ("transport", "embedded"),
        ] {
            assert_eq!(told[member], value, "{member}: {told}");
        }
        assert_eq!((told["args"].to_string(), &told["data"]), (ARGS.to_owned(), &json!({ "param1": 7 })), "{told}");
        assert!(told["instance"].as_str().is_some_and(|name| !name.is_empty()), "{told}");
        let steps = ["checked", "sent", "answered", "told"].map(|step| told["timesUs"][step].as_u64());
        assert!(steps.iter().all(Option::is_some) && steps.is_sorted(), "{told}");
        for id in [&request, &message] {
            let explained = site.command_json(&["explain", id]);
            assert_eq!(explained["timesUs"], told["timesUs"], "{explained}");
            let text = site.command(&["explain", id]);
            let line = |word: &str| text.lines().find(|line| line.contains(word)).unwrap_or_default().to_owned();
            for word in ["accepted", "checked", "sent", "answered by the device", "told"] {
                assert!(line(word).contains(" ms"), "{word}: {text}");
            }
            assert!(line("answered by the device").contains('%') && line("answered by").contains('#'), "{text}");
        }
    }
    assert_eq!(calls(&site, &["--key", &site.key.id, "--outcome", "ok", "--since", "1h"]).len(), 3);
    assert_eq!(calls(&site, &["--key", "nobody"]).len() + calls(&site, &["--outcome", "timeout"]).len(), 0);
    assert_eq!(calls(&site, &["--service", SERVICE, "--limit", "2"]).len(), 2);
    let table = site.command(&["calls"]);
    assert!(table.starts_with("AT ") && table.contains(SERVICE), "{table}");
}

#[test]
fn by_default_those_that_failed_are_kept_and_asynchronous_ones_are_in_the_journal() {
    let site = site("failed_and_async");
    let (device, connected) = site.linkkit("kept");
    connected.answers(200, &json!({}));
    site.invoke(&device, SERVICE, ARGS).ok();
    let message = site.invoke(&device, LATER, "{}").ok().message_id();
    connected.is_silent();
    let silent = site.invoke(&device, SERVICE, ARGS);
    let wrong = site.invoke(&device, SERVICE, r#"{"param1":"no number"}"#);
    let refused = site.ask("InvokeThingService", &json!({ "IotId": device.iot_id, "Args": "{}" }));
    let ids = [&silent, &wrong].map(|answer| {
        answer.failure();
        answer.text_at("RequestId").to_owned()
    });
    let all = calls_when(&site, 4, &[]);
    let of = |outcome: &str| all.iter().filter(|call| call["outcome"] == outcome).collect::<Vec<_>>();
    let [timeout] = of("timeout")[..] else { panic!("{all:?}") };
    assert_eq!((&timeout["requestId"], &timeout["executed"]), (&json!(ids[0]), &json!("maybe")), "{timeout}");
    assert_eq!((&timeout["code"], &timeout["stage"]), (&json!("iot.messagebroker.TIMEOUT"), &json!("device")));
    assert!(timeout["timesUs"]["told"].as_u64().is_some_and(|micros| micros >= 900_000), "{timeout}");
    assert!(all.iter().any(|call| call["requestId"] == ids[1] && call["stage"] == "check"), "{all:?}");
    let (code, _, _) = refused.raised();
    assert!(all.iter().any(|call| call["code"] == code && call["stage"] == "front"), "{code}: {all:?}");
    let found: Vec<_> = all.iter().filter(|call| call["messageId"] == message).collect();
    assert_eq!(found.len(), 1, "kept once: {all:?}");
    assert_eq!((&found[0]["mode"], &found[0]["accessKeyId"]), (&json!("async"), &json!(site.key.id)));
}

#[test]
fn nothing_is_kept_where_nothing_is_to_be() {
    let site = site("none");
    let (device, connected) = site.linkkit("unrecorded");
    connected.is_silent();
    site.invoke(&device, SERVICE, ARGS).failure();
    connected.answers(200, &json!({}));
    let accepted = site.invoke(&device, LATER, "{}").ok();
    // The journal's: whatever was kept before it would be there.
    let all = calls_when(&site, 1, &[]);
    assert_eq!(all[0]["messageId"], accepted.message_id());
    assert_eq!(site.program.metrics().sum("thingcall_store_call_records_written_total", &[]), 0.0);
}

#[test]
fn an_operator_pages_through_calls_and_is_told_what_may_be_asked() {
    let site = site("all");
    let (device, connected) = site.linkkit("paged");
    connected.answers(200, &json!({}));
    let ids: Vec<_> = (0..3).map(|_| site.invoke(&device, SERVICE, ARGS).ok().message_id()).collect();
    calls_when(&site, 3, &["--device", &named(&device)]);
    let page = |query: &str| {
        let (status, body) = site.program.operator(&format!("/calls?device={}&{query}", named(&device)));
        assert_eq!(status, 200, "{body}");
        serde_json::from_str::<Value>(&body).expect("JSON")
    };
    let (mut found, mut next) = (Vec::new(), String::new());
    loop {
        let page = page(&format!("limit=1{next}"));
        let calls = page["calls"].as_array().expect("a list").clone();
        found.extend(calls.iter().map(|call| call["messageId"].as_str().expect("an id").to_owned()));
        let Some(behind) = page["next"].as_str() else { break };
        next = format!("&before={behind}");
    }
    assert_eq!(found, ids.into_iter().rev().collect::<Vec<_>>());
    let request = calls(&site, &[])[0]["requestId"].as_str().expect("a RequestId").to_owned();
    for id in [&found[2], &request] {
        let one = page(&format!("id={id}"));
        let [call] = &one["calls"].as_array().expect("a list")[..] else { panic!("{one}") };
        assert_eq!((&call["messageId"], &call["requestId"]), (&json!(found[2]), &json!(request)), "{one}");
        assert!(call["timesUs"]["told"].is_u64(), "{one}");
    }
    for (query, right) in [
        ("limit=0", "1 to 500"),
        ("outcome=good", "device_error"),
        ("id=x", "MessageId"),
        ("what=1", "device, product, action, service"),
    ] {
        let (status, body) = site.program.operator(&format!("/calls?{query}"));
        assert!(status == 400 && body.contains(right), "{status} {body}");
    }
}

#[test]
fn who_follows_sees_calls_as_they_come() {
    let site = site("all");
    let (device, connected) = site.linkkit("followed");
    connected.answers(200, &json!({}));
    let before = site.invoke(&device, SERVICE, ARGS).ok().message_id();
    calls_when(&site, 1, &[]);
    let follows = Tail::of_calls(site.data(), &["--json"]);
    let line = || serde_json::from_str::<Value>(&follows.line()).expect("a line is JSON");
    assert_eq!(line()["messageId"], before);
    for _ in 0..2 {
        let id = site.invoke(&device, SERVICE, ARGS).ok().message_id();
        assert_eq!(line()["messageId"], id);
    }
    assert_eq!(follows.ends(), Some(0));
}

#[test]
fn who_follows_sees_the_newest_then_what_is_new_and_how_it_ends() {
    let site = site("all");
    let (device, connected) = site.linkkit("newest");
    connected.answers(200, &json!({}));
    // Of both kinds in turns: each has its own order where it is kept.
    let services = [(SERVICE, ARGS), (LATER, "{}")].into_iter().cycle().take(6);
    let ids: Vec<_> = services.map(|(service, args)| site.invoke(&device, service, args).ok().message_id()).collect();
    calls_when(&site, 6, &["--outcome", "ok"]);
    let follows = Tail::of_calls(site.data(), &["--json", "--limit", "3"]);
    let ok_alone = Tail::of_calls(site.data(), &["--json", "--limit", "1", "--outcome", "ok"]);
    let line = |of: &Tail| serde_json::from_str::<Value>(&of.line()).expect("a line is JSON");
    assert_eq!([&follows; 3].map(|of| line(of)["messageId"].clone()), [3, 4, 5].map(|at| json!(ids[at])));
    assert_eq!(line(&ok_alone)["messageId"], ids[5]);

    connected.is_silent();
    let id = site.invoke(&device, LATER, "{}").ok().message_id();
    let came = line(&follows);
    assert_eq!((&came["messageId"], &came["outcome"]), (&json!(id), &Value::Null), "{came}");
    let called = eventually("the device got it", || Some(connected.called()).filter(|called| called["id"] == id));
    connected.answers_this(&called, &json!({}));
    for follower in [&follows, &ok_alone] {
        let ended = line(follower);
        assert_eq!((&ended["messageId"], &ended["outcome"]), (&json!(id), &json!("ok")), "{ended}");
    }
    connected.answers(200, &json!({}));
    let next = site.invoke(&device, SERVICE, ARGS).ok().message_id();
    for follower in [&follows, &ok_alone] {
        assert_eq!(line(follower)["messageId"], next, "each is shown once");
    }
}

#[test]
fn whoever_reaches_the_port_pushes_out_nothing() {
    let site = Site::embedded(&[("RECORDS__REFUSED_PER_MINUTE_MAX", "2")]);
    let stranger = Key { id: "stranger".to_owned(), secret: "x".to_owned(), token: None };
    for _ in 0..6 {
        site.begin_as(&stranger, Sdk::Tea, "InvokeThingService", &json!({})).answer().raised();
    }
    let kept =
        eventually("two are listed", || Some(calls(&site, &["--key", "stranger"])).filter(|calls| calls.len() >= 2));
    // A minute may begin in between.
    assert!(kept.len() <= 4, "{kept:?}");
    assert!(kept.iter().all(|call| call["code"] == "InvalidAccessKeyId.NotFound"), "{kept:?}");
    let left_out = site.program.metrics().sum("thingcall_store_call_records_left_out_total", &[r#"reason="refused""#]);
    assert!(left_out >= 2.0, "{left_out}");
}

#[test]
fn records_outlive_a_kill_but_for_the_last_moment() {
    let mut site = site("all");
    let (device, connected) = site.linkkit("outlives");
    connected.answers(200, &json!({}));
    let id = site.invoke(&device, SERVICE, ARGS).ok().message_id();
    calls_when(&site, 1, &[]);
    site.program.kill();
    site.start_again();
    assert_eq!(calls(&site, &[])[0]["messageId"], id);
    let stopped = site.invoke(&device, "Unknown", "{}");
    stopped.failure();
    site.program.terminate();
    site.program.ended();
    assert_eq!(calls(&site, &[]).len(), 2, "what waits when it stops is written");
}
