//! Who a device is to RabbitMQ, and what it may do there: thingcall says so, RabbitMQ sees to it.

use serde_json::{Value, json};
use thingcall_tests::{
    AmqpDevice, Attempt, Credential, DeviceSecrets, PRODUCT, RabbitUser, Site, THINGCALL, eventually,
};

use crate::sites::rabbitmq;

const REFUSED: Result<(), &str> = Err("ChannelAccessRefused");

/// An answer to this command with this data.
fn answer_to(called: &Value, data: &Value) -> Value {
    json!({ "id": called["id"], "code": 200, "data": data })
}

fn publish<'a>(exchange: &'a str, key: &'a str, body: &'a Value) -> Attempt<'a> {
    Attempt::Publish { exchange, key, body, named: true }
}

fn tries(device: &AmqpDevice, attempt: Attempt<'_>) -> Result<(), String> {
    device.tries(attempt)
}

fn assert_refused(device: &AmqpDevice, attempt: Attempt<'_>) {
    assert_eq!(
        tries(device, attempt).as_ref().map_err(String::as_str),
        REFUSED.as_ref().map_err(|why| *why),
        "{attempt:?}"
    );
}

#[test]
fn nobody_else_can_answer_for_a_device() {
    let site = rabbitmq();
    let (called, other) = (site.device("confined-called"), site.device("confined-other"));
    let (connected, intruder) = (AmqpDevice::connect(site.amqp(), &called), AmqpDevice::connect(site.amqp(), &other));
    connected.is_silent();
    let waiting = site.begin_invoke(&called, "testFb:testService", r#"{"param1":1}"#);
    let command = connected.called();
    let key = command["reply_to"].as_str().expect("a key");

    assert_refused(&intruder, publish("thingcall.replies", key, &answer_to(&command, &json!({ "param1": 666 }))));
    // Not under its own key either: the id is another device's.
    let own = key.replace("confined-called", "confined-other");
    tries(&intruder, publish("thingcall.replies", &own, &answer_to(&command, &json!({ "param1": 667 }))))
        .expect("its own");
    eventually("the wrong device's reply is counted", || {
        let labels = [r#"result="wrong_device""#, r#"transport="amqp""#];
        (site.program.metrics().sum("thingcall_replies_total", &labels) >= 1.0).then_some(())
    });
    tries(&connected, publish("thingcall.replies", key, &answer_to(&command, &json!({ "param1": 1 }))))
        .expect("its own");

    assert_eq!(waiting.answer().ok().result()["data"], json!({ "param1": 1 }));
}

#[test]
fn device_that_speaks_amqp_gets_at_nothing_of_another() {
    let site = rabbitmq();
    let (victim, other) = (site.device("confined-victim"), site.device("confined-nosy"));
    let (connected, intruder) = (AmqpDevice::connect(site.amqp(), &victim), AmqpDevice::connect(site.amqp(), &other));
    let of = |name: &str, rest: &str| format!(".sys.{PRODUCT}.{name}.{rest}");
    let body = json!({ "id": "1", "code": 200, "data": {} });

    for key in [of("confined-victim", "#"), format!(".sys.{PRODUCT}.*.#"), "#".to_owned()] {
        assert_refused(&intruder, Attempt::Bind { exchange: "thingcall.commands", key: &key });
    }
    for exchange in ["thingcall.replies", "thingcall.results", "amq.topic"] {
        assert_refused(&intruder, Attempt::Bind { exchange, key: &of("confined-nosy", "#") });
    }
    for queue in [format!("thingcall.device.{PRODUCT}.confined-victim"), "anything".to_owned()] {
        assert_refused(&intruder, Attempt::Declare(&queue));
        assert_refused(&intruder, Attempt::Consume(&queue));
    }
    let command = of("confined-victim", "thing.service.Measure");
    for (exchange, key) in [
        ("thingcall.commands", command.as_str()),
        ("thingcall.commands", &of("confined-nosy", "thing.service.Measure")),
        ("thingcall.replies", &of("confined-victim", "thing.service.Measure_reply")),
        ("thingcall.results", &command),
        ("amq.topic", &command),
    ] {
        assert_refused(&intruder, publish(exchange, key, &body));
    }

    let own = of("confined-nosy", "thing.#");
    tries(&intruder, Attempt::Bind { exchange: "thingcall.commands", key: &own }).expect("its own");
    // What was refused ended a channel each, and no more.
    for (device, speaks) in [(victim, connected), (other, intruder)] {
        site.invoke(&device, "testFb:testService", r#"{"param1":1}"#).ok();
        assert_eq!(speaks.called()["params"], json!({ "param1": 1 }));
    }
}

#[test]
fn wrong_secret_does_not_log_in() {
    let site = rabbitmq();
    let device = site.device("confined-secret");
    let wrong = DeviceSecrets { secret: "another".to_owned(), ..device.clone() };

    AmqpDevice::start(site.amqp(), &wrong, true).event("refused");

    AmqpDevice::connect(site.amqp(), &device);
}

#[test]
fn disabled_device_does_not_log_in_and_is_not_called() {
    let site = rabbitmq();
    let device = site.device("confined-disabled");
    let named = json!({ "ProductKey": device.product, "DeviceName": device.name });
    site.ask("DisableThing", &named).ok();

    let waits = AmqpDevice::start(site.amqp(), &device, true);

    waits.event("refused");
    let refused = site.invoke(&device, "Measure", "{}");
    assert_eq!(refused.failure().0, "iot.messagebroker.OFFLINE");
    assert!(refused.failure().1.contains("disabled"), "{refused:?}");
    site.ask("EnableThing", &named).ok();
    waits.event("connected");
    site.invoke(&device, "testFb:testService", r#"{"param1":1}"#).ok();
}

/// A broker that knows devices by itself and lets each do everything, and a server that believes `user_id`.
#[test]
fn user_id_vouches_for_a_reply_where_the_broker_confines_nobody() {
    let rabbitmq = rabbitmq().rabbitmq.as_ref().expect("this site has one");
    let site = Site::embedded(&[
        ("BROKER__ENABLED", "false"),
        ("AMQP__URL", &format!("amqp://{}", rabbitmq.amqp())),
        ("AMQP__USERNAME", THINGCALL.name),
        ("AMQP__PASSWORD", THINGCALL.password),
        ("AMQP__REPLIES_VOUCHED_BY", "user_id"),
        ("ENGINE__INSTANCE_SLOT", "2"),
    ]);
    site.is_ready();
    let devices = ["vouched-called", "vouched-other"].map(|name| site.device(name));
    let credentials = devices.each_ref().map(|device| {
        let client = format!("{}.{}", device.product, device.name);
        Credential::with_options(device, &client, "")
    });
    let users: Vec<_> = credentials.iter().map(|c| RabbitUser { name: &c.username, password: &c.password }).collect();
    rabbitmq.add_users(&users);
    let [called, other] = &devices;
    let (connected, intruder) =
        (AmqpDevice::connect(rabbitmq.amqp(), called), AmqpDevice::connect(rabbitmq.amqp(), other));
    site.invoke(called, "testFb:testService", r#"{"param1":9}"#).ok();
    connected.called();
    connected.is_silent();
    let waiting = site.begin_invoke(called, "testFb:testService", r#"{"param1":1}"#);
    let command = connected.called();
    let key = command["reply_to"].as_str().expect("a key");
    let forged = answer_to(&command, &json!({ "param1": 666 }));
    let published = |named| Attempt::Publish { exchange: "thingcall.replies", key, body: &forged, named };

    tries(&intruder, published(true)).expect("the broker confines nobody");
    tries(&intruder, published(false)).expect("the broker confines nobody");
    tries(&connected, published(false)).expect("the broker confines nobody");
    tries(&connected, publish("thingcall.replies", key, &answer_to(&command, &json!({ "param1": 1 }))))
        .expect("its own");

    assert_eq!(waiting.answer().ok().result()["data"], json!({ "param1": 1 }));
}
