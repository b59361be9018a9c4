//! Several brokers at once: which of them a device is reached by, and what the loss of one does to calls by the others.

use serde_json::{Value, json};
use thingcall_tests::{
    AmqpDevice, Answer, Credential, DeviceSecrets, Mosquitto, MqttDevice, PRODUCT, Site, eventually,
};

/// Connects a device to this MQTT broker, for synchronous calls on `rrpc`.
fn connect(broker: &Mosquitto, device: &DeviceSecrets) -> MqttDevice {
    let connected = MqttDevice::connect(broker.address(), &Credential::of(device, None));
    assert!(connected.subscribe(&format!("/sys/{}/{}/rrpc/request/+", device.product, device.name)));
    connected
}

/// Answers the next call.
fn answer(connected: &MqttDevice) -> Value {
    let seen = connected.next();
    let topic = seen.topic.replace("/rrpc/request/", "/rrpc/response/");
    connected.publish(&topic, &seen.answer(&seen.body["params"]));
    seen.body["params"].clone()
}

fn args(number: u32) -> String {
    json!({ "param1": number }).to_string()
}

/// Calls, has this device answer, and checks that it did.
fn is_reached(site: &Site, device: &DeviceSecrets, connected: &MqttDevice, number: u32) {
    let waiting = site.begin_invoke(device, "testFb:testService", &args(number));
    assert_eq!(answer(connected), json!({ "param1": number }));
    assert_eq!(waiting.answer().ok().result()["data"], json!({ "param1": number }));
}

/// Has a device answer a call of long ago, from which thingcall learns where it is: of brokers that do not ask the gate
/// it hears nothing but answers.
fn speak(site: &Site, device: &DeviceSecrets, connected: &MqttDevice, transport: &str) {
    let name = format!("{}/{}", device.product, device.name);
    let topic = format!("/sys/{}/{}/thing/service/SetScene_reply", device.product, device.name);
    connected.publish(&topic, &json!({ "id": "1", "code": 200, "data": {} }));
    eventually(&format!("{name} came from {transport}"), || {
        (site.command_json(&["device", "show", &name])["cameFrom"] == transport).then_some(())
    });
}

/// A server with two Mosquittos, `mqtt` and `second`.
fn two_mosquittos(settings: &[(&str, &str)]) -> (Site, Mosquitto, Mosquitto) {
    let (first, second) = (Mosquitto::start(), Mosquitto::start());
    let urls = [&first, &second].map(|broker| format!("mqtt://{}", broker.address()));
    let mut all =
        vec![("BROKER__ENABLED", "false"), ("MQTT__URL", &urls[0]), ("MQTT_BROKERS__SECOND__URL", urls[1].as_str())];
    all.extend_from_slice(settings);
    let site = Site::embedded(&all);
    for transport in ["mqtt", "second"] {
        is_up(&site, transport, true);
    }
    (site, first, second)
}

fn is_up(site: &Site, transport: &str, up: bool) {
    let label = format!("transport={transport:?}");
    eventually(&format!("{transport} is up: {up}"), || {
        let is = site.program.metrics().sum("thingcall_transport_up", &[&label]) == 1.0;
        (is == up).then_some(())
    });
}

fn may_have_executed(answer: &Answer) {
    let (code, text) = answer.failure();
    assert_eq!(code, "iot.messagebroker.RrpcException");
    assert!(text.contains("may have executed"), "{text}");
}

#[test]
fn devices_on_two_mosquittos_are_reached_where_they_last_came_from() {
    let (site, first, second) = two_mosquittos(&[]);
    let (one, other) = (site.device("on-first"), site.device("on-second"));
    let (by_first, by_second) = (connect(&first, &one), connect(&second, &other));
    speak(&site, &one, &by_first, "mqtt");
    speak(&site, &other, &by_second, "second");

    is_reached(&site, &one, &by_first, 1);
    is_reached(&site, &other, &by_second, 2);

    // It moves.
    let moved = connect(&second, &one);
    speak(&site, &one, &moved, "second");
    is_reached(&site, &one, &moved, 3);
    assert!(!by_first.has_message(), "nothing goes where it was");
}

#[test]
fn default_transport_has_a_device_that_was_never_heard_of() {
    let (site, _first, second) = two_mosquittos(&[("ENGINE__DEFAULT_TRANSPORT", "second")]);
    let device = site.device("unheard-of");
    let connected = connect(&second, &device);

    is_reached(&site, &device, &connected, 1);
}

#[test]
fn setting_of_a_device_wins_over_its_product_and_over_where_it_came_from() {
    let (site, first, second) = two_mosquittos(&[]);
    site.import("a1SecondXXXX", &["--transport", "second"]);
    let device = eventually("the running server knows the product", || {
        let asked = site.ask("RegisterDevice", &json!({ "ProductKey": "a1SecondXXXX", "DeviceName": "set" }));
        asked.succeeded().then(|| DeviceSecrets {
            product: "a1SecondXXXX".to_owned(),
            name: "set".to_owned(),
            secret: asked.text_at("Data.DeviceSecret").to_owned(),
            iot_id: asked.text_at("Data.IotId").to_owned(),
        })
    });
    let (by_first, by_second) = (connect(&first, &device), connect(&second, &device));
    speak(&site, &device, &by_first, "mqtt");

    is_reached(&site, &device, &by_second, 1);

    let routed = site.command_json(&["device", "route", "a1SecondXXXX/set", "--transport", "mqtt"]);
    assert_eq!(routed["transport"], "mqtt");
    eventually("the running server knows", || reached_by(&site, &device, [&by_first, &by_second]).then_some(()));
    assert!(!by_second.has_message());

    site.command(&["device", "route", "a1SecondXXXX/set", "--transport", "auto"]);
    eventually("the product's counts again", || reached_by(&site, &device, [&by_second, &by_first]).then_some(()));
}

/// Calls, has whichever got the call answer, and says whether that was the first of them.
fn reached_by(site: &Site, device: &DeviceSecrets, [wanted, other]: [&MqttDevice; 2]) -> bool {
    let waiting = site.begin_invoke(device, "testFb:testService", &args(1));
    let seen = eventually("one of them is called", || {
        wanted.try_next().map(|seen| (true, seen)).or_else(|| other.try_next().map(|seen| (false, seen)))
    });
    let (is_wanted, seen) = seen;
    let by = if is_wanted { wanted } else { other };
    by.publish(&seen.topic.replace("/rrpc/request/", "/rrpc/response/"), &seen.answer(&seen.body["params"]));
    waiting.answer().ok();
    is_wanted
}

#[test]
fn transport_that_is_not_configured_is_told_and_nothing_is_sent() {
    let (site, _first, _second) = two_mosquittos(&[]);
    let added =
        site.command_json(&["device", "add", "--product", PRODUCT, "--name", "nowhere", "--transport", "third"]);
    let device = DeviceSecrets {
        product: PRODUCT.to_owned(),
        name: "nowhere".to_owned(),
        secret: String::new(),
        iot_id: added["iotId"].as_str().expect("an IotId").to_owned(),
    };

    let refused = eventually("the running server knows the device", || {
        let refused = site.invoke(&device, "Measure", "{}");
        (refused.failure().0 != "iot.device.NotExistedDevice").then_some(refused)
    });

    assert!(refused.failure().1.contains("not configured"), "{refused:?}");
}

#[test]
fn loss_of_one_mosquitto_ends_its_own_calls_and_no_others() {
    let (site, first, mut second) = two_mosquittos(&[]);
    let (one, other) = (site.device("stays"), site.device("loses"));
    let (by_first, by_second) = (connect(&first, &one), connect(&second, &other));
    speak(&site, &one, &by_first, "mqtt");
    speak(&site, &other, &by_second, "second");
    let stays = site.begin_invoke(&one, "testFb:testService", &args(1));
    let loses = site.begin_invoke(&other, "testFb:testService", &args(2));
    let (asked, _lost) = (by_first.next(), by_second.next());

    second.kill();

    may_have_executed(&loses.answer());
    is_up(&site, "second", false);
    assert_eq!(site.program.operator("/readyz").0, 200, "the other is there");
    let topic = asked.topic.replace("/rrpc/request/", "/rrpc/response/");
    by_first.publish(&topic, &asked.answer(&json!({ "param1": 1 })));
    assert_eq!(stays.answer().ok().result()["data"], json!({ "param1": 1 }));
    let refused = site.invoke(&other, "Measure", "{}");
    assert!(refused.failure().1.contains("not sent"), "{refused:?}");

    second.start_again();
    is_up(&site, "second", true);
    is_reached(&site, &other, &connect(&second, &other), 3);
}

/// The embedded broker knows who is connected to it; RabbitMQ tells of each login by the gate.
#[test]
fn embedded_broker_and_rabbitmq_serve_devices_side_by_side() {
    let mut site = Site::behind_rabbitmq(&[("BROKER__ENABLED", "true")]);
    is_up(&site, "amqp", true);
    let embedded = site.program.addresses.mqtt.expect("the embedded broker");
    let [one, other] = ["at-embedded", "at-rabbitmq"].map(|name| site.device(name));
    let by_embedded = MqttDevice::connect(embedded, &Credential::of(&one, None));
    let by_rabbitmq = AmqpDevice::connect(site.amqp(), &other);
    let call = |device, number| site.begin_invoke(device, "testFb:testService", &args(number));

    let waiting = call(&one, 1);
    answer(&by_embedded);
    waiting.answer().ok();
    call(&other, 2).answer().ok();
    assert_eq!(by_rabbitmq.called()["params"], json!({ "param1": 2 }));

    // It moves, and its first login there says so.
    drop(by_embedded);
    let moved = AmqpDevice::connect(site.amqp(), &one);
    call(&one, 3).answer().ok();
    assert_eq!(moved.called()["params"], json!({ "param1": 3 }));
    moved.leaves();
    let by_embedded = MqttDevice::connect(embedded, &Credential::of(&one, None));
    let stays = call(&one, 4);
    let asked = by_embedded.next();
    by_rabbitmq.is_silent();
    let loses = call(&other, 5);
    by_rabbitmq.called();

    site.rabbitmq.as_mut().expect("this site has one").kill();

    may_have_executed(&loses.answer());
    let topic = asked.topic.replace("/rrpc/request/", "/rrpc/response/");
    by_embedded.publish(&topic, &asked.answer(&json!({ "param1": 4 })));
    stays.answer().ok();
    assert!(site.invoke(&other, "Measure", "{}").failure().1.contains("not sent"));
}
