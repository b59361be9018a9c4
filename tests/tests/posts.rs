//! What devices say by themselves, on every kind of broker: each is answered as its SDK expects, once.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use thingcall_tests::{Credential, DeviceSecrets, EventReader, Mosquitto, MqttDevice, Site, eventually, in_postgres};

use crate::sites::{embedded, external, rabbitmq};

/// Has the official SDK post properties, an event and tags, and sees what it is answered.
fn sdk_is_answered(site: &Site, name: &str) {
    let (_, device) = site.linkkit(name);

    let properties = device.says(&json!({ "post": { "LightSwitch": 1, "Temperature": 20.5, "Unheard": "x" } }));
    assert_eq!((&properties["code"], &properties["message"]), (&json!(200), &json!("success")), "{properties}");
    assert_eq!(properties["data"], json!({ "Unheard": "tsl parse: params not exist -> Unheard" }));
    let event = device.says(&json!({ "event": ["Overheat", { "Temperature": 99.5 }] }));
    assert_eq!(
        (&event["of"], &event["code"], &event["data"]),
        (&json!("Overheat"), &json!(200), &json!({})),
        "{event}"
    );
    let tags = device.says(&json!({ "tags": [{ "attrKey": "where", "attrValue": "attic" }] }));
    assert_eq!(tags["code"], 200, "{tags}");
}

#[test]
fn sdk_s_posts_are_answered_by_the_embedded_broker() {
    sdk_is_answered(embedded(), "posts-embedded");
}

#[test]
fn sdk_s_posts_are_answered_behind_mosquitto() {
    let site = external();
    hears_posts(site);
    sdk_is_answered(site, "posts-mosquitto");
}

#[test]
fn sdk_s_posts_are_answered_behind_rabbitmq_s_mqtt_plugin() {
    let site = rabbitmq();
    hears_posts(site);
    sdk_is_answered(site, "posts-rabbitmq");
}

fn hears_posts(site: &Site) {
    eventually("reports are heard", || {
        (site.program.metrics().sum("thingcall_transport_posts_up", &[]) >= 1.0).then_some(())
    });
}

fn topic(device: &DeviceSecrets, rest: &str) -> String {
    format!("/sys/{}/{}/thing/{rest}", device.product, device.name)
}

fn answer(connected: &MqttDevice, topic: &str, post: &Value) -> Value {
    connected.publish(topic, post);
    let seen = connected.next();
    assert_eq!(seen.topic, format!("{topic}_reply"));
    seen.body
}

#[test]
fn what_sdks_ask_is_answered_with_their_own_ids_and_what_nobody_does_is_refused() {
    let site = embedded();
    let device = site.device("posts-ids");
    let connected = MqttDevice::connect(site.broker(), &Credential::of(&device, None));

    let post = topic(&device, "event/property/post");
    let id = format!("1|exp-topic|{post}_reply");
    let said = answer(&connected, &post, &json!({ "id": id, "version": "1.0", "params": { "Brightness": 3 } }));
    assert_eq!((&said["id"], &said["code"]), (&json!(id), &json!(200)), "{said}");
    let said = answer(&connected, &topic(&device, "config/get"), &json!({ "id": 7, "method": "thing.config.get" }));
    assert_eq!((&said["id"], &said["code"]), (&json!(7), &json!(460)), "{said}");
    let time = format!("/ext/ntp/{}/{}/request", device.product, device.name);
    // One that wants no answer, and then one that has it: the order says that the first has none.
    connected.publish(&post, &json!({ "id": "8", "sys": { "ack": 0 }, "params": { "Brightness": 3 } }));
    connected.publish(&time, &json!({ "deviceSendTime": "5" }));
    let seen = connected.next();
    assert_eq!(seen.topic, time.replace("request", "response"));
    assert_eq!(seen.body["deviceSendTime"], "5");
}

#[test]
fn of_two_instances_one_hears_each_post() {
    const POSTS: u32 = 40;
    let mosquitto = Mosquitto::start();
    let url = format!("mqtt://{}", mosquitto.address());
    let instance = || {
        let shared = ("MQTT__POSTS", "shared");
        let site = Site::embedded(&[("BROKER__ENABLED", "false"), ("MQTT__URL", &url), shared]);
        hears_posts(&site);
        site
    };
    let sites = [instance(), instance()];
    let [device, _] = sites.each_ref().map(|site| site.device("posts-once"));
    let connected = MqttDevice::connect(mosquitto.address(), &Credential::of(&device, None));
    let post = topic(&device, "event/property/post");
    assert!(connected.subscribe(&format!("{post}_reply")));

    for id in 0..POSTS {
        let said = answer(&connected, &post, &json!({ "id": id, "params": { "Brightness": 3 } }));
        assert_eq!((&said["id"], &said["code"]), (&json!(id), &json!(200)), "{said}");
    }

    let taken =
        |site: &Site| site.program.metrics().sum("thingcall_posts_total", &[r#"kind="property""#, r#"result="taken""#]);
    let [one, other] = sites.each_ref().map(taken);
    assert_eq!(one + other, f64::from(POSTS), "{one} and {other}");
    assert!(one > 0.0 && other > 0.0, "{one} and {other}");
}

#[test]
fn what_is_reported_behind_mosquitto_survives_a_stop_and_a_kill() {
    // A database may have several servers, so there it must be said that this one is alone.
    let alone = if in_postgres() { ("MQTT__POSTS", "plain") } else { ("MQTT__PROBE", "true") };
    let mut site = Site::external(&[("MQTT__CLIENT_ID", "posts-kept"), alone]);
    hears_posts(&site);
    let device = site.device("posts-kept");
    let connected = MqttDevice::connect(site.broker(), &Credential::of(&device, None));
    let post = topic(&device, "event/property/post");
    let mut next = 0;
    let mut report = |many: u32| {
        for id in next..next + many {
            connected.publish_surely(&post, &json!({ "id": id, "params": { "Brightness": 3 } }));
        }
        next += many;
        next
    };
    let kinds = json!({ "kinds": "property" });
    let reader = EventReader::start(&site, &kinds);
    report(1);
    let first = reader.told();
    drop(reader);

    report(50);
    site.program.terminate();
    report(50);
    assert!(site.program.ended().success());
    report(50);
    site.start_again();
    report(50);
    site.program.kill();
    let all = report(50);
    site.start_again();

    let reader = EventReader::behind(&site, &kinds, &first.id);
    let mut missing: BTreeSet<String> = (1..all).map(|id| id.to_string()).collect();
    while !missing.is_empty() {
        let told = reader.told();
        assert_eq!(told.name, "property", "{told:?}");
        missing.remove(told.data["data"]["requestId"].as_str().expect("an id"));
    }
}
