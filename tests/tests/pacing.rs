//! Devices that get one call at a time, as their product says.

use serde_json::{Value, json};
use thingcall_tests::{Answer, Credential, DeviceSecrets, LinkkitDevice, MqttDevice, Site, Waiting, eventually};
use thingcall_tests::{Sdk, invocation};

const PRODUCT: &str = "a1PacedLamp";

/// A server whose product has this pacing, and a device of it.
fn site(pacing: &str, settings: &[(&str, &str)]) -> (Site, DeviceSecrets) {
    let site = Site::embedded(settings);
    site.import(PRODUCT, &["--pacing", pacing]);
    let device = site.device_of(PRODUCT, "weak");
    (site, device)
}

/// The device, which takes calls and answers when it is told to.
fn connected(site: &Site, device: &DeviceSecrets) -> LinkkitDevice {
    let linkkit = site.connect(device, false);
    linkkit.is_silent();
    linkkit
}

fn measures(site: &Site, device: &DeviceSecrets, channel: u8) -> Waiting {
    site.begin_invoke(device, "Measure", &json!({ "channel": channel }).to_string())
}

fn sets(site: &Site, device: &DeviceSecrets, scene: u8, qos: u8) -> Waiting {
    let mut params = invocation(device, "SetScene", &json!({ "scene": scene }).to_string());
    params["Qos"] = json!(qos);
    site.begin(Sdk::Tea, "InvokeThingService", &params)
}

fn queue_is(site: &Site, calls: f64) {
    let waiting = || site.program.metrics().sum("thingcall_paced_waiting_calls", &[]);
    eventually(&format!("{calls} calls wait for the device"), || (waiting() == calls).then_some(()));
}

/// The device's next call, which has to be this one.
fn is_called(linkkit: &LinkkitDevice, param: &str, value: u8) -> Value {
    let called = linkkit.called();
    assert_eq!(called["params"][param], value, "{called}");
    called
}

fn ended(site: &Site, id: &str, outcome: &str) {
    eventually("the call has ended", || (site.command_json(&["explain", id])["outcome"] == outcome).then_some(()));
}

#[test]
fn weak_device_gets_one_call_at_a_time_synchronous_or_not() {
    let patient = [("ENGINE__REPLY_TIMEOUT", "60s"), ("ENGINE__PACED_TURN_TIMEOUT", "60s"), ("RECORDS__KEEP", "all")];
    let (site, device) = site("after_answer", &patient);
    let linkkit = connected(&site, &device);

    let first = measures(&site, &device, 1);
    let one = is_called(&linkkit, "channel", 1);
    let second = sets(&site, &device, 2, 1);
    queue_is(&site, 1.0);
    let third = measures(&site, &device, 3);
    queue_is(&site, 2.0);

    linkkit.answers_this(&one, &json!({ "mean": 1.5 }));
    assert_eq!(first.answer().ok().result()["data"]["mean"], 1.5);
    let two = is_called(&linkkit, "scene", 2);
    let accepted = second.answer().ok().message_id();
    queue_is(&site, 1.0);
    assert_eq!(site.command_json(&["explain", &accepted])["outcome"], Value::Null);

    linkkit.answers_this(&two, &json!({ "applied": 1 }));
    let three = is_called(&linkkit, "channel", 3);
    linkkit.answers_this(&three, &json!({ "mean": 3.5 }));
    let third = third.answer().ok();
    assert_eq!(third.result()["data"]["mean"], 3.5);
    ended(&site, &accepted, "ok");
    eventually("it is on record", || site.command(&["calls", "--json"]).contains(&third.message_id()).then_some(()));
    for id in [accepted, third.message_id()] {
        let text = site.command(&["explain", &id]);
        let steps = ["checked", "had its turn", "sent"].map(|word| text.rfind(&format!("  {word} ")));
        assert!(steps.iter().all(Option::is_some) && steps.is_sorted(), "{text}");
    }

    let metrics = site.program.metrics();
    assert_eq!(metrics.sum("thingcall_paced_wait_seconds_count", &[r#"result="came""#]), 2.0);
    assert_eq!(site.command_json(&["product", "show", PRODUCT])["settings"]["pacing"], "after_answer");
}

#[test]
fn stuck_call_gives_way_and_a_full_queue_is_refused() {
    let settings = [
        ("ENGINE__REPLY_TIMEOUT", "5s"),
        ("ENGINE__PACED_TURN_TIMEOUT", "1s"),
        ("ENGINE__PACED_WAITING_CALLS_MAX", "1"),
    ];
    let (site, device) = site("after_answer", &settings);
    let linkkit = connected(&site, &device);
    let stuck = measures(&site, &device, 1);
    is_called(&linkkit, "channel", 1);
    let next = measures(&site, &device, 2);
    queue_is(&site, 1.0);
    refused(&measures(&site, &device, 3).answer());

    let called = is_called(&linkkit, "channel", 2);
    linkkit.answers_this(&called, &json!({ "mean": 2.5 }));
    assert_eq!(next.answer().ok().result()["data"]["mean"], 2.5);
    assert_eq!(stuck.answer().failure().0, "iot.messagebroker.TIMEOUT");
    let metrics = site.program.metrics();
    assert_eq!(metrics.sum("thingcall_paced_wait_seconds_count", &[r#"result="overtook""#]), 1.0);
    assert_eq!(metrics.sum("thingcall_paced_refused_calls_total", &[]), 1.0);
}

fn refused(answer: &Answer) {
    let (code, text) = answer.failure();
    assert_eq!(code, "iot.messagebroker.RateLimit");
    assert!(text.contains("1 calls wait for it already (paced_waiting_calls_max)"), "{text}");
}

#[test]
fn call_whose_time_is_over_in_the_queue_was_not_sent() {
    let settings = [("ENGINE__REPLY_TIMEOUT", "1s"), ("ENGINE__PACED_TURN_TIMEOUT", "60s")];
    let (site, device) = site("after_answer", &settings);
    let linkkit = connected(&site, &device);
    assert_eq!(measures(&site, &device, 1).answer().failure().0, "iot.messagebroker.TIMEOUT");
    let busy = is_called(&linkkit, "channel", 1);
    let waited = measures(&site, &device, 2).answer();
    let (code, text) = waited.failure();
    assert!(code == "iot.messagebroker.TIMEOUT" && text.contains("was not sent"), "{code}: {text}");
    // Its answer ends the turn of the one that nobody waits for any more.
    linkkit.answers_this(&busy, &json!({ "mean": 1.5 }));
    let third = measures(&site, &device, 3);
    let called = is_called(&linkkit, "channel", 3);
    linkkit.answers_this(&called, &json!({ "mean": 3.5 }));
    assert_eq!(third.answer().ok().result()["data"]["mean"], 3.5);
}

/// What waits for its turn, the one that came first as the first.
fn queued(site: &Site) -> Vec<Value> {
    let text = site.command(&["pending", "--json"]);
    let all = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line is JSON"));
    all.filter(|call| call["waitsFor"] == "turn").collect()
}

#[test]
fn who_waits_for_its_turn_is_listed_and_is_ended_without_a_word_to_the_device() {
    let patient = [
        ("ENGINE__REPLY_TIMEOUT", "60s"),
        ("ENGINE__PACED_TURN_TIMEOUT", "60s"),
        ("ENGINE__PACED_WAITING_CALLS_MAX", "2"),
    ];
    let (site, device) = site("after_answer", &patient);
    let linkkit = connected(&site, &device);
    let first = measures(&site, &device, 1);
    let one = is_called(&linkkit, "channel", 1);
    let second = measures(&site, &device, 2);
    queue_is(&site, 1.0);
    let third = sets(&site, &device, 2, 1);
    queue_is(&site, 2.0);
    let all = queued(&site);
    let told: Vec<_> = all.iter().map(|call| (&call["identifier"], &call["mode"])).collect();
    assert_eq!(told, [(&json!("Measure"), &json!("sync")), (&json!("SetScene"), &json!("async"))]);
    assert!(all.iter().all(|call| call["ageMs"].is_u64() && call["transport"].is_null()), "{all:?}");

    for (call, waiting, mode) in [(&all[0], second, "sync"), (&all[1], third, "async")] {
        let id = call["messageId"].as_str().expect("an id");
        let done = site.command_json(&["cancel", id]);
        assert_eq!((&done["cancelled"], &done["mode"]), (&json!(true), &json!(mode)), "{done}");
        let answer = waiting.answer();
        let (code, text) = answer.failure();
        assert_eq!(code, "iot.system.SystemException");
        assert!(text.contains("an operator ended the call") && text.contains("was not sent"), "{text}");
        let request = answer.text_at("RequestId").to_owned();
        let told = eventually("it is on record", || {
            let told = site.command_json(&["explain", &request]);
            told["timesUs"].is_object().then_some(told)
        });
        assert_eq!((&told["outcome"], &told["executed"]), (&json!("cancelled"), &json!("no")), "{told}");
    }
    // Their places are free.
    let fourth = measures(&site, &device, 4);
    queue_is(&site, 1.0);
    let fifth = measures(&site, &device, 5);
    queue_is(&site, 2.0);
    linkkit.answers_this(&one, &json!({ "mean": 1.5 }));
    assert_eq!(first.answer().ok().result()["data"]["mean"], 1.5);
    for (waiting, channel) in [(fourth, 4), (fifth, 5)] {
        let called = is_called(&linkkit, "channel", channel);
        linkkit.answers_this(&called, &json!({ "mean": 1.5 }));
        waiting.answer().ok();
    }
}

#[test]
fn next_command_leaves_when_the_device_has_acknowledged_the_one_before() {
    let (site, device) = site("after_ack", &[("ENGINE__PACED_TURN_TIMEOUT", "60s")]);
    let mqtt = MqttDevice::connect(site.broker(), &Credential::of(&device, Some(1)));
    let first = sets(&site, &device, 1, 1);
    let one = mqtt.next();
    first.answer().ok();
    let second = sets(&site, &device, 2, 1);
    queue_is(&site, 1.0);
    assert!(!mqtt.has_message());
    mqtt.acknowledge(&one);
    let two = mqtt.next();
    assert_eq!(two.body["params"]["scene"], 2, "{two:?}");
    second.answer().ok();
}
