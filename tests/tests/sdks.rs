//! The same call by every official SDK for Python and Node, with both signatures and both formats.

use serde_json::json;
use thingcall_tests::{Key, PRODUCT, Sdk, Site, invocation};

use crate::sites::embedded;

#[test]
fn every_sdk_gets_the_same_answer_in_json() {
    let site = embedded();
    let (device, _connected) = site.linkkit("every-sdk");
    let params = invocation(&device, "testFb:testService", r#"{"param1":3}"#);

    for sdk in [Sdk::Tea, Sdk::TeaV1, Sdk::Legacy, Sdk::Ts, Sdk::PopGet, Sdk::PopPost] {
        let answer = site.ask_by(sdk, "InvokeThingService", &params).ok();
        assert_eq!(answer.result()["data"], json!({ "param1": 3 }), "{sdk:?}");
        assert!(!answer.text_at("RequestId").is_empty(), "{sdk:?}: {answer:?}");
    }
}

#[test]
fn legacy_sdk_gets_xml_when_it_asks_for_it() {
    let site = embedded();
    let (device, _connected) = site.linkkit("xml");
    let params = invocation(&device, "testFb:testService", r#"{"param1":3}"#);

    let answer = site.ask_by(Sdk::LegacyXml, "InvokeThingService", &params);

    let text = answer.text();
    assert!(text.contains("<InvokeThingServiceResponse>"), "{text}");
    for element in ["<Success>true</Success>", "<Data>", "<Result>", "<MessageId>", "<RequestId>"] {
        assert!(text.contains(element), "{element} is not in {text}");
    }
}

#[test]
fn service_failure_in_xml_has_code_and_text() {
    let site = embedded();
    let device = site.device("xml-failure");

    let answer = site.ask_by(Sdk::LegacyXml, "InvokeThingService", &invocation(&device, "Nothing", "{}"));

    let text = answer.text();
    assert!(text.contains("<Success>false</Success>"), "{text}");
    assert!(text.contains("<Code>iot.device.InvokeThingServiceFailed</Code>"), "{text}");
}

#[test]
fn text_of_all_kinds_survives_every_signature() {
    let site = embedded();
    let (device, connected) = site.linkkit("special");
    let label = "a b*~+%/中 \"q\" 'x'";
    let params = invocation(&device, "SetScene", &json!({ "label": label }).to_string());

    for sdk in [Sdk::Tea, Sdk::TeaV1, Sdk::Legacy, Sdk::Ts, Sdk::PopGet, Sdk::PopPost] {
        site.ask_by(sdk, "InvokeThingService", &params).ok();
        assert_eq!(connected.called()["params"]["label"], label, "{sdk:?}");
    }
}

#[test]
fn every_sdk_can_read_why_a_query_that_is_too_long_is_refused() {
    let site = embedded();
    let device = site.device("long");
    let args = |bytes: usize| json!({ "label": "x".repeat(bytes) }).to_string();

    for sdk in [Sdk::Tea, Sdk::TeaV1, Sdk::Legacy] {
        let fits = site.ask_by(sdk, "InvokeThingService", &invocation(&device, "SetScene", &args(60_000)));
        assert!(!fits.has_raised(), "{sdk:?}: {fits:?}");
        let long = site.ask_by(sdk, "InvokeThingService", &invocation(&device, "SetScene", &args(70_000)));
        let (code, text, status) = long.raised();
        assert_eq!((code, status), ("RequestUriTooLong", 414), "{sdk:?}: {text}");
        assert!(text.contains("65534") && text.contains("form"), "{sdk:?}: {text}");
    }
}

#[test]
fn key_with_a_security_token_needs_it() {
    let site = embedded();
    let (device, _connected) = site.linkkit("sts");
    let right = Key { id: "sts.id".to_owned(), secret: "sts-secret".to_owned(), token: Some("sts-token".to_owned()) };
    site.command(&["key", "add", "--id", &right.id, "--secret", &right.secret, "--security-token", "sts-token"]);
    let without = Key { token: None, ..right.clone() };
    let params = invocation(&device, "testFb:testService", r#"{"param1":3}"#);
    thingcall_tests::eventually("the running server knows the key", || {
        let answer = site.begin_as(&right, Sdk::Tea, "InvokeThingService", &params).answer();
        (!answer.has_raised()).then(|| answer.ok())
    });

    for sdk in [Sdk::Tea, Sdk::TeaV1, Sdk::Legacy, Sdk::Ts, Sdk::PopGet, Sdk::PopPost] {
        site.begin_as(&right, sdk, "InvokeThingService", &params).answer().ok();
        let refused = site.begin_as(&without, sdk, "InvokeThingService", &params).answer();
        assert!(refused.has_raised(), "{sdk:?}: {refused:?}");
    }
}

#[test]
fn result_is_the_bare_data_where_configured_so() {
    let site = Site::embedded(&[("API__RESULT", "data")]);
    let (device, connected) = site.linkkit("bare");

    let answer = site.invoke(&device, "testFb:testService", r#"{"param1":8}"#).ok();
    connected.answers(100_001, &json!({}));
    let refused = site.invoke(&device, "testFb:testService", r#"{"param1":8}"#);

    assert_eq!(answer.result(), json!({ "param1": 8 }));
    let (code, text) = refused.failure();
    assert_eq!(code, "iot.device.InvokeThingServiceFailed");
    assert!(text.contains("100001"), "{text}");
}

#[test]
fn result_is_the_bare_data_for_a_key_that_wants_it() {
    let site = Site::embedded(&[]);
    let key = site.command_json(&["key", "add", "--result", "data"]);
    let text = |name: &str| key[name].as_str().expect("a text").to_owned();
    let key = Key { id: text("accessKeyId"), secret: text("accessKeySecret"), token: None };
    let (device, _connected) = site.linkkit("bare-by-key");
    let params = invocation(&device, "testFb:testService", r#"{"param1":8}"#);

    let answer = thingcall_tests::eventually("the running server knows the key", || {
        let answer = site.begin_as(&key, Sdk::Tea, "InvokeThingService", &params).answer();
        (!answer.has_raised()).then_some(answer)
    });

    assert_eq!(answer.ok().result(), json!({ "param1": 8 }));
}

#[test]
fn instance_id_must_be_given_where_the_server_has_one() {
    let site = Site::embedded(&[("API__INSTANCE_ID", "iot-0123")]);
    let ask = |instance: Option<&str>| {
        let mut params =
            json!({ "ProductKey": PRODUCT, "DeviceName": "nobody", "Identifier": "Measure", "Args": "{}" });
        if let Some(instance) = instance {
            params["IotInstanceId"] = json!(instance);
        }
        site.ask("InvokeThingService", &params).failure().0.to_owned()
    };

    assert_eq!(ask(None), "iot.Sre.IotInstanceNotFound");
    assert_eq!(ask(Some("iot-9")), "iot.Sre.IotInstanceNotFound");
    assert_eq!(ask(Some("iot-0123")), "iot.device.NotExistedDevice");
}
