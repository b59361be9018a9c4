//! PubBroadcast by every official Python SDK, to devices with the official device SDK, on every kind of broker.

use serde_json::{Value, json};
use thingcall_tests::{Answer, Credential, DeviceSecrets, Key, LinkkitDevice, MqttDevice, PRODUCT, Sdk, Site};

use crate::sites::embedded;

const SDKS: [Sdk; 3] = [Sdk::Tea, Sdk::TeaV1, Sdk::Legacy];
/// `hello`.
const HELLO: &str = "aGVsbG8=";
/// Broadcasts as they come.
const UNLIMITED: [(&str, &str); 2] =
    [("API__BROADCASTS_PER_SECOND_MAX", "0"), ("API__BROADCASTS_TO_ALL_PER_MINUTE_MAX", "0")];

fn params(topic: Option<&str>) -> Value {
    let mut params = json!({ "ProductKey": PRODUCT, "MessageContent": HELLO });
    if let Some(topic) = topic {
        params["TopicFullName"] = json!(topic);
    }
    params
}

/// The number of a broadcast.
fn number(answer: Answer) -> u64 {
    let answer = answer.ok();
    answer.at("MessageId").as_u64().unwrap_or_else(|| panic!("{answer:?}"))
}

fn on_its_own(device: &DeviceSecrets, number: u64) -> String {
    format!("/sys/{}/{}/broadcast/request/{number}", device.product, device.name)
}

fn heard(device: &LinkkitDevice, topic: &str) {
    let message = device.event("message");
    assert_eq!((&message["topic"], &message["payload"]), (&json!(topic), &json!("hello")), "{message}");
}

/// Has each SDK tell those devices something that subscribed, and then all that are connected.
fn every_sdk_broadcasts(site: &Site, word: &str) {
    let (device, connected) = site.linkkit(&format!("broadcast-{word}"));
    let topic = format!("/broadcast/{PRODUCT}/{word}");
    connected.asks_for(&topic);
    let other = site.device(&format!("broadcast-other-{word}"));
    let unsubscribed = MqttDevice::connect(site.broker(), &Credential::of(&other, None));
    unsubscribed.subscribe(&format!("/sys/{PRODUCT}/{}/broadcast/request/+", other.name));
    for sdk in SDKS {
        let broadcast = |topic| number(site.ask_by(sdk, "PubBroadcast", &params(topic)));
        broadcast(Some(&topic));
        heard(&connected, &topic);
        let number = broadcast(None);
        heard(&connected, &on_its_own(&device, number));
        // The one before it did not hear.
        let seen = unsubscribed.next();
        assert_eq!((seen.topic, &*seen.bytes), (on_its_own(&other, number), b"hello" as &[u8]));
    }
    // The platform takes such a topic in Pub, too.
    let published = site.ask("Pub", &params(Some(&topic))).ok();
    assert!(published.text_at("MessageId").parse::<u32>().is_ok(), "{published:?}");
    heard(&connected, &topic);
}

#[test]
fn every_sdk_broadcasts_at_the_embedded_broker() {
    every_sdk_broadcasts(&Site::embedded(&UNLIMITED), "embedded");
}

#[test]
fn every_sdk_broadcasts_behind_mosquitto() {
    every_sdk_broadcasts(&Site::external(&UNLIMITED), "mosquitto");
}

#[test]
fn every_sdk_broadcasts_behind_rabbitmq_s_mqtt_plugin() {
    every_sdk_broadcasts(&Site::behind_rabbitmq(&UNLIMITED), "rabbitmq");
}

#[test]
fn no_device_subscribes_to_what_another_product_s_are_told() {
    let site = embedded();
    site.import("broadcastOther", &[]);
    let foreign = site.device_of("broadcastOther", "broadcast-foreign");
    let connected = MqttDevice::connect(site.broker(), &Credential::of(&foreign, None));
    for filter in [format!("/broadcast/{PRODUCT}/all"), format!("/broadcast/{PRODUCT}/#")] {
        assert!(!connected.subscribe(&filter), "{filter}");
    }
    assert!(connected.subscribe("/broadcast/broadcastOther/all"));
}

#[test]
fn what_cannot_be_broadcast_is_refused() {
    let site = Site::embedded(&UNLIMITED);
    let code = |more: Value| {
        let mut params = params(None);
        for (name, value) in more.as_object().expect("an object") {
            params[name] = value.clone();
        }
        SDKS.map(|sdk| site.ask_by(sdk, "PubBroadcast", &params).failure().0.to_owned())
    };
    let all = |code: &str| [code; 3].map(str::to_owned);
    assert_eq!(code(json!({ "ProductKey": "a1Unknown" })), all("iot.prod.NotExistedProduct"));
    assert_eq!(
        code(json!({ "MessageContent": "no base64!" })),
        all("iot.messagebroker.MessageContentIsNotBase64Encode")
    );
    for topic in
        [format!("/{PRODUCT}/broadcast-x/user/get"), "/broadcast/other/x".to_owned(), format!("/broadcast/{PRODUCT}/#")]
    {
        let named = json!({ "TopicFullName": topic });
        assert_eq!(code(named), all("iot.messagebroker.InvalidFormattedTopicName"), "{topic}");
    }
    site.command(&["key", "add", "--id", "of-one", "--secret", "s", "--allow", &format!("devices={PRODUCT}/one")]);
    let key = Key { id: "of-one".to_owned(), secret: "s".to_owned(), token: None };
    let topic = format!("/broadcast/{PRODUCT}/one");
    for (action, to) in [("PubBroadcast", None), ("PubBroadcast", Some(&*topic)), ("Pub", Some(&*topic))] {
        let mut params = params(to);
        params["DeviceName"] = json!("one");
        if action == "PubBroadcast" {
            params.as_object_mut().expect("an object").remove("DeviceName");
        }
        let answer = site.begin_as(&key, Sdk::Tea, action, &params).answer();
        assert_eq!(answer.raised().0, "Forbidden.RAM", "{answer:?}");
    }
}

#[test]
fn account_broadcasts_to_all_devices_once_a_minute() {
    let site = Site::embedded(&[]);
    number(site.ask("PubBroadcast", &params(None)));
    let second = site.ask("PubBroadcast", &params(None));
    let (code, text, _) = second.raised();
    assert!(code.starts_with("Throttling") && text.contains("a minute"), "{second:?}");
}
