//! Behind a Mosquitto that asks nobody: on which topic devices are called, and what is said when none answers.

use serde_json::{Value, json};
use thingcall_tests::{Credential, DeviceSecrets, MqttDevice, PRODUCT, Site, eventually};

/// A product that does not say where its devices take synchronous calls.
const MIXED: &str = "a1MixedXxxx";

/// A device that takes synchronous calls on `/ext/rrpc/...` or on `/sys/.../rrpc/request/...`, and on no other topic.
struct Device {
    secrets: DeviceSecrets,
    connected: MqttDevice,
}

impl Device {
    fn connect(site: &Site, name: &str, ext: bool) -> Self {
        let secrets = site.device_of(MIXED, name);
        let connected = MqttDevice::connect(site.broker(), &Credential::of(&secrets, ext.then_some(1)));
        let filter = if ext {
            format!("/ext/rrpc/+/sys/{MIXED}/{name}/thing/service/+")
        } else {
            format!("/sys/{MIXED}/{name}/rrpc/request/+")
        };
        assert!(connected.subscribe(&filter));
        Self { secrets, connected }
    }

    /// Is called and answers.
    fn is_called(&self, site: &Site) {
        let waiting = site.begin_invoke(&self.secrets, "testFb:testService", r#"{"param1":7}"#);
        // On a topic that command and answer share it hears its own answers too.
        let seen = std::iter::repeat_with(|| self.connected.next()).find(|seen| seen.body["method"].is_string());
        let seen = seen.expect("an endless row");
        self.connected
            .publish(&seen.topic.replace("rrpc/request", "rrpc/response"), &seen.answer(&json!({ "param1": 7 })));
        assert_eq!(waiting.answer().ok().result()["data"], json!({ "param1": 7 }));
    }

    /// Is called where it does not listen.
    fn is_missed(&self, site: &Site) {
        let answer = site.invoke(&self.secrets, "testFb:testService", r#"{"param1":7}"#);
        assert_eq!(answer.failure().0, "iot.messagebroker.TIMEOUT");
    }
}

/// The lines of the log with these words.
fn lines(site: &Site, words: &str) -> Vec<Value> {
    let log = site.program.log();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["message"].as_str().is_some_and(|message| message.contains(words))).collect()
}

#[test]
fn devices_of_both_kinds_in_one_product_are_called_where_they_listen() {
    let mut site = Site::external(&[("ENGINE__REPLY_TIMEOUT", "3s")]);
    site.import(MIXED, &[]);
    let (ext, rrpc) = (Device::connect(&site, "ext", true), Device::connect(&site, "rrpc", false));
    rrpc.is_called(&site);
    ext.is_missed(&site);
    for _ in 0..3 {
        ext.is_called(&site);
        rrpc.is_called(&site);
    }
    let told = lines(&site, "answers on another topic");
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((&told[0]["topic"], &told[0]["before"]), (&json!("ext"), &json!("rrpc")));

    site.program.terminate();
    site.program.ended();
    site.start_again();
    site.is_ready();
    ext.is_called(&site);
    rrpc.is_called(&site);
    let shown = |name: &str| site.command_json(&["device", "show", &format!("{MIXED}/{name}")])["syncTopic"].clone();
    assert_eq!((shown("ext"), shown("rrpc")), (json!("ext"), json!("rrpc")));
}

#[test]
fn a_product_that_names_the_wrong_topic_is_told_once() {
    let site = Site::external(&[("ENGINE__REPLY_TIMEOUT", "1s")]);
    site.import(PRODUCT, &["--sync-topic", "rrpc"]);
    let (device, connected) = site.linkkit("elsewhere");
    let words = "no call of this product is answered";
    let told = eventually("it is told", || {
        site.invoke(&device, "Measure", "{}").failure();
        lines(&site, words).pop()
    });
    assert_eq!((&told["level"], &told["product"], &told["topic"]), (&json!("WARN"), &json!(PRODUCT), &json!("rrpc")));
    let text = told["message"].as_str().expect("a text");
    assert!(text.contains("--sync-topic") && text.contains("ACL") && text.contains("deploy/topics.md"), "{text}");
    for _ in 0..3 {
        site.invoke(&device, "Measure", "{}").failure();
    }
    assert_eq!(lines(&site, words).len(), 1);

    site.import(PRODUCT, &["--sync-topic", "ext"]);
    eventually("it is answered where it listens", || {
        let answered = site.invoke(&device, "Measure", "{}").succeeded();
        answered.then(|| connected.called())
    });
}
