//! Arguments and identifiers that do not fit: each is refused with a text of its own, and the device sees nothing.

use std::sync::OnceLock;

use serde_json::json;
use thingcall_tests::{DeviceSecrets, LinkkitDevice};

use crate::sites::embedded;

const FAILED: &str = "iot.device.InvokeThingServiceFailed";

fn device() -> &'static (DeviceSecrets, LinkkitDevice) {
    static DEVICE: OnceLock<(DeviceSecrets, LinkkitDevice)> = OnceLock::new();
    DEVICE.get_or_init(|| embedded().linkkit("arguments"))
}

/// Calls, and expects this code and all of these words.
fn refused(service: &str, args: &str, code: &str, words: &[&str]) {
    let answer = embedded().invoke(&device().0, service, args);
    let (got, text) = answer.failure();
    assert_eq!(got, code, "{text}");
    for word in words {
        assert!(text.to_lowercase().contains(word), "{text:?} does not say {word:?}");
    }
}

#[test]
fn value_of_another_type_is_refused() {
    refused("testFb:testService", r#"{"param1":"1"}"#, FAILED, &["param1", "int"]);
}

#[test]
fn float_without_a_decimal_point_is_refused() {
    refused("testFb:resetLater", r#"{"delay":10}"#, FAILED, &["delay", "decimal"]);
}

#[test]
fn value_out_of_range_is_refused() {
    refused("testFb:testService", r#"{"param1":1001}"#, FAILED, &["param1", "1000"]);
}

#[test]
fn member_of_a_struct_out_of_range_is_named_with_its_place() {
    refused("Measure", r#"{"window":{"from":0,"to":90000}}"#, FAILED, &["window", "to", "86400"]);
}

#[test]
fn unknown_parameter_is_refused() {
    refused("testFb:testService", r#"{"param1":1,"param2":2}"#, FAILED, &["param2"]);
}

#[test]
fn unknown_service_is_refused_and_the_known_ones_are_named() {
    refused("Mesure", "{}", FAILED, &["mesure", "measure"]);
}

#[test]
fn unknown_module_is_refused_and_the_known_ones_are_named() {
    refused("testFB2:testService", "{}", FAILED, &["testfb2", "testfb"]);
}

#[test]
fn text_that_is_no_json_is_refused() {
    refused("Measure", r#"{"channel":"#, FAILED, &["json"]);
}

#[test]
fn a_trailing_comma_is_refused_and_called_by_its_name() {
    refused("Measure", r#"{"channel":1,}"#, FAILED, &["trailing comma"]);
}

#[test]
fn json_that_is_no_object_is_refused() {
    refused("Measure", "[1]", FAILED, &["object"]);
}

#[test]
fn key_that_stands_twice_is_refused() {
    refused("Measure", r#"{"channel":1,"channel":2}"#, FAILED, &["channel", "twice"]);
}

#[test]
fn json_that_is_too_deep_is_refused() {
    let deep = format!(r#"{{"channel":{}1{}}}"#, "[".repeat(400), "]".repeat(400));
    refused("Measure", &deep, FAILED, &["deep"]);
}

#[test]
fn arguments_that_are_too_large_are_refused() {
    let site = thingcall_tests::Site::embedded(&[("ENGINE__ARGS_BYTES_MAX", "1000")]);
    let device = site.device("too-large");

    let answer = site.invoke(&device, "SetScene", &format!(r#"{{"label":"{}"}}"#, "x".repeat(1000)));

    let (code, text) = answer.failure();
    assert_eq!(code, "iot.system.IllegalRequest");
    assert!(text.contains("1000"), "{text}");
}

#[test]
fn text_longer_than_its_length_is_refused() {
    refused("SetScene", &format!(r#"{{"label":"{}"}}"#, "x".repeat(65)), FAILED, &["label", "64"]);
}

#[test]
fn unknown_device_and_product_have_their_own_codes() {
    let site = embedded();
    let ask = |product: &str, device: &str| {
        let params = json!({ "ProductKey": product, "DeviceName": device, "Identifier": "Measure", "Args": "{}" });
        site.ask("InvokeThingService", &params).failure().0.to_owned()
    };

    assert_eq!(ask(thingcall_tests::PRODUCT, "nobody"), "iot.device.NotExistedDevice");
    assert_eq!(ask("a1Nowhere00", "nobody"), "iot.prod.NotExistedProduct");
}

#[test]
fn refused_arguments_leave_nothing_behind() {
    let site = thingcall_tests::Site::embedded(&[]);
    let (device, connected) = site.linkkit("untouched");
    for args in [r#"{"param1":-1}"#, "nonsense", r#"{"param1":1.5}"#] {
        assert!(!site.invoke(&device, "testFb:testService", args).succeeded(), "{args}");
    }

    site.invoke(&device, "testFb:testService", r#"{"param1":9}"#).ok();

    assert_eq!(connected.called()["params"], json!({ "param1": 9 }), "the first call that the device sees");
    let metrics = site.program.metrics();
    assert_eq!(metrics.sum("thingcall_pending_calls", &[]), 0.0);
    assert_eq!(metrics.sum("thingcall_calls_total", &[r#"outcome="invalid_args""#]), 3.0);
}
