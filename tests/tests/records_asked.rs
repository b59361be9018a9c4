//! What records of calls say was asked for: the action, the device, the bytes of messages; of requests that were refused, too.

use serde_json::{Value, json};
use thingcall_tests::{DeviceSecrets, Key, PRODUCT, Sdk, Site, eventually, invocation};

const SDKS: [Sdk; 3] = [Sdk::Tea, Sdk::TeaV1, Sdk::Legacy];
const SERVICE: &str = "testFb:testService";
const LATER: &str = "testFb:resetLater";
const ARGS: &str = r#"{"param1":1}"#;
/// `hello`, and what the device makes of it.
const HELLO: &str = "aGVsbG8=";

/// What `thingcall calls` lists, once there are so many.
fn calls(site: &Site, count: usize, arguments: &[&str]) -> Vec<Value> {
    eventually("the calls are listed", || {
        let text = site.command(&[&["calls", "--json"], arguments].concat());
        let all: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
        Some(all).filter(|all| all.len() == count)
    })
}

fn named(device: &DeviceSecrets) -> Value {
    json!(format!("{PRODUCT}/{}", device.name))
}

#[test]
fn each_call_says_by_which_action_it_was_asked_for() {
    let site = Site::embedded(&[("RECORDS__KEEP", "all")]);
    let (device, connected) = site.linkkit("asked");
    connected.answers(200, &json!({}));
    let one = json!({ "ProductKey": PRODUCT, "DeviceName": device.name });
    let with = |more: Value| {
        let mut all = one.clone();
        all.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        all
    };
    let topic = format!("/{PRODUCT}/{}/user/get", device.name);
    for sdk in SDKS {
        site.ask_by(sdk, "InvokeThingService", &invocation(&device, SERVICE, ARGS)).ok();
        site.ask_by(sdk, "RRpc", &with(json!({ "RequestBase64Byte": HELLO, "Timeout": 8000 }))).ok();
        let message = json!({ "ProductKey": PRODUCT, "TopicFullName": topic, "MessageContent": HELLO });
        site.ask_by(sdk, "Pub", &message).ok();
    }
    site.ask("InvokeThingService", &invocation(&device, LATER, "{}")).ok();
    let several = json!({ "ProductKey": PRODUCT, "DeviceName": [device.name], "Identifier": LATER, "Args": "{}" });
    site.ask("InvokeThingsService", &several).ok();

    for call in calls(&site, 3, &["--action", "RRpc"]) {
        assert_eq!((&call["action"], &call["device"]), (&json!("RRpc"), &named(&device)), "{call}");
        assert_eq!(
            (&call["args"], &call["data"]),
            (&json!({ "text": "hello" }), &json!({ "text": "olleh" })),
            "{call}"
        );
        assert!(call.get("replyCode").is_none(), "{call}");
        let text = site.command(&["explain", call["requestId"].as_str().expect("a RequestId")]);
        assert!(text.contains(&format!("for RRpc on {PRODUCT}/asked")) && text.contains("olleh"), "{text}");
    }
    for call in calls(&site, 3, &["--action", "Pub"]) {
        assert_eq!((&call["args"], call.get("data")), (&json!({ "topic": topic, "text": "hello" }), None), "{call}");
    }
    assert_eq!(calls(&site, 1, &["--action", "InvokeThingsService"])[0]["mode"], "async");
    let four = calls(&site, 4, &["--action", "InvokeThingService"]);
    let later = four.iter().find(|call| call["mode"] == "async").expect("one is asynchronous");
    assert!(later["timesUs"]["checked"].is_u64(), "{later}");
    let text = site.command(&["explain", later["messageId"].as_str().expect("a MessageId")]);
    assert!(text.contains("InvokeThingService") && text.contains("checked"), "{text}");

    let (status, body) = site.program.operator("/calls?action=Pub&limit=2");
    let page: Value = serde_json::from_str(&body).expect("JSON");
    assert!(status == 200 && page["calls"][1]["action"] == "Pub", "{body}");
    let table = site.command(&["calls", "--action", "RRpc"]);
    assert!(table.lines().next().is_some_and(|heading| heading.contains(" ACTION ")), "{table}");
}

#[test]
fn a_refused_request_says_what_it_asked_for_and_of_whom_after_a_restart_too() {
    let mut site = Site::embedded(&[]);
    let device = site.device("refused");
    site.command(&["key", "add", "--id", "partner", "--secret", "of-partner", "--allow", "actions=GetDeviceStatus"]);
    let partner = Key { id: "partner".to_owned(), secret: "of-partner".to_owned(), token: None };
    let topic = format!("/{PRODUCT}/{}/user/get", device.name);
    let asked = [
        ("InvokeThingService", invocation(&device, SERVICE, ARGS), json!(device.iot_id)),
        ("Pub", json!({ "ProductKey": PRODUCT, "TopicFullName": topic, "MessageContent": HELLO }), named(&device)),
        ("QueryDevice", json!({ "ProductKey": PRODUCT, "PageSize": 10, "CurrentPage": 1 }), json!(PRODUCT)),
    ];
    for sdk in SDKS {
        for (action, params, _) in &asked {
            eventually("the key is known", || {
                let answer = site.begin_as(&partner, sdk, action, params).answer();
                (answer.has_raised() && answer.raised().0 == "Forbidden.RAM").then_some(())
            });
        }
    }
    let params = |args: &str| {
        let mut params = invocation(&device, SERVICE, args);
        params["ClientToken"] = json!("once");
        params
    };
    // Nothing is called, so the token is free again; the other one is taken by who is called.
    let connected = site.connect(&device, false);
    connected.answers(200, &json!({}));
    site.ask("InvokeThingService", &params(ARGS)).ok();
    site.ask("InvokeThingService", &params(r#"{"param1":2}"#)).raised();

    site.program.terminate();
    site.program.ended();
    site.start_again();
    for (action, _, of) in &asked {
        for call in calls(&site, 3, &["--key", "partner", "--action", action, "--outcome", "denied"]) {
            assert!(call["device"] == *of || call["device"] == named(&device), "{of}: {call}");
            let text = site.command(&["explain", call["requestId"].as_str().expect("a RequestId")]);
            assert!(text.contains(*action) && !text.contains(" - "), "{text}");
        }
    }
    let [differs] = &calls(&site, 1, &["--key", &site.key.id, "--outcome", "invalid_args"])[..] else { unreachable!() };
    assert_eq!(
        (&differs["code"], &differs["action"]),
        (&json!("IdempotentParameterMismatch"), &json!("InvokeThingService"))
    );
    assert!(differs["device"].is_string() && differs["identifier"] == SERVICE, "{differs}");
}
