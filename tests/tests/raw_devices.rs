//! Devices that speak their own bytes, through the plugin `raw-codec` and both kinds of broker.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;
use thingcall_tests::{Credential, DeviceSecrets, MqttDevice, Site, c_plugin, eventually};

const PRODUCT: &str = "a1RawMeter1";

/// A server with the plugin and the meters' product.
fn site(external: bool) -> (Site, TempDir) {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let codec = c_plugin("plugins/raw-codec/raw_codec.c", &[], folder.path());
    let site = if external { Site::external_with_plugins("", &[&codec]) } else { Site::with_plugins("", &[&codec]) };
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/raw-codec/model.json");
    let model = model.to_str().expect("a plain name");
    site.command(&["product", "import", "--replace", "--key", PRODUCT, "--data-format", "custom", model]);
    eventually("the running server sees the product", || {
        let answer = site.ask("GetThingModelTsl", &json!({ "ProductKey": PRODUCT }));
        answer.succeeded().then_some(())
    });
    (site, folder)
}

fn meter(site: &Site, name: &str, ext: Option<u8>) -> (DeviceSecrets, MqttDevice) {
    let device = site.device_of(PRODUCT, name);
    let connected = MqttDevice::connect(site.broker(), &Credential::of(&device, ext));
    (device, connected)
}

/// A frame as the meter's documentation has it.
fn frame(command: u8, id: &[u8], payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(5 + payload.len()).expect("a short payload");
    let mut bytes = [&[0x68, length, command], id, payload].concat();
    let mut crc = 0xffff_u16;
    for byte in &bytes {
        crc ^= u16::from(*byte) << 8;
        for _ in 0..8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
        }
    }
    bytes.extend(crc.to_be_bytes());
    bytes
}

const READING: &[u8] = &[0, 0, 0, 0x30, 0xd4, 0x08, 0xfc, 0, 0x7b, 0xff, 0xff, 0xfe, 0x0c];

/// Calls the meter once; the topic that it answers on.
fn reads_its_meter(
    site: &Site,
    device: &DeviceSecrets,
    connected: &MqttDevice,
    answers_on: impl Fn(&str) -> String,
) -> String {
    let waiting = site.begin_invoke(device, "readMeter", r#"{"channel":1}"#);
    let seen = connected.next();
    let id = &seen.bytes[3..7];
    assert_eq!(seen.bytes, frame(0x01, id, &[1]), "{seen:?}");
    // A report of its own meanwhile answers nothing.
    let report = frame(0x90, &[0, 0, 0, 9], &READING[1..]);
    connected.publish_bytes(&format!("/sys/{PRODUCT}/{}/thing/model/up_raw", device.name), report);
    let topic = answers_on(&seen.topic);
    connected.publish_bytes(&topic, frame(0x81, id, READING));

    let answer = waiting.answer().ok();

    let data = r#"{"energy":12.500,"voltage":230.0,"current":1.23,"power":-500}"#;
    assert_eq!(answer.result()["data"], serde_json::from_str::<Value>(data).expect("JSON"));
    assert_eq!(answer.message_id().parse::<u32>().expect("an id").to_be_bytes(), *id, "the id is in the frame");
    topic
}

#[test]
fn meter_is_read_in_its_own_bytes() {
    let (site, _folder) = site(false);

    let (device, connected) = meter(&site, "ext", Some(1));
    reads_its_meter(&site, &device, &connected, |topic| {
        assert!(topic.starts_with("/ext/rrpc/") && topic.ends_with("/thing/model/down_raw"), "{topic}");
        topic.to_owned()
    });

    let (device, connected) = meter(&site, "plain", None);
    reads_its_meter(&site, &device, &connected, |topic| {
        assert!(topic.contains("/rrpc/request/"), "{topic}");
        topic.replace("/rrpc/request/", "/rrpc/response/")
    });
    assert_eq!(site.program.metrics().sum("thingcall_replies_total", &[r#"result="malformed""#]), 0.0);
}

#[test]
fn meter_behind_an_external_broker_is_read_too() {
    let (site, _folder) = site(true);
    site.command(&[
        "product",
        "import",
        "--key",
        PRODUCT,
        "--data-format",
        "custom",
        "--sync-topic",
        "ext",
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/raw-codec/model.json").to_str().expect("a plain name"),
    ]);
    let (device, connected) = meter(&site, "outside", Some(1));
    assert!(connected.subscribe(&format!("/ext/rrpc/+/sys/{PRODUCT}/outside/thing/model/down_raw")));
    assert!(connected.subscribe(&format!("/sys/{PRODUCT}/outside/rrpc/request/+")));

    // Mosquitto brings our own bytes back on the topic of the answer; they are not taken for it.
    for _ in 0..3 {
        let topic =
            reads_its_meter(&site, &device, &connected, |topic| topic.replace("/rrpc/request/", "/rrpc/response/"));
        // It brings the meter's own back to the meter as well, on a topic that is for both: it is not the next call.
        if topic.starts_with("/ext/") {
            assert_eq!(connected.next().topic, topic);
        }
    }
}

#[test]
fn command_waits_for_an_absent_meter_and_its_answer_is_on_record() {
    let (mut site, _folder) = site(false);
    let device = site.device_of(PRODUCT, "absent");
    let params = json!({
        "ProductKey": PRODUCT, "DeviceName": device.name, "Identifier": "setRelay", "Args": r#"{"on":1}"#, "Qos": 1,
    });
    let id = site.ask("InvokeThingService", &params).ok().message_id();
    site.program.kill();
    site.start_again();

    let connected = MqttDevice::connect(site.broker(), &Credential::of(&device, Some(1)));
    let seen = connected.next();
    assert_eq!(seen.topic, format!("/sys/{PRODUCT}/absent/thing/model/down_raw"));
    let bytes = id.parse::<u32>().expect("an id").to_be_bytes();
    assert_eq!((seen.qos, &seen.bytes), (1, &frame(0x03, &bytes, &[1])));
    connected.acknowledge(&seen);
    connected.publish_bytes(&format!("{}_reply", seen.topic), frame(0x83, &bytes, &[0, 1]));

    let record = eventually("the answer is on record", || {
        let record = site.command_json(&["explain", &id]);
        record.to_string().contains(r#""ok""#).then_some(record)
    });
    assert!(record.to_string().replace('\\', "").contains(r#""on":1"#), "{record}");
    drop(connected);
    let again = MqttDevice::connect(site.broker(), &Credential::of(&device, Some(1)));
    let (_, other) = meter(&site, "marker", Some(1));
    drop(other);
    assert!(!again.has_message(), "an acknowledged command is not sent again");
}

#[test]
fn frame_that_is_none_ends_the_call_with_what_is_wrong() {
    let (site, _folder) = site(false);
    let (device, connected) = meter(&site, "broken", Some(1));

    let waiting = site.begin_invoke(&device, "readMeter", r#"{"channel":1}"#);
    let seen = connected.next();
    connected.publish_bytes(&seen.topic, b"{\"id\":\"1\",\"code\":200}".to_vec());
    let answer = waiting.answer();

    let (_, words) = answer.failure();
    assert!(words.contains("raw-codec") && words.contains("may have executed"), "{words}");
    let unknown = site.invoke(&device, "readMeter", r#"{"channel":99}"#);
    assert_eq!(unknown.failure().0, "iot.device.InvokeThingServiceFailed", "the model is asked first");
}
