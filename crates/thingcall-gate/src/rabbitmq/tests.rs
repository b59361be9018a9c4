//! RabbitMQ's questions, byte for byte as 3.10.8 sent them, and what devices may do there.

use axum::http::StatusCode;
use futures::FutureExt;
use proptest::prelude::*;

use super::*;
use crate::tests::bench::{Bench, config, device, password, secret};
use crate::{Config, amqp_client_id};

/// What RabbitMQ asked while a device connected, subscribed and published, and what it was told.
const RECORDED: &[(&str, &str, &str)] = &[
    (
        "user",
        "username=devA%26pk1&password=PASSWORD&vhost=%2F&client_id=pk1%26devA%7Cext%3D1%2Ctimestamp%3D1%7C",
        "allow",
    ),
    ("user", "username=devA%26pk1&password=wrong&vhost=%2F&client_id=pk1%26devA%7Cext%3D1%2Ctimestamp%3D1%7C", "deny"),
    (
        "vhost",
        "username=devA%26pk1&vhost=%2F&ip=127.0.0.1&tags=&client_id=pk1%26devA%7Cext%3D1%2Ctimestamp%3D1%7C",
        "allow",
    ),
    (
        "resource",
        "username=devA%26pk1&vhost=%2F&resource=queue&name=mqtt-subscription-pk1%26devA%7Cext%3D1%2Ctimestamp%3D1%7Cqos1\
         &permission=configure&tags=&client_id=pk1%26devA%7Cext%3D1%2Ctimestamp%3D1%7C",
        "allow",
    ),
    (
        "resource",
        "username=devA%26pk1&vhost=%2F&resource=exchange&name=amq.topic&permission=read&tags=\
         &client_id=pk1%26devA%7Cext%3D1%2Ctimestamp%3D1%7C",
        "allow",
    ),
    (
        "topic",
        "username=devA%26pk1&vhost=%2F&resource=topic&name=amq.topic&permission=read&tags=\
         &routing_key=.sys.pk1.devA.rrpc.request.%2A&variable_map.client_id=pk1%26devA%7Cext%3D1%2Ctimestamp%3D1%7C\
         &variable_map.username=devA%26pk1&variable_map.vhost=%2F",
        "allow",
    ),
    (
        "topic",
        "username=devA%26pk1&vhost=%2F&resource=topic&name=amq.topic&permission=write&tags=\
         &routing_key=.sys.pk1.devA.rrpc.response.1&variable_map.client_id=pk1%26devA%7Cext%3D1%2Ctimestamp%3D1%7C\
         &variable_map.username=devA%26pk1&variable_map.vhost=%2F",
        "allow",
    ),
    (
        "topic",
        "username=devA%26pk1&vhost=%2F&resource=topic&name=amq.topic&permission=read&tags=\
         &routing_key=.sys.pk1.%2A.rrpc.request.%2A&variable_map.client_id=pk1%26devA%7Csecuremode%3D3%7C\
         &variable_map.username=devA%26pk1&variable_map.vhost=%2F",
        "deny",
    ),
    (
        "topic",
        "username=devA%26pk1&vhost=%2F&resource=topic&name=amq.topic&permission=read&tags=\
         &routing_key=%23&variable_map.client_id=pk1%26devA%7Csecuremode%3D3%7C\
         &variable_map.username=devA%26pk1&variable_map.vhost=%2F",
        "deny",
    ),
    (
        "topic",
        "username=devA%26pk1&vhost=%2F&resource=topic&name=amq.topic&permission=write&tags=\
         &routing_key=.sys.pk1.devB.rrpc.response.1&variable_map.client_id=pk1%26devA%7Csecuremode%3D3%7C\
         &variable_map.username=devA%26pk1&variable_map.vhost=%2F",
        "deny",
    ),
    ("user", "username=router&password=router%27s&vhost=%2F&client_id=router", "allow monitoring"),
    ("user", "username=router&password=wrong&vhost=%2F&client_id=router", "deny"),
    ("vhost", "username=router&vhost=%2F&ip=127.0.0.1&tags=monitoring&client_id=router", "allow"),
    (
        "topic",
        "username=router&vhost=%2F&resource=topic&name=amq.topic&permission=read&tags=monitoring&routing_key=.sys.%23\
         &variable_map.client_id=router&variable_map.username=router&variable_map.vhost=%2F",
        "allow",
    ),
];

#[tokio::test]
async fn recorded_questions_are_answered_by_post_and_by_get() {
    let bench = Bench::new();
    let password = password(&device("devA"), "pk1&devA|ext=1,timestamp=1|");
    for (question, form, expected) in RECORDED {
        let (path, form) = (format!("/rabbitmq/{question}"), form.replace("PASSWORD", &password));
        let ok = (StatusCode::OK, (*expected).to_owned());
        assert_eq!(bench.form(&path, &form).await, ok, "{form}");
        assert_eq!(bench.get(&format!("{path}?{form}")).await, ok, "{form}");
    }
}

const MQTT: &str = "pk1&devA|securemode=3|";

async fn resource(bench: &Bench, client_id: Option<&str>, (kind, name, permission): (&str, &str, &str)) -> String {
    let mut fields =
        vec![("username", "devA&pk1"), ("vhost", "/"), ("resource", kind), ("name", name), ("permission", permission)];
    fields.extend(client_id.map(|id| ("client_id", id)));
    bench.text("/rabbitmq/resource", &fields).await
}

#[tokio::test]
async fn an_mqtt_device_gets_the_queues_of_its_client_id_and_no_others() {
    let bench = Bench::new();
    for (name, expected) in [
        ("mqtt-subscription-pk1&devA|securemode=3|qos0", "allow"),
        ("mqtt-subscription-pk1&devA|securemode=3|qos1", "allow"),
        ("mqtt-subscription-pk1&devA|securemode=3|qos2", "deny"),
        ("mqtt-subscription-pk1&devB|securemode=3|qos1", "deny"),
        ("mqtt-subscription-pk1&devA|securemode=3|", "deny"),
        ("mqtt-subscription-pk1&devA|securemode=3|qos1qos1", "deny"),
        ("thingcall.device.pk1.devA", "deny"),
        ("", "deny"),
    ] {
        for permission in ["configure", "read", "write"] {
            assert_eq!(resource(&bench, Some(MQTT), ("queue", name, permission)).await, expected, "{name}");
        }
        assert_eq!(resource(&bench, Some(MQTT), ("queue", name, "own")).await, "deny");
    }
}

/// One SDK writes line feeds into its client id. RabbitMQ asks with them for the id and without them for the queue.
#[tokio::test]
async fn a_client_id_with_line_feeds_has_the_queue_without_them_and_no_other_device_has_it() {
    let bench = Bench::new();
    let client_id = "free|securemode=3,\n  signmethod=hmacsha1|";
    let joined = client_id.replace('\n', "");
    for name in [client_id, &joined] {
        let queue = format!("mqtt-subscription-{name}qos1");
        assert_eq!(resource(&bench, Some(client_id), ("queue", &queue, "read")).await, "allow", "{name:?}");
    }
    let other = [("username", "devB&pk1"), ("vhost", "/"), ("client_id", joined.as_str())];
    assert_eq!(bench.text("/rabbitmq/vhost", &other).await, "deny", "it would get the same queue");
    assert_eq!(bench.refusals("rabbitmq", "client_id_taken"), 1);
}

#[tokio::test]
async fn an_amqp_device_gets_its_own_queue_reads_commands_and_writes_replies() {
    let bench = Bench::new();
    let (commands, replies, queue) = ("thingcall.commands", "thingcall.replies", "thingcall.device.pk1.devA");
    for (resource_of, expected) in [
        (("queue", queue, "configure"), "allow"),
        (("queue", queue, "write"), "allow"),
        (("queue", queue, "read"), "allow"),
        (("queue", "thingcall.device.pk1.devA.", "read"), "deny"),
        (("queue", "thingcall.device.pk1.devB", "read"), "deny"),
        (("queue", "mqtt-subscription-qos1", "read"), "deny"),
        (("exchange", commands, "read"), "allow"),
        (("exchange", commands, "write"), "deny"),
        (("exchange", commands, "configure"), "deny"),
        (("exchange", replies, "write"), "allow"),
        (("exchange", replies, "read"), "deny"),
        (("exchange", replies, "configure"), "deny"),
        (("exchange", "amq.topic", "read"), "deny"),
        (("exchange", "amq.topic", "write"), "deny"),
        (("exchange", "amq.default", "write"), "deny"),
        (("exchange", "", "write"), "deny"),
        (("topic", replies, "write"), "deny"),
    ] {
        assert_eq!(resource(&bench, None, resource_of).await, expected, "{resource_of:?}");
    }
    let topic = async |name: &str, permission: &str, routing_key: &str| {
        let (resource, who) = (("resource", "topic"), ("username", "devA&pk1"));
        let fields = [who, ("vhost", "/"), resource, ("name", name), ("permission", permission)];
        bench.text("/rabbitmq/topic", &[&fields[..], &[("routing_key", routing_key)]].concat()).await
    };
    assert_eq!(topic(commands, "read", ".sys.pk1.devA.#").await, "allow");
    assert_eq!(topic(commands, "read", "#").await, "deny");
    assert_eq!(topic(commands, "write", ".sys.pk1.devA.x").await, "deny");
    assert_eq!(topic(replies, "write", ".sys.pk1.devA.thing.service.x_reply").await, "allow");
    assert_eq!(topic(replies, "write", ".sys.pk1.devB.thing.service.x_reply").await, "deny");
    assert_eq!(topic(replies, "read", ".sys.pk1.devA.#").await, "deny");
}

#[tokio::test]
async fn an_amqp_device_signs_the_client_id_it_has_not_sent() {
    let bench = Bench::new();
    let device_a = device("devA");
    let password = password(&device_a, &amqp_client_id(&device_a));
    let login = async |username: &str, password: &str| {
        bench.text("/rabbitmq/user", &[("username", username), ("password", password)]).await
    };

    assert_eq!(login("devA&pk1", &password).await, "allow");
    assert_eq!(bench.devices.admitted.lock().unwrap()[0].2, None);
    assert_eq!(login("devB&pk1", &password).await, "deny");
    assert_eq!(login("devA&pk1", secret(&device_a).expose()).await, "deny");
    assert_eq!(login("devA&pk1", "").await, "deny");
    assert_eq!(bench.text("/rabbitmq/user", &[("username", "devA&pk1")]).await, "deny");
}

#[tokio::test]
async fn no_name_with_a_dot_gets_in() {
    let bench = Bench::new();
    let dotted = device("devA.rrpc");
    bench.devices.put(&dotted, true);
    let right = password(&dotted, &amqp_client_id(&dotted));
    let user = [("username", "devA.rrpc&pk1"), ("password", &right), ("vhost", "/")];

    assert_eq!(bench.text("/rabbitmq/user", &user).await, "deny");
    assert_eq!(bench.text("/rabbitmq/vhost", &user).await, "deny");
    assert!(bench.devices.admitted.lock().unwrap().is_empty());
}

#[tokio::test]
async fn no_other_virtual_host_is_entered() {
    let bench = Bench::new();
    for (user, vhost, expected) in [
        ("devA&pk1", "/", "allow"),
        ("devA&pk1", "other", "deny"),
        ("router", "/", "allow"),
        ("router", "other", "deny"),
        ("guest", "/", "deny"),
    ] {
        assert_eq!(bench.text("/rabbitmq/vhost", &[("username", user), ("vhost", vhost)]).await, expected, "{user}");
    }
}

#[tokio::test]
async fn later_questions_with_another_devices_client_id_are_refused() {
    let bench = Bench::with(Config { free_client_ids: false, ..config() });
    for (client_id, expected) in [(MQTT, "allow"), ("pk1&devB|securemode=3|", "deny"), ("free text", "deny")] {
        let fields = [("username", "devA&pk1"), ("vhost", "/"), ("client_id", client_id)];
        assert_eq!(bench.text("/rabbitmq/vhost", &fields).await, expected, "{client_id}");
    }
}

fn level() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec!["", "sys", "pk1", "devA", "devB", "ext", "rrpc", "user", "*", "#", "+", "a/b", "x"])
}

fn routing_key() -> impl Strategy<Value = String> {
    let start = proptest::sample::select(vec![
        "",
        ".sys.pk1.devA",
        ".ext.rrpc.7.sys.pk1.devA",
        ".pk1.devA.user",
        ".broadcast.pk1",
    ]);
    (start, proptest::collection::vec(level(), 0..6))
        .prop_map(|(start, levels)| levels.iter().fold(start.to_owned(), |key, level| key + "." + level))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn a_routing_key_is_allowed_if_its_topic_is(key in routing_key(), write in proptest::bool::ANY) {
        let bench = Bench::new();
        let permission = if write { "write" } else { "read" };
        let fields = form_urlencoded::Serializer::new(String::new()).extend_pairs([
            ("username", "devA&pk1"), ("vhost", "/"), ("name", "amq.topic"), ("permission", permission),
            ("routing_key", &key), ("variable_map.client_id", MQTT),
        ]).finish();
        let fields = Fields::of_form(fields.as_bytes()).unwrap();
        let allowed = Question::Topic.decide(&bench.gate.keeper, &fields).now_or_never().unwrap().is_ok();

        let topic = key.replace('.', "/").replace('*', "+");
        let may = if write { alink::may_publish } else { alink::may_subscribe };
        prop_assert_eq!(allowed, !key.contains(['/', '+']) && may(&device("devA"), &topic));
    }
}
