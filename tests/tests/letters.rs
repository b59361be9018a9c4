//! Messages of applications' own, Pub and RRpc: by every official Python SDK, to devices with the official device SDK, on every
//! kind of broker.

use serde_json::{Value, json};
use thingcall_tests::{Answer, Credential, DeviceSecrets, EventReader, MqttDevice, PRODUCT, Sdk, Site, eventually};

use crate::sites::{embedded, external, impatient, rabbitmq};

const SDKS: [Sdk; 3] = [Sdk::Tea, Sdk::TeaV1, Sdk::Legacy];
/// `hello` and the same backwards.
const HELLO: (&str, &str) = ("aGVsbG8=", "b2xsZWg=");

fn topic(device: &DeviceSecrets, rest: &str) -> String {
    format!("/{}/{}/user/{rest}", device.product, device.name)
}

fn publish(site: &Site, sdk: Sdk, device: &DeviceSecrets, more: &Value) -> Answer {
    let mut params =
        json!({ "ProductKey": device.product, "TopicFullName": topic(device, "get"), "MessageContent": HELLO.0 });
    for (name, value) in more.as_object().expect("an object") {
        params[name] = value.clone();
    }
    site.ask_by(sdk, "Pub", &params)
}

fn hears_posts(site: &Site) {
    eventually("reports are heard", || {
        (site.program.metrics().sum("thingcall_transport_posts_up", &[]) >= 1.0).then_some(())
    });
}

/// Has each SDK publish a message for a device; none comes back as one that the device published.
fn every_sdk_publishes(site: &Site, word: &str) {
    hears_posts(site);
    let (device, connected) = site.linkkit(&format!("pub-{word}"));
    let reports = EventReader::start(site, &json!({ "kinds": "custom", "products": PRODUCT }));
    for sdk in SDKS {
        for qos in [0, 1] {
            let answer = publish(site, sdk, &device, &json!({ "Qos": qos })).ok();
            assert!(answer.text_at("MessageId").parse::<u32>().is_ok(), "{answer:?}");
            let message = connected.event("message");
            let seen = (&message["topic"], &message["payload"], &message["qos"]);
            assert_eq!(seen, (&json!(topic(&device, "get")), &json!("hello"), &json!(qos)), "{message}");
        }
    }
    // What it says itself is told, and it is the first.
    connected.publishes(&topic(&device, "update"), "its own");
    let told = loop {
        let told = reports.told();
        if told.data["deviceName"] == device.name {
            break told;
        }
    };
    assert!(told.data["topic"].as_str().expect("a topic").ends_with("/update"), "{told:?}");
}

#[test]
fn every_sdk_publishes_at_the_embedded_broker() {
    every_sdk_publishes(embedded(), "embedded");
}

#[test]
fn every_sdk_publishes_behind_mosquitto() {
    // On a database, where there may be several servers, this one must be said to be alone.
    every_sdk_publishes(&Site::external(&[("MQTT__POSTS", "plain")]), "mosquitto");
}

/// What one of several instances publishes another would hear, and take for the device's own.
#[test]
fn behind_mqtt_3_several_instances_publish_nothing_on_topics_of_devices() {
    let site = Site::external(&[("MQTT__POSTS", "shared")]);
    let device = site.device("pub-shared");
    let answer = publish(&site, Sdk::Tea, &device, &json!({}));
    let (code, text) = answer.failure();
    assert!(code == "iot.messagebroker.PublishMessageFailed" && text.contains("version"), "{answer:?}");
}

#[test]
fn every_sdk_publishes_behind_mosquitto_of_mqtt_5_that_is_shared() {
    let site = Site::external(&[("MQTT__VERSION", "5"), ("MQTT__POSTS", "shared")]);
    every_sdk_publishes(&site, "mosquitto5");
    let device = site.device("pub-mosquitto5-extras");
    let extras = json!({
        "ContentType": "text/plain", "ResponseTopic": topic(&device, "answer"), "CorrelationData": "AP8=",
        "MessageExpiryInterval": 60, "PayloadFormatIndicator": 1, "UserProp": [{ "Key": "k", "Value": "v" }],
    });
    publish(&site, Sdk::Tea, &device, &extras).ok();
}

#[test]
fn every_sdk_publishes_behind_rabbitmq_s_mqtt_plugin() {
    every_sdk_publishes(rabbitmq(), "rabbitmq");
}

#[test]
fn message_of_qos_1_waits_for_a_device_that_keeps_its_session() {
    let site = embedded();
    let device = site.device("pub-kept");
    let credential = Credential::of(&device, None);
    let leaves = |connected: MqttDevice| {
        drop(connected);
        eventually("it is seen to be gone", || {
            let named = json!({ "ProductKey": device.product, "DeviceName": device.name });
            let status = site.ask("GetDeviceStatus", &named).ok();
            (status.text_at("Data.Status") == "OFFLINE").then_some(())
        });
    };
    leaves(MqttDevice::connect(site.broker(), &credential));
    for sdk in SDKS {
        let answer = publish(site, sdk, &device, &json!({ "Qos": 1 }));
        assert_eq!(answer.failure().0, "iot.messagebroker.OFFLINE", "{answer:?}");
    }
    leaves(MqttDevice::come_again(site.broker(), &credential));
    for (sdk, text) in SDKS.into_iter().zip(["one", "two", "three"]) {
        publish(site, sdk, &device, &json!({ "Qos": 1, "MessageContent": base64(text.as_bytes()) })).ok();
    }
    let connected = MqttDevice::come_again(site.broker(), &credential);
    for text in ["one", "two", "three"] {
        let seen = connected.next();
        assert_eq!((seen.topic, &*seen.bytes, seen.qos), (topic(&device, "get"), text.as_bytes(), 1));
    }
}

/// Has each SDK ask a device in bytes, on both topics that there are.
fn every_sdk_asks(site: &Site, word: &str) {
    let (device, _connected) = site.linkkit(&format!("rrpc-{word}"));
    let asked = json!({
        "ProductKey": device.product, "DeviceName": device.name, "RequestBase64Byte": HELLO.0, "Timeout": 8000,
    });
    for sdk in SDKS {
        for on in [None, Some(topic(&device, "ask"))] {
            let mut params = asked.clone();
            if let Some(topic) = on {
                params["Topic"] = json!(topic);
            }
            let answer = site.ask_by(sdk, "RRpc", &params).ok();
            let said = (answer.text_at("RrpcCode"), answer.text_at("PayloadBase64Byte"));
            assert_eq!(said, ("SUCCESS", HELLO.1), "{answer:?}");
            assert!(answer.at("MessageId").is_u64(), "{answer:?}");
        }
    }
}

#[test]
fn every_sdk_asks_in_bytes_at_the_embedded_broker() {
    every_sdk_asks(embedded(), "embedded");
}

#[test]
fn every_sdk_asks_in_bytes_behind_mosquitto() {
    every_sdk_asks(external(), "mosquitto");
}

#[test]
fn every_sdk_asks_in_bytes_behind_rabbitmq_s_mqtt_plugin() {
    every_sdk_asks(rabbitmq(), "rabbitmq");
}

#[test]
fn device_that_is_away_or_silent_is_told_by_a_word_and_nothing_of_its_question_is_left() {
    let site = impatient();
    let (device, connected) = site.linkkit("rrpc-silent");
    let params = json!({
        "ProductKey": device.product, "DeviceName": device.name, "RequestBase64Byte": HELLO.0, "Timeout": 1000,
    });
    connected.is_silent();
    for sdk in SDKS {
        let answer = site.ask_by(sdk, "RRpc", &params).ok();
        assert_eq!(answer.text_at("RrpcCode"), "TIMEOUT", "{answer:?}");
    }
    connected.kill();
    eventually("it is seen to be gone", || {
        (site.ask("RRpc", &params).ok().text_at("RrpcCode") == "OFFLINE").then_some(())
    });
    assert_eq!(site.program.metrics().sum("thingcall_pending_calls", &[]), 0.0);
}

/// Whoever answers, what it answers is the caller's to read: its own id and form are not looked at.
#[test]
fn answer_that_looks_like_another_call_s_is_bytes_all_the_same() {
    let site = embedded();
    let device = site.device("rrpc-odd");
    let connected = MqttDevice::connect(site.broker(), &Credential::of(&device, None));
    let params = json!({
        "ProductKey": device.product, "DeviceName": device.name, "RequestBase64Byte": HELLO.0, "Timeout": 8000,
    });
    let waiting = site.begin(Sdk::Tea, "RRpc", &params);
    let asked = connected.next();
    let answer = asked.topic.replace("/request/", "/response/");
    connected.publish(&answer, &json!({ "id": "4294967295", "code": 200, "data": {} }));
    let answered = waiting.answer().ok();
    let said = r#"{"code":200,"data":{},"id":"4294967295"}"#;
    let bytes = answered.text_at("PayloadBase64Byte");
    assert_eq!(bytes, base64(said.as_bytes()), "{answered:?}");
}

/// What a test needs of Base64.
fn base64(bytes: &[u8]) -> String {
    const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits = three.iter().chain([0, 0].iter()).take(3).fold(0_u32, |bits, byte| (bits << 8) | u32::from(*byte));
        for at in 0..4 {
            let sign = char::from(SIGNS[(bits >> (18 - 6 * at) & 63) as usize]);
            text.push(if at <= three.len() { sign } else { '=' });
        }
    }
    text
}

#[test]
fn what_cannot_be_published_is_refused() {
    let site = embedded();
    let (device, connected) = site.linkkit("pub-refused");
    let other = site.device("pub-other");
    for sdk in [Sdk::Tea, Sdk::TeaV1] {
        let refused = |more: Value, code: &str| {
            let answer = publish(site, sdk, &device, &more);
            let said = &answer.failure().1[..answer.failure().1.len().min(200)];
            assert_eq!(answer.failure().0, code, "{said}");
        };
        let bad_topic = "iot.messagebroker.InvalidFormattedTopicName";
        let named = json!({ "TopicFullName": topic(&other, "get"), "DeviceName": device.name });
        refused(named, bad_topic);
        refused(json!({ "TopicFullName": "/elsewhere/pub-refused/user/get" }), bad_topic);
        refused(json!({ "TopicFullName": topic(&device, "#") }), bad_topic);
        for topic in
            ["thing/event/property/post", "thing/service/property/set", "thing/service/testService", "rrpc/request/1"]
        {
            refused(json!({ "TopicFullName": format!("/sys/{PRODUCT}/pub-refused/{topic}") }), bad_topic);
        }
        refused(json!({ "MessageContent": "no base64!" }), "iot.messagebroker.MessageContentIsNotBase64Encode");
        let nobody = format!("/{PRODUCT}/pub-nobody/user/get");
        refused(json!({ "TopicFullName": nobody }), "iot.device.NotExistedDevice");
        refused(json!({ "ResponseTopic": topic(&device, "answer") }), "iot.messagebroker.PublishMessageFailed");
        refused(json!({ "Qos": 2 }), "iot.system.IllegalRequest");
        let large = "A".repeat(4 * (256 * 1024 / 3 + 2));
        refused(json!({ "MessageContent": large }), "iot.system.IllegalRequest");

        let ask = |timeout: u32, topic: Option<String>| {
            let mut params = json!({
                "ProductKey": device.product, "DeviceName": device.name, "RequestBase64Byte": HELLO.0, "Timeout": timeout,
            });
            if let Some(topic) = topic {
                params["Topic"] = json!(topic);
            }
            site.ask_by(sdk, "RRpc", &params).failure().0.to_owned()
        };
        assert_eq!(ask(999, None), "iot.messagebroker.InvalidTimeoutValue");
        assert_eq!(ask(1000, Some(topic(&other, "ask"))), bad_topic);
    }
    publish(site, Sdk::Tea, &device, &json!({})).ok();
    assert_eq!(connected.event("message")["payload"], "hello", "the first that it hears of");
}
