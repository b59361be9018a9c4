//! Access rules of external brokers: the samples in `deploy/` do, and what rules forbid is told.

use std::process::Command;

use serde_json::{Value, json};
use thingcall_tests::{Credential, Mosquitto, MqttDevice, PRODUCT, Site, eventually};

const ACL: &str = include_str!("../../deploy/mosquitto/acl");

/// As in the sample, whose product is that of all tests.
const LAMP: &str = "lamp1";

fn user(device: &str) -> String {
    format!("{device}&{PRODUCT}")
}

/// A Mosquitto with these rules, which knows thingcall and two devices.
fn mosquitto(acl: &str) -> Mosquitto {
    Mosquitto::confined(acl, &["thingcall", &user(LAMP), &user("spy")])
}

/// A server behind it.
fn behind(mosquitto: Mosquitto) -> Site {
    let (name, password) = ("thingcall", Mosquitto::password("thingcall"));
    let settings = [("MQTT__USERNAME", name), ("MQTT__PASSWORD", &password), ("ENGINE__REPLY_TIMEOUT", "1s")];
    Site::behind_mosquitto(mosquitto, &settings)
}

fn connect(site: &Site, device: &str) -> MqttDevice {
    let (username, client_id) = (user(device), device.to_owned());
    let password = Mosquitto::password(&username);
    MqttDevice::connect(site.broker(), &Credential { client_id, username, password })
}

/// The answer of `/readyz` once it is not ready and says this.
fn not_ready(site: &Site, words: &str) -> String {
    eventually("readyz tells", || {
        let (status, text) = site.program.operator("/readyz");
        (status == 503 && text.contains(words)).then_some(text)
    })
}

/// A warning of the log with these words.
fn warned(site: &Site, words: &str) -> Option<Value> {
    let log = site.program.log();
    let mut lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.find(|line| line["level"] == "WARN" && line.to_string().contains(words))
}

#[test]
fn thingcall_and_devices_work_under_the_sample_for_mosquitto_and_another_device_gets_nothing() {
    let spy_s = format!("user {}\ntopic readwrite /sys/{PRODUCT}/spy/#\n", user("spy"));
    let site = behind(mosquitto(&format!("{ACL}\n{spy_s}topic readwrite /ext/rrpc/+/sys/{PRODUCT}/spy/#\n")));
    site.is_ready();
    let (lamp, other) = (site.device(LAMP), site.device("spy"));
    let (connected, spy) = (connect(&site, LAMP), connect(&site, "spy"));
    for device in [LAMP, "spy"] {
        assert!(connected.subscribe(&format!("/ext/rrpc/+/sys/{PRODUCT}/{device}/thing/service/+")));
        // Mosquitto grants every filter and asks at each message.
        assert!(spy.subscribe(&format!("/ext/rrpc/+/sys/{PRODUCT}/{device}/thing/service/+")));
    }

    for (device, secrets, own) in [(LAMP, &lamp, &connected), ("spy", &other, &spy)] {
        let waiting = site.begin_invoke(secrets, "testFb:testService", r#"{"param1":5}"#);
        let seen = own.next();
        assert!(seen.topic.contains(&format!("/{PRODUCT}/{device}/")), "its own alone, not {}", seen.topic);
        if device == LAMP {
            spy.publish(&seen.topic, &seen.answer(&json!({ "param1": 666 })));
            // Mosquitto is through with it when it answers what comes next on the same connection.
            assert!(spy.subscribe(&format!("/sys/{PRODUCT}/spy/thing/service/+")));
        }
        own.publish(&seen.topic, &seen.answer(&json!({ "param1": 5 })));
        assert_eq!(waiting.answer().ok().result()["data"], json!({ "param1": 5 }));
    }
    assert_eq!(site.program.operator("/readyz").0, 200);
}

#[test]
fn rules_that_forbid_all_we_publish_are_told() {
    let site = behind(mosquitto("user thingcall\ntopic read /sys/#\ntopic read /ext/#\n"));
    let told = not_ready(&site, "access rules");
    assert!(told.contains("transport mqtt: ") && told.contains("user thingcall"), "{told}");
    assert!(told.contains("/sys/thingcall/probe/thing/service/probe") && told.contains("probe = false"), "{told}");
    eventually("the log warns", || warned(&site, "access rules"));
    assert_eq!(site.program.metrics().sum("thingcall_transport_up", &[r#"transport="mqtt""#]), 0.0);
}

#[test]
fn rules_that_forbid_commands_alone_are_told_when_no_call_is_answered() {
    let site = behind(mosquitto(&ACL.replace("topic readwrite /ext/rrpc/+/sys/+", "topic read /ext/rrpc/+/sys/+")));
    site.is_ready();
    let lamp = site.device(LAMP);
    let connected = connect(&site, LAMP);
    assert!(connected.subscribe(&format!("/ext/rrpc/+/sys/{PRODUCT}/{LAMP}/thing/service/+")));
    let told = eventually("it is told", || {
        site.invoke(&lamp, "testFb:testService", r#"{"param1":5}"#).failure();
        warned(&site, "no call of this product is answered")
    });
    assert_eq!((&told["product"], &told["topic"]), (&json!(PRODUCT), &json!("ext")), "{told}");
    assert!(!connected.has_message());
}

#[test]
fn rules_that_forbid_the_probe_alone_are_told_and_devices_are_called() {
    let forbids = format!("{ACL}\n")
        .replace("topic readwrite /sys/+/+/thing/service/+\n", "topic read /sys/+/+/thing/service/+\n");
    let site = behind(mosquitto(&forbids));
    not_ready(&site, "`probe_topic`, or `probe = false`");
    let lamp = site.device(LAMP);
    let connected = connect(&site, LAMP);
    assert!(connected.subscribe(&format!("/ext/rrpc/+/sys/{PRODUCT}/{LAMP}/thing/service/+")));
    let waiting = site.begin_invoke(&lamp, "testFb:testService", r#"{"param1":5}"#);
    let seen = connected.next();
    connected.publish(&seen.topic, &seen.answer(&json!({ "param1": 5 })));
    waiting.answer().ok();
    site.is_ready();
    eventually("the log warns", || warned(&site, "the broker's access rules forbid the probe"));
}

/// There is no EMQX here: at least its rules are Erlang terms of its form, and have all of our topics.
#[test]
fn rules_for_emqx_are_terms_of_its_form_with_all_our_filters() {
    let file = format!("{}/../deploy/emqx/acl.conf", env!("CARGO_MANIFEST_DIR"));
    let print = format!(
        r#"{{ok, Rules}} = file:consult("{file}"),
        Line = fun({{A, all}}) -> io:format("~w all~n", [A]);
                  ({{A, {{username, _}}, What, Topics}}) -> [io:format("~w ~w ~s~n", [A, What, T]) || T <- Topics] end,
        lists:foreach(Line, Rules), halt()."#
    );
    let output = Command::new("erl").args(["-noshell", "-eval", &print]).output().expect("erl starts");
    let text = String::from_utf8(output.stdout).expect("text");
    let lines: Vec<&str> = text.lines().collect();
    let topics = include_str!("../../deploy/topics.md");
    let listed = |from: &str, to: &str| {
        let (_, filters) = topics.split_once(from).expect("the page lists them");
        let (filters, _) = filters.split_once(to).expect("the list ends");
        filters.split('`').filter(|part| part.starts_with('/')).collect::<Vec<_>>()
    };
    let mut filters = listed("thingcall's filters for calls are ", " and the");
    filters.extend(listed("ends in `-posts`, by the filters", ". Where one"));
    assert_eq!(filters.len(), 8 + 8, "{filters:?}");
    for filter in filters {
        assert!(lines.contains(&format!("allow subscribe {filter}").as_str()), "{filter} in {text}");
    }
    assert!(lines.contains(&"allow publish /sys/+/+/rrpc/request/+"), "{text}");
    assert!(lines.contains(&"allow subscribe $SYS/brokers/+/clients/#"), "{text}");
    assert_eq!(lines.last(), Some(&"deny all"), "{text}");
}
