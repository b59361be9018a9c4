//! What a key with rules may ask for.

use std::sync::Arc;

use thingcall_core::{AccessKey, Outcome};

use super::bench::{Received, Server, Setup, acs3, capture_time, signer, testid};
use crate::sign;

const LIGHTS: &str = "a1BwAGVxxxx";
const IOT_ID: &str = "Q7uOhVRdZRRlDnTLv00100";

async fn start(rules: &str) -> Server {
    let key = AccessKey { allow: Some(Arc::new(rules.parse().unwrap())), ..testid() };
    Setup { keys: vec![key], ..Setup::default() }.start().await
}

async fn ask(server: &Server, action: &str, params: &[(&str, &str)]) -> Received {
    server.send(acs3(action, params, &signer())).await
}

fn is_forbidden(received: &Received) -> bool {
    let forbidden = received.code() == "Forbidden.RAM";
    assert_eq!(forbidden, received.status == 403, "{received:?}");
    forbidden
}

#[tokio::test]
async fn each_action_is_judged_by_what_it_acts_on() {
    let pair = |name| vec![("ProductKey", LIGHTS), ("DeviceName", name)];
    let group = ("GroupId", "DEFAULT_GROUP");
    let call = |mut device: Vec<(&'static str, &'static str)>| {
        device.extend([("Identifier", "Measure"), ("Args", "{}")]);
        device
    };
    let of_product = ("ProductKey", LIGHTS);
    let message = |topic| vec![of_product, ("TopicFullName", topic), ("MessageContent", "aGVsbG8=")];
    let names = vec![of_product, ("DeviceName.1", "light1"), ("DeviceName.2", "light2")];
    let flags = vec![of_product, ("Type", "AMQP"), ("DeviceDataFlag", "true"), ("ConsumerGroupIds.1", "DEFAULT_GROUP")];
    // What is asked, and the rules that let it through: each alone, and no other of them.
    let rules = [
        "devices=a1B*/light1",
        "devices=a1B*/*",
        "products=a1BwAGVxxxx",
        "products=*",
        "groups=DEFAULT_GROUP",
        "groups=*",
    ];
    for (action, params, allowed) in [
        ("InvokeThingService", call(pair("light1")), "111100"),
        ("InvokeThingService", call(pair("light2")), "011100"),
        ("InvokeThingService", call(vec![("IotId", IOT_ID)]), "111100"),
        // The pair is not what is called.
        ("InvokeThingService", call([pair("light1"), vec![("IotId", "Q7uOhVRdZRRlDnTLv00200")]].concat()), "011100"),
        ("InvokeThingService", call(vec![("IotId", "of-nobody")]), "000100"),
        ("InvokeThingService", call(vec![of_product]), "001100"),
        ("InvokeThingService", call(vec![("DeviceName", "light1")]), "000100"),
        ("GetDeviceStatus", pair("light1"), "111100"),
        ("BatchGetDeviceState", names.clone(), "011100"),
        ("BatchGetDeviceState", names[..2].to_vec(), "111100"),
        ("BatchGetDeviceState", vec![("IotId.1", IOT_ID)], "111100"),
        ("BatchGetDeviceState", [names[..2].to_vec(), vec![("IotId.1", "of-nobody")]].concat(), "000100"),
        ("BatchGetDeviceState", vec![of_product], "001100"),
        ("BatchGetDeviceState", vec![], "000100"),
        // Who names none means all of the product, whatever IotId.N says. It once was judged by that alone.
        ("CreateFleetCall", call(vec![of_product, ("IotId.1", IOT_ID)]), "001100"),
        ("CreateFleetCall", call([names.clone(), vec![("IotId.1", IOT_ID)]].concat()), "011100"),
        ("CreateFleetCall", call(vec![of_product, ("DeviceName.2", "light1")]), "001100"),
        ("CreateFleetCall", call(vec![of_product, ("DeviceName", "light1")]), "001100"),
        ("CreateFleetCall", call(vec![of_product, ("DeviceName.1", "light1"), ("DeviceName.0", "light1")]), "001100"),
        ("InvokeThingsService", call(vec![of_product, ("IotId.1", IOT_ID)]), "001100"),
        ("SetDevicesProperty", vec![of_product, ("Items", "{}"), ("IotId.1", IOT_ID)], "001100"),
        ("BatchGetDeviceState", vec![("IotId.1", IOT_ID), ("IotId.3", IOT_ID)], "000100"),
        // It acts on the names, whatever IotId says.
        ("BatchQueryDeviceDetail", [names.clone(), vec![("IotId", IOT_ID)]].concat(), "011100"),
        // The device is the one that the topic names, where no other is named.
        ("Pub", message("/a1BwAGVxxxx/light1/user/get"), "111100"),
        ("Pub", message("/a1BwAGVxxxx/light2/user/get"), "011100"),
        ("Pub", [message("/a1BwAGVxxxx/light1/user/get"), vec![("DeviceName", "light2")]].concat(), "011100"),
        ("Pub", [message("/a1BwAGVxxxx/light1/user/get"), vec![("IotId", "of-nobody")]].concat(), "000100"),
        ("Pub", message("/other"), "001100"),
        // A topic of many is a product's, whatever device is named, in it or beside it.
        ("Pub", message("/broadcast/a1BwAGVxxxx/light1"), "001100"),
        ("Pub", [message("/broadcast/a1BwAGVxxxx/light1"), vec![("DeviceName", "light1")]].concat(), "001100"),
        ("PubBroadcast", message("/broadcast/a1BwAGVxxxx/light1"), "001100"),
        ("PubBroadcast", vec![of_product, ("DeviceName", "light1"), ("MessageContent", "aGVsbG8=")], "001100"),
        // It acts on the pair, whatever else is named.
        ("RegisterDevice", [pair("light2"), vec![("IotId", IOT_ID)]].concat(), "011100"),
        ("RegisterDevice", vec![of_product, ("IotId", IOT_ID)], "001100"),
        ("QueryThingModel", vec![of_product], "001100"),
        ("QueryThingModel", vec![("ProductKey", "other")], "000100"),
        ("CreateProduct", vec![of_product], "000100"),
        ("QueryConsumerGroupStatus", vec![group], "000011"),
        ("QueryConsumerGroupStatus", vec![("GroupId", "OTHER")], "000001"),
        ("QueryConsumerGroupStatus", vec![], "000001"),
        ("QueryConsumerGroupList", vec![group], "000001"),
        ("CreateConsumerGroup", vec![("GroupName", "name")], "000001"),
        ("CreateSubscribeRelation", flags.clone(), "000000"),
        ("QuerySubscribeRelation", vec![of_product, ("Type", "AMQP")], "001100"),
        ("CreateConsumerGroupSubscribeRelation", vec![of_product, ("ConsumerGroupId", "DEFAULT_GROUP")], "000000"),
    ] {
        let mut let_through = String::new();
        for rule in rules {
            let server = start(rule).await;
            let_through.push(if is_forbidden(&ask(&server, action, &params).await) { '0' } else { '1' });
        }
        assert_eq!(let_through, allowed, "{action} {params:?}");
    }
    let both = "products=a1BwAGVxxxx\ngroups=DEFAULT_GROUP";
    assert!(!is_forbidden(&ask(&start(both).await, "CreateSubscribeRelation", &flags).await));
    let foreign = [&flags[..], &[("ConsumerGroupIds.2", "OTHER")]].concat();
    assert!(is_forbidden(&ask(&start(both).await, "CreateSubscribeRelation", &foreign).await));
}

#[tokio::test]
async fn what_is_not_allowed_is_counted_noted_and_not_done() {
    let server = start("actions=Query*,Get*").await;
    let device = [("ProductKey", LIGHTS), ("DeviceName", "light1"), ("Identifier", "Measure"), ("Args", "{}")];
    let received = ask(&server, "InvokeThingService", &device).await;
    assert!(is_forbidden(&received));
    let text = received.json()["Message"].as_str().unwrap().to_owned();
    assert!(text.starts_with("User not authorized to operate on the specified resource"), "{text}");
    assert!(text.ends_with("allows InvokeThingService of device a1BwAGVxxxx/light1."), "{text}");
    assert!(is_forbidden(&ask(&server, "DisableThing", &device).await));
    assert!(!is_forbidden(&ask(&server, "GetDeviceStatus", &device).await));

    assert!(server.engine.requests.lock().unwrap().is_empty());
    assert_eq!(*server.engine.refused.lock().unwrap(), [Outcome::Denied], "one was a call");
    let told = server.engine.told.lock().unwrap();
    let said: Vec<_> =
        told.iter().map(|(failure, signed)| (failure.outcome, failure.device.as_str(), *signed)).collect();
    assert_eq!(said, [(Outcome::Denied, "a1BwAGVxxxx/light1", true); 2]);
    let metrics = server.metrics();
    assert!(metrics.contains("thingcall_forbidden_requests_total 2"), "{metrics}");
    assert!(metrics.contains(r#"thingcall_http_requests_total{code="403",route="InvokeThingService"} 1"#));
}

#[tokio::test]
async fn who_reads_events_is_judged_by_what_he_asks_for() {
    for (rules, query, allowed) in [
        ("actions=StreamMessages", "", true),
        ("actions=Query*", "", false),
        ("products=a1BwAGVxxxx", "", false),
        ("products=a1BwAGVxxxx", "products=a1BwAGVxxxx", true),
        ("products=a1BwAGVxxxx", "products=a1BwAGVxxxx,other", false),
        ("products=*", "", true),
        ("products=*", "group=DEFAULT_GROUP", false),
        ("groups=DEFAULT_GROUP", "group=DEFAULT_GROUP", true),
        ("groups=DEFAULT_GROUP", "products=a1BwAGVxxxx", false),
    ] {
        let server = start(rules).await;
        let params: Vec<_> = query.split_once('=').into_iter().collect();
        let query = sign::v1_request("GET", "StreamMessages", &params, &signer(), capture_time());
        let status = server.status_of(&format!("GET /events?{query} HTTP/1.1\r\nHost: here\r\n\r\n")).await;
        assert_eq!(status, if allowed { 200 } else { 403 }, "{rules} {params:?}");
    }
}

#[test]
fn every_action_has_a_name_for_rules() {
    let names: Vec<_> = crate::action_names().collect();
    assert!(
        ["InvokeThingService", "StreamMessages", "ConsumeMessages"].iter().all(|name| names.contains(name)),
        "{names:?}"
    );
}
