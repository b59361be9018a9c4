//! Devices whose own bytes hold no id: one asynchronous command at a time, and an answer is for the oldest.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;
use thingcall_tests::{Answer, Credential, DeviceSecrets, MqttDevice, Site, c_plugin, eventually};

const PRODUCT: &str = "a1RawMeter1";

/// A server with a plugin that translates for them, and how long it waits for an answer.
fn site(raw_answer_timeout: &str) -> (Site, TempDir) {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let codec = c_plugin("tests/plugins/blind.c", &[], folder.path());
    let toml = format!("[engine]\nraw_answer_timeout = \"{raw_answer_timeout}\"\n");
    let site = Site::with_plugins(&toml, &[&codec]);
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/raw-codec/model.json");
    let model = model.to_str().expect("a plain name");
    let flags = ["product", "import", "--key", PRODUCT, "--data-format", "custom", "--raw-answers", "in_order", model];
    site.command(&flags);
    (site, folder)
}

/// Asks for the asynchronous service, kept for a device that is away.
fn set_relay(site: &Site, device: &DeviceSecrets) -> Answer {
    let params = json!({
        "ProductKey": PRODUCT, "DeviceName": device.name, "Identifier": "setRelay", "Args": r#"{"on":1}"#, "Qos": 1,
    });
    site.ask("InvokeThingService", &params)
}

/// Takes the command and acknowledges it.
fn takes(connected: &MqttDevice) {
    let seen = connected.next();
    assert_eq!((seen.bytes.as_slice(), seen.qos), (&b"setRelay"[..], 1));
    connected.acknowledge(&seen);
}

fn answers(connected: &MqttDevice, name: &str, bytes: &str) {
    connected.publish_bytes(&format!("/sys/{PRODUCT}/{name}/thing/model/down_raw_reply"), bytes.as_bytes().to_vec());
}

/// What is told of a call once it has ended so.
fn ended(site: &Site, id: &str, outcome: &str) -> Value {
    eventually("the call has ended", || {
        let told = site.command_json(&["explain", id]);
        (told["outcome"] == outcome).then_some(told)
    })
}

#[test]
fn an_answer_without_an_id_is_for_the_oldest_command_over_a_restart_too() {
    let (mut site, _folder) = site("60s");
    let device = site.device_of(PRODUCT, "in-order");
    let connected = MqttDevice::connect(site.broker(), &Credential::of(&device, Some(1)));
    let first = set_relay(&site, &device).ok().message_id();
    takes(&connected);

    let refused = set_relay(&site, &device);
    let (_, why) = refused.failure();
    assert!(why.contains("one asynchronous command at a time") && why.contains(&first), "{why}");
    assert!(!connected.has_message(), "what is refused is not sent");
    // A report of its own meanwhile answers nothing.
    answers(&connected, "in-order", "!");
    answers(&connected, "in-order", r#"{"on":1}"#);
    let told = ended(&site, &first, "ok");
    assert_eq!(told["message"], "setRelay", "decode was told what was asked: {told}");

    let second = set_relay(&site, &device).ok().message_id();
    takes(&connected);
    site.program.kill();
    site.start_again();
    let connected = MqttDevice::connect(site.broker(), &Credential::of(&device, Some(1)));
    answers(&connected, "in-order", r#"{"on":0}"#);
    assert!(ended(&site, &second, "ok").to_string().contains(r#""on":0"#));
    assert_eq!(site.command_json(&["explain", &first])["outcome"], "ok");
}

#[test]
fn a_command_that_is_never_answered_gives_way() {
    let (site, _folder) = site("1s");
    let device = site.device_of(PRODUCT, "silent");
    let connected = MqttDevice::connect(site.broker(), &Credential::of(&device, Some(1)));
    let first = set_relay(&site, &device).ok().message_id();
    takes(&connected);
    let second = eventually("the next one has its turn", || {
        let answer = set_relay(&site, &device);
        answer.succeeded().then(|| answer.message_id())
    });
    let told = ended(&site, &first, "timeout");
    assert!(told.to_string().contains("raw_answer_timeout"), "{told}");
    takes(&connected);
    answers(&connected, "silent", r#"{"on":1}"#);
    ended(&site, &second, "ok");
}
