//! Messages of every kind on topics of a Mosquitto.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use thingcall_tests::{Credential, DeviceSecrets, Mosquitto, MqttDevice, PRODUCT, Postgres, Seen, Site, eventually};

const TOPIC: &str = "thingcall/messages";

/// The devices are on the embedded broker, so that they can speak while Mosquitto is dead.
fn site() -> Site {
    let settings = [("BROKER__ENABLED", "true"), ("MQTT__MESSAGES_TOPIC", TOPIC)];
    Site::behind_mosquitto(Mosquitto::keeping_sessions(), &settings)
}

fn device(site: &Site, device: &DeviceSecrets) -> MqttDevice {
    let embedded = site.program.addresses.mqtt.expect("the embedded broker");
    MqttDevice::connect(embedded, &Credential::of(device, None))
}

/// An application that Mosquitto keeps messages for while it is away.
fn application(site: &Site, name: &str, filter: &str) -> MqttDevice {
    let nobody = Credential { client_id: name.to_owned(), username: "app".to_owned(), password: String::new() };
    let application = MqttDevice::come_again(site.broker(), &nobody);
    assert!(application.subscribe(filter));
    application
}

fn says(connected: &MqttDevice, name: &str, number: usize) {
    connected.publish(&format!("/{PRODUCT}/{name}/user/n"), &json!(number));
}

fn next(application: &MqttDevice) -> Seen {
    let seen = application.next();
    application.acknowledge(&seen);
    seen
}

/// What the next messages say, by their ids: a repeat has the same.
fn ids(application: &MqttDevice, count: usize) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    while ids.len() < count {
        let body = next(application).body;
        ids.insert(body["id"].as_str().expect("an id").to_owned());
    }
    ids
}

fn published(site: &Site) -> f64 {
    site.program.metrics().sum("thingcall_mqtt_messages_total", &["result=\"published\""])
}

#[test]
fn messages_of_every_kind_come_on_the_topics_of_their_kind_and_device() {
    let site = site();
    let all = application(&site, "all", &format!("{TOPIC}/+/{PRODUCT}/told"));
    let status = application(&site, "status", &format!("{TOPIC}/status/#"));
    let connected = device(&site, &site.device("told"));
    let topic = format!("/sys/{PRODUCT}/told/thing/event/property/post");
    connected.publish(&topic, &json!({ "id": "1", "version": "1.0", "params": { "Brightness": 3 } }));
    connected.next();
    says(&connected, "told", 7);
    let mut told: Vec<_> = (0..4).map(|_| next(&all)).collect();
    // That it came is written beside what it says.
    told.sort_by_key(|seen| seen.topic.clone());
    let topics: Vec<_> = told.iter().map(|seen| seen.topic.as_str()).collect();
    let expected = ["custom", "life_cycle", "property", "status"].map(|kind| format!("{TOPIC}/{kind}/{PRODUCT}/told"));
    assert_eq!(topics, expected);
    assert!(told.iter().all(|seen| seen.qos == 1));
    let (custom, post) = (&told[0].body, &told[2].body);
    assert_eq!((&custom["type"], &custom["dataBase64"]), (&json!("custom"), &json!("Nw==")), "{custom}");
    assert_eq!((&post["data"]["items"]["Brightness"]["value"], &post["deviceName"]), (&json!(3), &json!("told")));
    assert_eq!(next(&status).body["id"], told[3].body["id"]);
}

#[test]
fn filters_of_the_configuration_let_through_what_they_say() {
    let filter = "[mqtt.messages_filter]\nkinds = [\"life_cycle\"]\nproducts = [\"a1filterxx\"]\n";
    let site = Site::external_with_plugins(&format!("[mqtt]\nmessages_topic = \"{TOPIC}\"\n{filter}"), &[]);
    site.import("a1filterxx", &[]);
    let all = application(&site, "all", &format!("{TOPIC}/#"));
    site.device("of-another-product");
    site.device_of("a1filterxx", "first");
    site.device_of("a1filterxx", "second");
    let names: Vec<Value> = (0..2).map(|_| next(&all).body["deviceName"].clone()).collect();
    assert_eq!(names, ["first", "second"]);
}

#[test]
fn nothing_is_lost_where_the_broker_and_the_server_are_started_again_in_the_middle() {
    let mut site = site();
    drop(application(&site, "outlives", &format!("{TOPIC}/custom/#")));
    let device_ = site.device("outlives");
    let connected = device(&site, &device_);
    (0..20).for_each(|number| says(&connected, "outlives", number));
    eventually("some are published", || (published(&site) >= 5.0).then_some(()));
    site.mosquitto.as_mut().expect("this site has one").end();
    (20..40).for_each(|number| says(&connected, "outlives", number));
    let written = || site.program.metrics().sum("thingcall_store_messages_written_total", &["kind=\"custom\""]);
    eventually("all are written", || (written() >= 40.0).then_some(()));
    site.program.kill();
    site.mosquitto.as_mut().expect("this site has one").start_again();
    site.start_again();
    let all = application(&site, "outlives", &format!("{TOPIC}/custom/#"));
    assert_eq!(ids(&all, 40).len(), 40);
}

#[test]
fn of_two_instances_one_publishes_each_message() {
    const MESSAGES: usize = 20;
    let first = Site::sharing(&Postgres::shared().database(), &[("MQTT__MESSAGES_TOPIC", TOPIC)]);
    let second = first.another(&[]);
    for site in [&first, &second] {
        site.is_ready();
    }
    let all = application(&first, "all", &format!("{TOPIC}/life_cycle/#"));
    for number in 0..MESSAGES / 2 {
        first.device(&format!("one-{number}"));
        second.device(&format!("other-{number}"));
    }
    let names: BTreeSet<_> = (0..MESSAGES).map(|_| next(&all).body["deviceName"].to_string()).collect();
    assert_eq!(names.len(), MESSAGES, "each once");
}
