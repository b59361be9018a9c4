//! Questions in bytes whose answers nobody waits for, by every official Python SDK; and what else becomes of messages
//! of applications' own: ended by hand, asked again, not allowed, kept as records and not as services.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use thingcall_tests::{DeviceSecrets, EventReader, Key, LinkkitDevice, PRODUCT, Sdk, Site, eventually};

use crate::sites::{embedded, external, rabbitmq};

const SDKS: [Sdk; 3] = [Sdk::Tea, Sdk::TeaV1, Sdk::Legacy];
/// `hello` and the same backwards.
const HELLO: (&str, &str) = ("aGVsbG8=", "b2xsZWg=");

/// The parameters that name a device, and these.
fn named(device: &DeviceSecrets, more: &Value) -> Value {
    let mut params = json!({ "ProductKey": device.product, "DeviceName": device.name });
    for (name, value) in more.as_object().expect("an object") {
        params[name] = value.clone();
    }
    params
}

fn topic(device: &DeviceSecrets, rest: &str) -> String {
    format!("/{}/{}/user/{rest}", device.product, device.name)
}

/// Has each SDK ask on both topics; what the device answers is told by them, with the number of the question in its topic.
fn answers_are_told(site: &Site, word: &str) {
    let (device, _connected) = site.linkkit(&format!("asked-{word}"));
    let messages = EventReader::start(site, &json!({ "kinds": "custom", "products": PRODUCT }));
    for sdk in SDKS {
        for on in [None, Some(topic(&device, "ask"))] {
            let mut params = named(&device, &json!({ "MessageContent": HELLO.0 }));
            if let Some(topic) = &on {
                params["TopicFullName"] = json!(topic);
            }
            let asked = site.ask_by(sdk, "AsyncRRpc", &params).ok();
            let number = asked.at("MessageId").as_u64().unwrap_or_else(|| panic!("{asked:?}"));
            let expected = match &on {
                None => format!("/sys/{PRODUCT}/{}/rrpc/response/{number}", device.name),
                Some(topic) => format!("/ext/rrpc/{number}{topic}"),
            };
            let told = loop {
                let told = messages.told();
                if told.data["deviceName"] == device.name {
                    break told;
                }
            };
            assert_eq!(
                (&told.data["topic"], &told.data["dataBase64"]),
                (&json!(expected), &json!(HELLO.1)),
                "{told:?}"
            );
        }
    }
}

#[test]
fn answers_to_questions_that_nobody_waits_for_are_told_at_the_embedded_broker() {
    answers_are_told(embedded(), "embedded");
}

#[test]
fn answers_to_questions_that_nobody_waits_for_are_told_behind_mosquitto() {
    answers_are_told(external(), "mosquitto");
}

#[test]
fn answers_to_questions_that_nobody_waits_for_are_told_behind_rabbitmq_s_mqtt_plugin() {
    answers_are_told(rabbitmq(), "rabbitmq");
}

#[test]
fn question_to_a_device_that_is_away_is_refused() {
    let site = embedded();
    let device = site.device("asked-away");
    for sdk in SDKS {
        let answer = site.ask_by(sdk, "AsyncRRpc", &named(&device, &json!({ "MessageContent": HELLO.0 })));
        assert_eq!(answer.failure().0, "iot.messagebroker.OFFLINE", "{answer:?}");
    }
}

/// A question whose answer is waited for.
fn question(device: &DeviceSecrets) -> Value {
    named(device, &json!({ "RequestBase64Byte": HELLO.0, "Timeout": 8000 }))
}

fn silent(site: &Site, name: &str) -> (DeviceSecrets, LinkkitDevice) {
    let (device, connected) = site.linkkit(name);
    connected.is_silent();
    (device, connected)
}

#[test]
fn question_that_an_operator_ends_is_told_as_unknown() {
    let site = embedded();
    let (device, _connected) = silent(site, "rrpc-cancelled");
    for sdk in SDKS {
        let waiting = site.begin(sdk, "RRpc", &question(&device));
        let call = eventually("it waits", || {
            let all = site.command(&["pending", "--oldest", "1000", "--json"]);
            let mut all = all.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line is JSON"));
            all.find(|call| call["device"] == format!("{PRODUCT}/{}", device.name))
        });
        assert_eq!(call["identifier"], "RRpc", "{call}");
        site.command(&["cancel", call["messageId"].as_str().expect("an id")]);
        let answer = waiting.answer().ok();
        assert_eq!(answer.text_at("RrpcCode"), "UNKNOWN", "{answer:?}");
        let told = eventually("it is on record", || {
            let found = site.command_json(&["explain", answer.text_at("RequestId")]);
            Some(found).filter(|told| told["timesUs"].is_object())
        });
        assert_eq!((&told["outcome"], &told["executed"]), (&json!("cancelled"), &json!("maybe")), "{told}");
    }
}

#[test]
fn question_to_a_device_that_was_away_may_be_asked_again_with_its_token() {
    let site = embedded();
    let device = site.device("rrpc-again");
    let tokens = ["rrpc-again-1", "rrpc-again-2"];
    let asked = |token: &str| {
        let mut params = question(&device);
        params["ClientToken"] = json!(token);
        site.ask("RRpc", &params).ok()
    };
    for token in tokens {
        assert_eq!(asked(token).text_at("RrpcCode"), "OFFLINE");
    }
    let connected = site.connect(&device, true);
    // It was not asked before, so it may be now; and then once.
    let numbers = tokens.map(|token| {
        let first = asked(token);
        assert_eq!(first.text_at("RrpcCode"), "SUCCESS", "{first:?}");
        first.at("MessageId").clone()
    });
    drop(connected);
    for (token, number) in tokens.into_iter().zip(&numbers) {
        let again = asked(token);
        assert_eq!((again.text_at("RrpcCode"), again.at("MessageId")), ("SUCCESS", number), "{again:?}");
    }
}

#[test]
fn key_of_one_device_publishes_to_no_other() {
    let site = embedded();
    let (mine, connected) = site.linkkit("pub-mine");
    let other = site.device("pub-not-mine");
    let rule = format!("devices={PRODUCT}/{}", mine.name);
    site.command(&["key", "add", "--id", "pub-partner", "--secret", "s", "--allow", &rule]);
    let key = Key { id: "pub-partner".to_owned(), secret: "s".to_owned(), token: None };
    for sdk in SDKS {
        let publish = |more: Value| {
            let mut params = json!({ "ProductKey": PRODUCT, "MessageContent": HELLO.0 });
            for (name, value) in more.as_object().expect("an object") {
                params[name] = value.clone();
            }
            site.begin_as(&key, sdk, "Pub", &params).answer()
        };
        publish(json!({ "TopicFullName": topic(&mine, "get") })).ok();
        assert_eq!(connected.event("message")["payload"], "hello");
        let foreign = publish(json!({ "TopicFullName": topic(&other, "get") }));
        assert_eq!(foreign.raised().0, "Forbidden.RAM", "{foreign:?}");
    }
    // Naming a device of its own does not open another's topic. Older models have no DeviceName.
    let mut params = named(&mine, &json!({ "MessageContent": HELLO.0 }));
    params["TopicFullName"] = json!(topic(&other, "get"));
    let answer = site.begin_as(&key, Sdk::Tea, "Pub", &params).answer();
    assert_eq!(answer.failure().0, "iot.messagebroker.InvalidFormattedTopicName", "{answer:?}");
}

#[test]
fn messages_are_on_record_and_are_no_calls_of_services() {
    let site = Site::embedded(&[("RECORDS__KEEP", "all")]);
    let (device, connected) = site.linkkit("recorded-messages");
    connected.answers(200, &json!({ "param1": 7 }));
    let published = json!({ "TopicFullName": topic(&device, "get"), "MessageContent": HELLO.0 });
    site.ask("Pub", &named(&device, &published)).ok();
    site.ask("RRpc", &question(&device)).ok();
    site.ask("AsyncRRpc", &named(&device, &json!({ "MessageContent": HELLO.0 }))).ok();
    site.invoke(&device, "testFb:testService", r#"{"param1":1}"#).ok();
    let all = eventually("all are on record", || {
        let all = site.command(&["calls", "--json", "--device", &format!("{PRODUCT}/{}", device.name)]);
        let all: Vec<Value> = all.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
        Some(all).filter(|all| all.len() == 4)
    });
    let words: Vec<_> = all.iter().map(|call| call["identifier"].as_str().expect("a word")).collect();
    assert_eq!(words, ["Pub", "RRpc", "AsyncRRpc", "testFb:testService"]);
    for call in &all {
        assert_eq!((&call["outcome"], &call["transport"]), (&json!("ok"), &json!("embedded")), "{call}");
        let explained = site.command_json(&["explain", call["messageId"].as_str().expect("an id")]);
        assert!(explained["timesUs"]["sent"].is_u64(), "{explained}");
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
    let now = u64::try_from(now).expect("a time");
    for action in ["QueryDeviceServiceData", "QueryDeviceOriginalServiceData"] {
        let times = json!({ "StartTime": now - 600_000, "EndTime": now + 1000, "PageSize": 50, "Asc": 1 });
        let told = site.ask(action, &named(&device, &times)).ok();
        let infos = told.at("Data.List.ServiceInfo").as_array().expect("a list");
        let of: Vec<_> = infos.iter().map(|info| &info["Identifier"]).collect();
        assert_eq!(of, ["testFb:testService"], "{action}");
    }
}
