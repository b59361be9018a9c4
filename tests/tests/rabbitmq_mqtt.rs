//! MQTT devices on RabbitMQ's MQTT plugin: thingcall reaches them by AMQP, and has no MQTT connection itself.

use serde_json::{Value, json};
use thingcall_tests::{AmqpDevice, Credential, DeviceSecrets, MqttDevice, PRODUCT, Site, eventually};

use crate::sites::rabbitmq;

/// A device that takes synchronous calls on `/sys/.../rrpc/request/+`, as its client id says by saying nothing.
fn rrpc_device(site: &Site, name: &str) -> (DeviceSecrets, MqttDevice) {
    let device = site.device(name);
    let connected = MqttDevice::connect(site.broker(), &Credential::of(&device, None));
    assert!(connected.subscribe(&format!("/sys/{PRODUCT}/{name}/rrpc/request/+")));
    (device, connected)
}

fn record(site: &Site, id: &str) -> Value {
    eventually("the record has ended", || {
        let record = site.command_json(&["explain", id]);
        (record["state"] == "ended").then_some(record)
    })
}

fn answer_next(connected: &MqttDevice, data: &Value) {
    let seen = connected.next();
    connected.publish(&seen.topic.replace("/rrpc/request/", "/rrpc/response/"), &seen.answer(data));
    connected.acknowledge(&seen);
}

/// Nobody said on which topic it takes calls but its own client id, when it logged in.
#[test]
fn sync_call_reaches_the_official_device_sdk_by_the_topic_its_login_names() {
    let site = rabbitmq();
    let (device, connected) = site.linkkit("mqtt-sync");
    connected.answers(200, &json!({ "mean": 2.5, "samples": [] }));

    let answer = site.invoke(&device, "Measure", r#"{"channel":3}"#).ok();

    assert_eq!(answer.result()["data"], json!({ "mean": 2.5, "samples": [] }));
    assert_eq!(connected.called()["id"], json!(answer.message_id()));
}

#[test]
fn module_service_and_code_come_through_the_plugin() {
    let site = rabbitmq();
    let (device, connected) = site.linkkit("mqtt-module");

    let answer = site.invoke(&device, "testFb:testService", r#"{"param1":42}"#).ok();
    connected.answers(460, &json!({}));
    let refused = site.invoke(&device, "testFb:testService", r#"{"param1":42}"#).ok();

    assert_eq!(answer.result()["data"], json!({ "param1": 42 }));
    assert_eq!(connected.called()["identifier"], "testFb:testService");
    assert_eq!(refused.result()["code"], 460);
}

#[test]
fn async_call_through_the_plugin_is_explained_later() {
    let site = rabbitmq();
    let (device, connected) = site.linkkit("mqtt-async");
    connected.answers(200, &json!({ "applied": 0 }));

    let id = site.invoke(&device, "SetScene", r#"{"scene":1}"#).ok().message_id();

    connected.called();
    let record = record(site, &id);
    assert_eq!((&record["outcome"], &record["data"]), (&json!("ok"), &json!({ "applied": 0 })));
    assert_eq!(record["transport"], "amqp");
}

#[test]
fn sync_call_reaches_a_device_that_knows_the_topic_for_raw_calls() {
    let site = rabbitmq();
    let (device, connected) = rrpc_device(site, "mqtt-rrpc");

    let waiting = site.begin_invoke(&device, "testFb:testService", r#"{"param1":7}"#);

    answer_next(&connected, &json!({ "param1": 7 }));
    assert_eq!(waiting.answer().ok().result()["data"], json!({ "param1": 7 }));
}

/// Not after its time, which would be another code.
#[test]
fn absent_mqtt_device_is_offline() {
    let site = rabbitmq();
    let never = site.device("mqtt-never");
    let (left, connected) = rrpc_device(site, "mqtt-left");
    let waiting = site.begin_invoke(&left, "testFb:testService", r#"{"param1":7}"#);
    answer_next(&connected, &json!({ "param1": 7 }));
    waiting.answer().ok();

    drop(connected);

    // RabbitMQ keeps its queue until it notices that the connection is gone.
    eventually("the device is offline", || {
        let failure = site.invoke(&left, "Measure", "{}");
        (failure.failure().0 == "iot.messagebroker.OFFLINE").then_some(())
    });
    assert_eq!(site.invoke(&never, "Measure", "{}").failure().0, "iot.messagebroker.OFFLINE");
    for device in [never, left] {
        let id = site.invoke(&device, "SetScene", r#"{"scene":1}"#).ok().message_id();
        assert_eq!(record(site, &id)["outcome"], "offline", "{}", device.name);
    }
}

#[test]
fn async_call_to_an_official_device_that_left_is_recorded_as_offline() {
    let site = rabbitmq();
    let (device, connected) = site.linkkit("mqtt-gone");
    site.invoke(&device, "testFb:testService", r#"{"param1":1}"#).ok();

    connected.kill();

    eventually("an asynchronous call finds nobody", || {
        let id = site.invoke(&device, "SetScene", r#"{"scene":1}"#).ok().message_id();
        let record = site.command_json(&["explain", &id]);
        (record["outcome"] == "offline").then_some(())
    });
}

#[test]
fn mqtt_device_gets_at_nothing_of_another() {
    let site = rabbitmq();
    let (victim, connected) = rrpc_device(site, "mqtt-victim");
    let other = site.device("mqtt-nosy");
    let log_in = || MqttDevice::connect(site.broker(), &Credential::of(&other, None));
    let waiting = site.begin_invoke(&victim, "testFb:testService", r#"{"param1":7}"#);
    let seen = connected.next();
    let answer_topic = seen.topic.replace("/rrpc/request/", "/rrpc/response/");

    // RabbitMQ ends the connection of who may not.
    let intruder = log_in();
    intruder.publish(&answer_topic, &seen.answer(&json!({ "param1": 666 })));
    intruder.gone();
    for filter in [format!("/sys/{PRODUCT}/mqtt-victim/rrpc/request/+"), format!("/sys/{PRODUCT}/+/rrpc/request/+")] {
        let intruder = log_in();
        intruder.asks_for(&filter);
        intruder.gone();
    }

    connected.publish(&answer_topic, &seen.answer(&json!({ "param1": 7 })));
    assert_eq!(waiting.answer().ok().result()["data"], json!({ "param1": 7 }));
}

#[test]
fn disabled_device_does_not_log_in_by_mqtt() {
    let site = rabbitmq();
    let device = site.device("mqtt-disabled");
    let named = json!({ "ProductKey": device.product, "DeviceName": device.name });
    let credential = Credential::of(&device, None);

    site.ask("DisableThing", &named).ok();
    MqttDevice::try_connect(site.broker(), &credential).expect_err("a disabled device is refused");
    site.ask("EnableThing", &named).ok();

    eventually("it is let in", || MqttDevice::try_connect(site.broker(), &credential).ok());
}

/// RabbitMQ remembers an answer of ours for seconds, and no longer.
#[test]
fn device_that_was_there_is_refused_once_it_is_disabled() {
    let site = rabbitmq();
    let device = site.device("mqtt-disabled-later");
    let credential = Credential::of(&device, None);
    drop(MqttDevice::connect(site.broker(), &credential));

    site.command(&["device", "disable", &format!("{PRODUCT}/mqtt-disabled-later")]);

    eventually("it is refused", || MqttDevice::try_connect(site.broker(), &credential).err());
}

#[test]
fn device_with_an_amqp_queue_is_not_called_by_mqtt_too() {
    let site = rabbitmq();
    let (device, by_mqtt) = rrpc_device(site, "mqtt-and-amqp");
    let by_amqp = AmqpDevice::connect(site.amqp(), &device);

    site.invoke(&device, "testFb:testService", r#"{"param1":7}"#).ok();
    by_amqp.called();
    by_amqp.leaves();

    let waiting = site.begin_invoke(&device, "testFb:testService", r#"{"param1":8}"#);
    let seen = by_mqtt.next();
    assert_eq!(seen.body["params"], json!({ "param1": 8 }), "the first never came here");
    by_mqtt.publish(&seen.topic.replace("/rrpc/request/", "/rrpc/response/"), &seen.answer(&json!({ "param1": 8 })));
    waiting.answer().ok();
}
