//! Which devices are connected to a broker that is not ours, where it tells.

use serde_json::{Value, json};
use thingcall_tests::{Credential, DeviceSecrets, MqttDevice, Site, eventually};

fn status(site: &Site, device: &DeviceSecrets) -> String {
    let params = json!({ "ProductKey": device.product, "DeviceName": device.name });
    site.ask("GetDeviceStatus", &params).ok().text_at("Data.Status").to_owned()
}

/// As `device show` says it.
fn shown(site: &Site, device: &DeviceSecrets) -> Value {
    site.command_json(&["device", "show", &format!("{}/{}", device.product, device.name)])["status"].clone()
}

fn until_status(site: &Site, device: &DeviceSecrets, wanted: &str) {
    eventually(&format!("{} is {wanted}", device.name), || (status(site, device) == wanted).then_some(()));
}

/// EMQX is not to be had here: its messages, as its manual has them, through a real Mosquitto. That lets nobody publish on
/// `$SYS`, so these come on the topics that a rule would publish.
#[test]
fn device_that_emqx_tells_of_is_online_and_fails_at_once_when_it_is_away() {
    // A wait would be seen: it would be longer than any time-out of the tests.
    let site = Site::external(&[("ENGINE__REPLY_TIMEOUT", "60s"), ("MQTT__PRESENCE", "emqx")]);
    site.is_ready();
    let device = site.device("told");
    let quiet = site.device("quiet");
    let emqx = MqttDevice::connect(site.broker(), &Credential::of(&quiet, None));
    let tell = |what: &str, at: i64| {
        let username = format!("{}&{}", device.name, device.product);
        emqx.publish(
            &format!("$events/client_{what}"),
            &json!({
                "username": username, "ts": at + 3, "sockport": 1883, "reason": "tcp_closed", "proto_ver": 4,
                "proto_name": "MQTT", "ipaddress": "10.0.0.7", "connected_at": at, "disconnected_at": at + 2,
                "clientid": "emqtt-8348fe27a87976ad4db3",
            }),
        );
    };
    assert_eq!(status(&site, &device), "UNACTIVE");

    // The subscription may come after the first.
    eventually("the device is online", || {
        tell("connected", 1_625_572_213_870);
        (status(&site, &device) == "ONLINE").then_some(())
    });
    assert_eq!(shown(&site, &device), "ONLINE");

    tell("disconnected", 1_625_572_213_870);
    until_status(&site, &device, "OFFLINE");
    // The file knows within a second that it was ever there.
    eventually("we say so", || (shown(&site, &device) == "OFFLINE").then_some(()));
    let answer = site.invoke(&device, "Measure", "{}");
    let (code, text) = answer.failure();
    assert_eq!(code, "iot.messagebroker.OFFLINE");
    assert!(text.contains("not sent"), "{text}");
}

#[test]
fn device_behind_mosquitto_is_unknown_to_us() {
    let site = crate::sites::external();
    let (device, connected) = site.linkkit("unknown");
    connected.answers(200, &json!({ "mean": 2.5, "samples": [] }));
    site.invoke(&device, "Measure", r#"{"channel":3}"#).ok();

    assert_eq!(status(site, &device), "OFFLINE", "the API has no word for it");
    eventually("we say so", || (shown(site, &device) == "UNKNOWN").then_some(()));
    let all = site.command(&["device", "list", "--json"]);
    let mut all = all.lines().map(|line| serde_json::from_str::<Value>(line).expect("a device"));
    let listed = all.find(|one| one["deviceName"] == device.name.as_str()).expect("it is listed");
    assert_eq!(listed["status"], "UNKNOWN");
}

#[test]
fn device_behind_rabbitmq_is_seen_to_come_and_go() {
    let site = Site::behind_rabbitmq(&[("ENGINE__REPLY_TIMEOUT", "60s"), ("AMQP__PRESENCE", "rabbitmq")]);
    let device = site.device("comes-and-goes");
    let connect = || MqttDevice::connect(site.broker(), &Credential::of(&device, Some(1)));

    let connected = connect();
    until_status(&site, &device, "ONLINE");
    assert_eq!(shown(&site, &device), "ONLINE");
    drop(connected);
    until_status(&site, &device, "OFFLINE");

    // On the topic of these calls RabbitMQ alone could not say it: our own queue takes them.
    assert_eq!(site.invoke(&device, "Measure", "{}").failure().0, "iot.messagebroker.OFFLINE");
    let _again = connect();
    until_status(&site, &device, "ONLINE");
}
