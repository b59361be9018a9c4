//! Results of asynchronous calls on a topic exchange of RabbitMQ, in the platform's form.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use thingcall_tests::{
    AmqpDevice, CONSUMER, Credential, DeviceSecrets, MqttDevice, PRODUCT, ResultConsumer, Site, eventually,
};

use crate::sites::rabbitmq;

/// Declares a durable queue for this key and goes away.
fn leave_queue(site: &Site, queue: &str, key: &str) {
    ResultConsumer::leave_queue(site.amqp(), CONSUMER, queue, key);
}

/// Comes back to it.
fn read(site: &Site, queue: &str, key: &str) -> ResultConsumer {
    ResultConsumer::read(site.amqp(), CONSUMER, queue, key)
}

fn request_id(result: &Value) -> String {
    result["body"]["requestId"].as_u64().expect("a number").to_string()
}

fn call(site: &Site, device: &DeviceSecrets, service: &str, args: &Value) -> String {
    site.invoke(device, service, &args.to_string()).ok().message_id()
}

#[test]
fn consumer_that_was_away_finds_the_result() {
    let site = rabbitmq();
    let device = site.device("results");
    let connected = AmqpDevice::connect(site.amqp(), &device);
    connected.answers(200, &json!({ "applied": 1 }));
    let key = format!("{PRODUCT}.*.*.results");
    leave_queue(site, "results-away", &key);

    let id = call(site, &device, "SetScene", &json!({ "scene": 1 }));
    connected.called();

    let result = read(site, "results-away", &key).result();
    assert_eq!(result["key"], format!("{PRODUCT}.-.SetScene.results"));
    assert_eq!((&result["content_type"], &result["delivery_mode"]), (&json!("application/json"), &json!(2)));
    assert_eq!(result["headers"]["topic"], format!("/{PRODUCT}/results/thing/downlink/reply/message"));
    assert!(result["message_id"].as_str().is_some_and(|of| of.contains(&id)), "{result}");
    let body = &result["body"];
    let members: BTreeSet<_> = body.as_object().expect("an object").keys().map(String::as_str).collect();
    let documented =
        ["gmtCreate", "iotId", "productKey", "deviceName", "requestId", "code", "message", "topic", "data"];
    assert_eq!(members, BTreeSet::from(documented));
    assert_eq!(request_id(&result), id);
    assert_eq!((&body["productKey"], &body["deviceName"]), (&json!(PRODUCT), &json!("results")));
    assert_eq!(body["iotId"], json!(device.iot_id));
    assert_eq!((&body["code"], &body["data"]), (&json!(200), &json!({ "applied": 1 })));
    assert_eq!(body["topic"], format!("/sys/{PRODUCT}/results/thing/service/SetScene_reply"));
    assert!(
        body["message"].is_string() && body["gmtCreate"].as_u64().is_some_and(|ms| ms > 1_700_000_000_000),
        "{body}"
    );
}

#[test]
fn result_of_a_device_that_is_away_has_the_platforms_code() {
    let site = rabbitmq();
    let (never, left) = (site.device("results-never"), site.device("results-left"));
    AmqpDevice::connect(site.amqp(), &left).leaves();

    for (device, code) in [(never, 9200), (left, 9201)] {
        let key = format!("{PRODUCT}.#.{}", device.name);
        leave_queue(site, &device.name, &key);
        let id = call(site, &device, "SetScene", &json!({ "scene": 1 }));
        let result = read(site, &device.name, &key).result();
        assert_eq!(request_id(&result), id);
        assert_eq!(result["body"]["code"], code, "{result}");
    }
}

/// The device is on the embedded broker, so that it can answer meanwhile.
#[test]
fn result_waits_for_a_dead_rabbitmq_and_survives_a_crash_of_ours() {
    let mut site = Site::behind_rabbitmq(&[("BROKER__ENABLED", "true")]);
    let device = site.device("results-outlive");
    let key = format!("{PRODUCT}.#");
    leave_queue(&site, "results-outlive", &key);
    let connect = |site: &Site| {
        let embedded = site.program.addresses.mqtt.expect("the embedded broker");
        MqttDevice::connect(embedded, &Credential::of(&device, None))
    };
    let answer = |connected: &MqttDevice| {
        let seen = connected.next();
        connected.publish(&format!("{}_reply", seen.topic), &seen.answer(&json!({ "applied": 1 })));
    };
    let connected = connect(&site);
    site.rabbitmq.as_mut().expect("this site has one").kill();
    let first = call(&site, &device, "SetScene", &json!({ "scene": 1 }));
    answer(&connected);
    eventually("the record has ended", || (site.command_json(&["explain", &first])["state"] == "ended").then_some(()));

    site.program.kill();
    site.start_again();
    site.rabbitmq.as_mut().expect("this site has one").start_again();
    let connected = connect(&site);
    let second = call(&site, &device, "SetScene", &json!({ "scene": 2 }));
    answer(&connected);

    let consumer = read(&site, "results-outlive", &key);
    assert_eq!([request_id(&consumer.result()), request_id(&consumer.result())], [first, second]);
    // Each came once: nothing is before the next one.
    let third = call(&site, &device, "SetScene", &json!({ "scene": 0 }));
    answer(&connected);
    assert_eq!(request_id(&consumer.result()), third);
}

#[test]
fn result_of_an_mqtt_device_is_published_too() {
    let site = rabbitmq();
    let (device, connected) = site.linkkit("results-mqtt");
    connected.answers(460, &json!({}));
    let key = format!("{PRODUCT}.#.results-mqtt");
    leave_queue(site, "results-mqtt", &key);

    let id = call(site, &device, "SetScene", &json!({ "scene": 1 }));

    let result = read(site, "results-mqtt", &key).result();
    assert_eq!(request_id(&result), id);
    assert_eq!(result["body"]["code"], 460, "{result}");
}

#[test]
fn routing_key_lets_a_consumer_choose_a_module() {
    let site = rabbitmq();
    let device = site.device("results-module");
    let connected = AmqpDevice::connect(site.amqp(), &device);
    let key = "*.testFb.*.results-module";
    leave_queue(site, "results-module", key);

    call(site, &device, "SetScene", &json!({ "scene": 1 }));
    connected.called();
    let id = call(site, &device, "testFb:resetLater", &json!({ "delay": 1.5 }));
    connected.called();

    let first = read(site, "results-module", key).result();
    assert_eq!(first["key"], format!("{PRODUCT}.testFb.resetLater.results-module"));
    assert_eq!(request_id(&first), id);
}
