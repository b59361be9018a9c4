//! Answers held against the models of the official SDK: what a model has and an answer lacks stands here, and nothing that no
//! model reads is sent.

use serde_json::{Value, json};
use thingcall_tests::{Answer, PRODUCT, Sdk, Site, eventually, invocation};

use crate::sites::embedded;

/// What answers lack whose actions succeed: the codes and words of failures.
const OF_FAILURES: [&str; 2] = ["Code", "ErrorMessage"];

/// Asks by an SDK with models. The answer lacks nothing but what is named, and all of it is read.
#[track_caller]
fn changes(site: &Site, action: &str, params: &Value, lacks: &[&str]) -> Answer {
    let answer = site.ask_by(Sdk::Tea, action, params).ok();
    assert_eq!(answer.unread(), Vec::<&str>::new(), "no model of {action} reads it: {answer:?}");
    let mut missing = answer.missing();
    missing.retain(|name| !OF_FAILURES.contains(name));
    assert_eq!(missing, lacks, "{action}: {answer:?}");
    answer
}

/// The same of an action that may be repeated, which says the same in JSON by every SDK, and in XML.
#[track_caller]
fn reads(site: &Site, action: &str, params: &Value, lacks: &[&str]) {
    let answer = changes(site, action, params, lacks);
    let said = as_elements(answer.body());
    for sdk in [Sdk::TeaV1, Sdk::Legacy, Sdk::PopGet, Sdk::PopPost] {
        let other = site.ask_by(sdk, action, params).ok();
        assert_eq!(as_elements(other.body()), said, "{action} by {sdk:?}");
    }
    // Its models are older, and have less.
    let read = as_elements(site.ask_by(Sdk::Ts, action, params).ok().body());
    assert!(is_within(&read, &said), "{action} by {:?}: {read} is not all in {said}", Sdk::Ts);
    let mut xml = site.ask_by(Sdk::LegacyXml, action, params).elements().clone();
    forget_the_request(&mut xml);
    assert_eq!(xml, said, "{action} in XML");
}

/// Whether all of one is in the other.
fn is_within(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => {
            part.iter().all(|(name, value)| whole.get(name).is_some_and(|whole| is_within(value, whole)))
        }
        (Value::Array(part), Value::Array(whole)) => {
            part.len() == whole.len() && part.iter().zip(whole).all(|(part, whole)| is_within(part, whole))
        }
        (part, whole) => part == whole,
    }
}

/// A body as elements: all values are texts, and of each name there is a list.
fn as_elements(body: &Value) -> Value {
    let mut elements = elements_of(body);
    forget_the_request(&mut elements);
    elements
}

fn forget_the_request(elements: &mut Value) {
    if let Some(elements) = elements.as_object_mut() {
        elements.remove("RequestId");
    }
}

fn elements_of(value: &Value) -> Value {
    match value {
        Value::Null => json!(""),
        Value::Bool(_) | Value::Number(_) => json!(value.to_string()),
        Value::String(text) => json!(text),
        Value::Array(parts) => parts.iter().map(elements_of).collect(),
        Value::Object(members) => {
            let mut named = serde_json::Map::new();
            for (name, value) in members {
                let parts = match value.as_array() {
                    Some(parts) if parts.is_empty() => continue,
                    Some(_) => elements_of(value),
                    None => json!([elements_of(value)]),
                };
                named.insert(name.clone(), parts);
            }
            if named.is_empty() { json!("") } else { named.into() }
        }
    }
}

#[test]
fn answers_of_calls_and_of_devices_are_whole() {
    let site = embedded();
    let (device, _connected) = site.linkkit("whole");
    let by_name = json!({ "ProductKey": PRODUCT, "DeviceName": "whole" });
    changes(site, "InvokeThingService", &invocation(&device, "testFb:testService", r#"{"param1":3}"#), &[]);
    reads(site, "GetDeviceStatus", &by_name, &[]);
    reads(site, "QueryDeviceDetail", &by_name, &["Data.FirmwareVersion"]);
    let several = json!({ "ProductKey": PRODUCT, "DeviceName": ["whole"] });
    reads(site, "BatchGetDeviceState", &several, &[]);
    changes(site, "DisableThing", &by_name, &[]);
    changes(site, "EnableThing", &by_name, &[]);
    let lora = ["Data.DevEui", "Data.JoinEui"];
    changes(site, "RegisterDevice", &json!({ "ProductKey": PRODUCT, "DeviceName": "another", "Nickname": "n" }), &lora);
    changes(site, "DeleteDevice", &json!({ "ProductKey": PRODUCT, "DeviceName": "another" }), &[]);
}

#[test]
fn answers_of_properties_and_messages_are_whole() {
    let site = embedded();
    let (device, connected) = site.linkkit("whole-messages");
    let by_name = json!({ "ProductKey": PRODUCT, "DeviceName": device.name });
    let with = |more: Value| {
        let mut params = by_name.clone();
        for (name, value) in more.as_object().expect("an object") {
            params[name] = value.clone();
        }
        params
    };
    changes(site, "SetDeviceProperty", &with(json!({ "Items": r#"{"Brightness":1}"# })), &[]);
    let several = json!({ "ProductKey": PRODUCT, "DeviceName": [device.name], "Items": r#"{"Brightness":2}"# });
    changes(site, "SetDevicesProperty", &several, &[]);
    let several = json!({ "ProductKey": PRODUCT, "DeviceName": [device.name], "Identifier": "SetScene", "Args": "{}" });
    changes(site, "InvokeThingsService", &several, &[]);
    let topic = format!("/{PRODUCT}/{}/user/get", device.name);
    changes(site, "Pub", &with(json!({ "TopicFullName": topic, "MessageContent": "aGVsbG8=" })), &[]);
    let to_many = format!("/broadcast/{PRODUCT}/answers");
    let broadcast = json!({ "ProductKey": PRODUCT, "TopicFullName": to_many, "MessageContent": "aGVsbG8=" });
    changes(site, "PubBroadcast", &broadcast, &[]);
    changes(site, "RRpc", &with(json!({ "RequestBase64Byte": "aGVsbG8=", "Timeout": 8000 })), &[]);
    changes(site, "AsyncRRpc", &with(json!({ "MessageContent": "aGVsbG8=" })), &[]);
    connected.says(&json!({ "post": { "LightSwitch": 1, "Brightness": 3, "Temperature": 20.5 } }));
    reads(site, "QueryDevicePropertyStatus", &by_name, &[]);
}

#[test]
fn answers_of_calls_that_are_kept_are_whole() {
    let site = embedded();
    let (device, _connected) = site.linkkit("whole-calls");
    site.invoke(&device, "testFb:resetLater", "{}").ok();
    let page = json!({ "ProductKey": PRODUCT, "DeviceName": "whole-calls", "StartTime": 1, "EndTime": 9_999_999_999_999_u64, "PageSize": 1 });
    eventually("the call has ended", || {
        let answer = site.ask("QueryDeviceServiceData", &page).ok();
        (answer.at("Data.List.ServiceInfo")[0]["OutputData"] != "").then_some(())
    });
    reads(site, "QueryDeviceServiceData", &page, &[]);
    reads(site, "QueryDeviceOriginalServiceData", &page, &[]);
}

#[test]
fn answers_of_products_and_models_are_whole() {
    let site = embedded();
    let lacks = ["Data.ProductSecret", "Data.ProtocolType"];
    changes(site, "CreateProduct", &json!({ "ProductName": "whole", "NodeType": 0 }), &lacks);
    reads(site, "QueryThingModel", &json!({ "ProductKey": PRODUCT }), &[]);
    reads(site, "GetThingModelTsl", &json!({ "ProductKey": PRODUCT }), &["Data.TslUri"]);
    reads(site, "GetThingModelTslPublished", &json!({ "ProductKey": PRODUCT }), &["Data.TslUri"]);
}

#[test]
fn answers_of_groups_and_subscriptions_are_whole() {
    let site = embedded();
    let made = changes(site, "CreateConsumerGroup", &json!({ "GroupName": "whole" }), &[]);
    let of_it = json!({ "GroupId": made.text_at("GroupId") });
    reads(site, "QueryConsumerGroupByGroupId", &of_it, &[]);
    reads(site, "QueryConsumerGroupList", &json!({ "CurrentPage": 1, "PageSize": 10, "Fuzzy": false }), &[]);
    reads(site, "QueryConsumerGroupStatus", &of_it, &["LastConsumerTime"]);
    let relation = json!({ "ProductKey": PRODUCT, "Type": "AMQP" });
    let mut made = relation.clone();
    made["DeviceDataFlag"] = json!(true);
    made["ConsumerGroupIds"] = json!(["DEFAULT_GROUP"]);
    changes(site, "CreateSubscribeRelation", &made, &[]);
    reads(site, "QuerySubscribeRelation", &relation, &["MnsConfiguration", "SubscribeFlags"]);
    changes(site, "DeleteSubscribeRelation", &relation, &[]);
    changes(site, "DeleteConsumerGroup", &of_it, &[]);
}
