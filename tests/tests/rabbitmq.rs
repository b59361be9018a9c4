//! Devices that speak AMQP 0.9.1, with a client that shares nothing with ours.

use serde_json::{Value, json};
use thingcall_tests::{AmqpDevice, Attempt, DeviceSecrets, PRODUCT, Site, eventually};

use crate::sites::rabbitmq;

fn connected(site: &Site, name: &str) -> (DeviceSecrets, AmqpDevice) {
    let device = site.device(name);
    let connected = AmqpDevice::connect(site.amqp(), &device);
    (device, connected)
}

fn record(site: &Site, id: &str) -> Value {
    eventually("the record has ended", || {
        let record = site.command_json(&["explain", id]);
        (record["state"] == "ended").then_some(record)
    })
}

#[test]
fn sync_call_is_answered_by_a_device_that_speaks_amqp() {
    let site = rabbitmq();
    let (device, connected) = connected(site, "amqp-sync");
    connected.answers(200, &json!({ "mean": 2.5, "samples": [] }));

    let answer = site.invoke(&device, "Measure", r#"{"channel":3}"#).ok();

    assert_eq!(answer.result()["data"], json!({ "mean": 2.5, "samples": [] }));
    assert_eq!(connected.called()["id"], json!(answer.message_id()));
}

#[test]
fn command_is_as_the_contract_says() {
    let site = rabbitmq();
    let (device, connected) = connected(site, "amqp-contract");

    let answer = site.invoke(&device, "testFb:testService", r#"{"param1":42}"#).ok();

    assert_eq!(answer.result()["data"], json!({ "param1": 42 }));
    let called = connected.called();
    let id = answer.message_id();
    assert_eq!(called["key"], format!(".sys.{PRODUCT}.amqp-contract.thing.service.testFb:testService"));
    assert_eq!((&called["id"], &called["correlation_id"]), (&json!(id), &json!(id)));
    assert_eq!(called["method"], "thing.service.testFb:testService");
    assert_eq!(called["params"], json!({ "param1": 42 }));
    assert_eq!((&called["content_type"], &called["delivery_mode"]), (&json!("application/json"), &json!(1)));
    let left = called["expiration"].as_f64().expect("a synchronous command expires");
    assert!(left > 0.0 && left <= 8.0, "{called}");
    for (header, value) in [
        ("product_key", PRODUCT),
        ("device_name", "amqp-contract"),
        ("service", "testFb:testService"),
        ("mode", "sync"),
    ] {
        assert_eq!(called["headers"][header], value, "{called}");
    }
    let own = format!(".sys.{PRODUCT}.amqp-contract.");
    assert!(called["reply_to"].as_str().is_some_and(|key| key.starts_with(&own)), "{called}");
}

#[test]
fn async_call_to_a_device_that_speaks_amqp_is_explained_later() {
    let site = rabbitmq();
    let (device, connected) = connected(site, "amqp-async");
    connected.answers(200, &json!({ "applied": 0 }));

    let id = site.invoke(&device, "SetScene", r#"{"scene":1}"#).ok().message_id();

    let called = connected.called();
    assert_eq!((&called["id"], &called["headers"]["mode"]), (&json!(id), &json!("async")));
    let record = record(site, &id);
    assert_eq!((&record["outcome"], &record["data"]), (&json!("ok"), &json!({ "applied": 0 })));
    assert_eq!(record["transport"], "amqp");
}

#[test]
fn qos_1_command_is_persistent() {
    let site = rabbitmq();
    let (device, connected) = connected(site, "amqp-qos");
    let params = json!({
        "ProductKey": device.product, "DeviceName": device.name, "Identifier": "SetScene", "Args": "{}", "Qos": 1,
    });

    site.ask("InvokeThingService", &params).ok();

    assert_eq!(connected.called()["delivery_mode"], 2);
}

#[test]
fn code_of_the_device_comes_through_rabbitmq() {
    let site = rabbitmq();
    let (device, connected) = connected(site, "amqp-refuses");
    connected.answers(460, &json!({}));

    let answer = site.invoke(&device, "testFb:testService", r#"{"param1":1}"#).ok();

    assert_eq!(answer.result()["code"], 460);
}

/// Not after its time, which would be another code: nobody has a queue for it.
#[test]
fn device_without_a_queue_is_offline() {
    let site = rabbitmq();
    let never = site.device("amqp-never");
    let (left, connected) = connected(site, "amqp-left");
    site.invoke(&left, "testFb:testService", r#"{"param1":1}"#).ok();

    connected.leaves();

    for device in [never, left] {
        let refused = site.invoke(&device, "Measure", "{}");
        assert_eq!(refused.failure().0, "iot.messagebroker.OFFLINE", "{}", device.name);
        assert!(refused.failure().1.contains("not sent"), "{refused:?}");
        let id = site.invoke(&device, "SetScene", r#"{"scene":1}"#).ok().message_id();
        assert_eq!(record(site, &id)["outcome"], "offline", "{}", device.name);
    }
}

#[test]
fn silent_device_that_speaks_amqp_times_out_and_leaves_nothing() {
    let site = Site::embedded(&[
        ("BROKER__ENABLED", "false"),
        ("AMQP__URL", &format!("amqp://{}", rabbitmq().amqp())),
        ("AMQP__USERNAME", thingcall_tests::THINGCALL.name),
        ("AMQP__PASSWORD", thingcall_tests::THINGCALL.password),
        ("ENGINE__REPLY_TIMEOUT", "1s"),
        ("ENGINE__INSTANCE_SLOT", "1"),
    ]);
    site.is_ready();
    // The broker asks the shared site, so the device is registered there; this one knows one of the same name.
    let (_, connected) = connected(rabbitmq(), "amqp-silent");
    let device = site.device("amqp-silent");
    connected.is_silent();

    let answer = site.invoke(&device, "Measure", "{}");

    connected.called();
    assert_eq!(answer.failure().0, "iot.messagebroker.TIMEOUT");
    eventually("the entry of the call is gone", || {
        (site.program.metrics().sum("thingcall_pending_calls", &[]) == 0.0).then_some(())
    });
    // Nobody else's calls are answered either.
    eventually("it is told", || {
        site.invoke(&device, "Measure", "{}").failure();
        site.program.log().lines().find(|line| line.contains("no call of this product is answered")).map(str::to_owned)
    });
}

/// It waits in the queue of its slot.
#[test]
fn answer_that_comes_while_the_server_is_dead_completes_its_call() {
    let mut site = Site::behind_rabbitmq(&[]);
    let (device, connected) = connected(&site, "amqp-outlives");
    // The broker knows by it what the device may do: the gate dies with the server.
    site.invoke(&device, "testFb:testService", r#"{"param1":1}"#).ok();
    connected.called();
    connected.is_silent();
    let params = json!({
        "ProductKey": device.product, "DeviceName": device.name, "Identifier": "SetScene", "Args": r#"{"scene":1}"#,
        "Qos": 1,
    });
    let id = site.ask("InvokeThingService", &params).ok().message_id();
    let command = connected.called();

    site.program.kill();
    let (key, body) =
        (command["reply_to"].as_str().expect("a key"), json!({ "id": id, "code": 200, "data": { "applied": 0 } }));
    connected
        .tries(Attempt::Publish { exchange: "thingcall.replies", key, body: &body, named: true })
        .expect("its own");
    site.start_again();

    let record = record(&site, &id);
    assert_eq!((&record["outcome"], &record["data"]), (&json!("ok"), &json!({ "applied": 0 })));
}
