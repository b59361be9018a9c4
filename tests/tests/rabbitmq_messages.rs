//! Messages of every kind on a topic exchange of RabbitMQ.

use std::collections::BTreeSet;

use serde_json::json;
use thingcall_tests::{
    CONSUMER, Credential, DeviceSecrets, MqttDevice, PRODUCT, Postgres, ResultConsumer, Site, THINGCALL, eventually,
};

use crate::sites::rabbitmq;

const EXCHANGE: &str = "thingcall.messages";

/// The devices are on the embedded broker, so that they can speak while RabbitMQ is dead.
fn site() -> Site {
    Site::behind_rabbitmq(&[("BROKER__ENABLED", "true"), ("AMQP__MESSAGES_EXCHANGE", EXCHANGE)])
}

fn leave_queue(site: &Site, queue: &str, key: &str) {
    ResultConsumer::leave_queue_of(EXCHANGE, (site.amqp(), CONSUMER), queue, key);
}

fn read(site: &Site, queue: &str, key: &str) -> ResultConsumer {
    ResultConsumer::read_of(EXCHANGE, (site.amqp(), CONSUMER), queue, key)
}

fn connect(site: &Site, device: &DeviceSecrets) -> MqttDevice {
    let embedded = site.program.addresses.mqtt.expect("the embedded broker");
    MqttDevice::connect(embedded, &Credential::of(device, None))
}

fn says(connected: &MqttDevice, name: &str, number: usize) {
    connected.publish(&format!("/{PRODUCT}/{name}/user/n"), &json!(number));
}

fn numbers(consumer: &ResultConsumer, count: usize) -> BTreeSet<u64> {
    (0..count).filter_map(|_| consumer.result()["body"].as_u64()).collect()
}

#[test]
fn messages_of_every_kind_come_under_their_keys_also_to_who_was_away() {
    let site = site();
    let key = format!("*.{PRODUCT}.told");
    leave_queue(&site, "told", &key);
    leave_queue(&site, "told-status", "status.#");
    let connected = connect(&site, &site.device("told"));
    let topic = format!("/sys/{PRODUCT}/told/thing/event/property/post");
    connected.publish(&topic, &json!({ "id": "1", "version": "1.0", "params": { "Brightness": 3 } }));
    connected.next();
    says(&connected, "told", 7);

    let consumer = read(&site, "told", &key);
    let mut all: Vec<_> = (0..4).map(|_| consumer.result()).collect();
    // That it came is written beside what it says.
    all.sort_by_key(|told| told["key"].to_string());
    let keys: Vec<_> = all.iter().map(|told| told["key"].as_str().expect("a key")).collect();
    let expected = ["custom", "life_cycle", "property", "status"].map(|kind| format!("{kind}.{PRODUCT}.told"));
    assert_eq!(keys, expected);
    let post = &all[2];
    assert_eq!((&post["content_type"], &post["delivery_mode"]), (&json!("application/json"), &json!(2)));
    assert_eq!(post["body"]["items"]["Brightness"]["value"], 3, "{post}");
    assert_eq!((&post["headers"]["kind"], &post["headers"]["deviceName"]), (&json!("property"), &json!("told")));
    assert_eq!(post["headers"]["topic"], format!("/{PRODUCT}/told/thing/event/property/post"));
    assert_eq!((&all[0]["body"], &all[0]["content_type"]), (&json!(7), &json!("application/octet-stream")));
    let ids: BTreeSet<_> = all.iter().filter_map(|told| told["message_id"].as_str()).collect();
    assert!(ids.len() == 4 && ids.iter().all(|id| id.len() == 19), "{ids:?}");
    assert_eq!(read(&site, "told-status", "status.#").result()["message_id"], all[3]["message_id"]);
}

#[test]
fn messages_wait_for_a_dead_rabbitmq_and_survive_a_crash_of_ours() {
    let mut site = site();
    leave_queue(&site, "outlive", "custom.#");
    let device = site.device("outlive");
    let connected = connect(&site, &device);
    site.rabbitmq.as_mut().expect("this site has one").kill();
    (0..20).for_each(|number| says(&connected, "outlive", number));
    let written = || site.program.metrics().sum("thingcall_store_messages_written_total", &["kind=\"custom\""]);
    eventually("all are written", || (written() >= 20.0).then_some(()));
    site.program.kill();
    site.start_again();
    site.rabbitmq.as_mut().expect("this site has one").start_again();
    let consumer = read(&site, "outlive", "custom.#");
    assert_eq!(numbers(&consumer, 20), (0..20).collect());
    let connected = connect(&site, &device);
    (20..40).for_each(|number| says(&connected, "outlive", number));
    // Each came once: nothing is before the next ones.
    assert_eq!(numbers(&consumer, 20), (20..40).collect());
}

#[test]
fn of_two_instances_one_publishes_each_message() {
    const MESSAGES: usize = 40;
    let (url, exchange) = (format!("amqp://{}", rabbitmq().amqp()), "thingcall.shared-messages");
    let settings = [
        ("AMQP__URL", &*url),
        ("AMQP__USERNAME", THINGCALL.name),
        ("AMQP__PASSWORD", THINGCALL.password),
        ("AMQP__AMQP_DEVICES", "false"),
        ("AMQP__MESSAGES_EXCHANGE", exchange),
    ];
    let first = Site::sharing(&Postgres::shared().database(), &settings);
    let second = first.another(&[]);
    for site in [&first, &second] {
        site.is_ready();
    }
    let consumer = ResultConsumer::read_of(exchange, (rabbitmq().amqp(), CONSUMER), "shared-messages", "life_cycle.#");
    for number in 0..MESSAGES / 2 {
        first.device(&format!("one-{number}"));
        second.device(&format!("other-{number}"));
    }
    let names: BTreeSet<_> =
        (0..MESSAGES).map(|_| consumer.result()["body"]["deviceName"].as_str().map(str::to_owned)).collect();
    assert_eq!(names.len(), MESSAGES, "each once");
    first.device("last");
    assert_eq!(consumer.result()["body"]["deviceName"], "last");
}
