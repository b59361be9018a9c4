//! Properties that applications set, and services of many devices: by every official Python SDK, at devices with the official
//! device SDK, on every kind of broker.

use serde_json::{Value, json};
use thingcall_tests::{DeviceSecrets, EventReader, LinkkitDevice, PRODUCT, Sdk, Site, eventually};

use crate::sites::{embedded, external, rabbitmq};

/// Each SDK, and a value that tells it from the one before.
const SDKS: [(Sdk, u8); 3] = [(Sdk::Tea, 1), (Sdk::TeaV1, 0), (Sdk::Legacy, 1)];

fn of(device: &DeviceSecrets, more: &Value) -> Value {
    let mut params = json!({ "ProductKey": device.product, "DeviceName": device.name });
    for (name, value) in more.as_object().expect("an object") {
        params[name] = value.clone();
    }
    params
}

/// What a device was told to set.
fn set_at(connected: &LinkkitDevice) -> Value {
    connected.event("set")["params"].clone()
}

/// Has each SDK set properties of a device, and sees how the calls end.
fn every_sdk_sets(site: &Site, word: &str) {
    let (device, connected) = site.linkkit(&format!("set-{word}"));
    let results = EventReader::start(site, &json!({ "kinds": "result", "products": PRODUCT }));
    for (sdk, value) in SDKS {
        let items = json!({ "LightSwitch": value, "Brightness": 7 });
        let params = of(&device, &json!({ "Items": items.to_string(), "Qos": 1 }));
        let id = site.ask_by(sdk, "SetDeviceProperty", &params).ok().message_id();
        let number: u64 = id.parse().expect("a number");

        assert_eq!(set_at(&connected), items);
        let result = loop {
            let told = results.told().data["data"].clone();
            if told["requestId"] == number {
                break told;
            }
        };
        let topic = format!("/sys/{PRODUCT}/{}/thing/service/property/set", device.name);
        assert_eq!((&result["code"], &result["topic"]), (&json!(200), &json!(topic)), "{result}");
        let record = eventually("the call has ended", || {
            let record = site.command_json(&["explain", &id]);
            (record["outcome"] == "ok").then_some(record)
        });
        assert_eq!((&record["identifier"], &record["args"]), (&json!("set"), &items), "{record}");
    }
}

#[test]
fn every_sdk_sets_properties_at_the_embedded_broker() {
    every_sdk_sets(embedded(), "embedded");
}

#[test]
fn every_sdk_sets_properties_behind_mosquitto() {
    every_sdk_sets(external(), "mosquitto");
}

#[test]
fn every_sdk_sets_properties_behind_rabbitmq_s_mqtt_plugin() {
    every_sdk_sets(rabbitmq(), "rabbitmq");
}

#[test]
fn every_sdk_sets_properties_and_calls_services_of_many_devices() {
    let site = embedded();
    let [(one, at_one), (other, at_other)] = ["many-one", "many-other"].map(|name| site.linkkit(name));
    let both = json!({ "ProductKey": PRODUCT, "DeviceName": [one.name, other.name] });
    for (sdk, value) in SDKS {
        let mut params = both.clone();
        params["Items"] = json!(format!("{{\"Brightness\":{value}}}"));
        site.ask_by(sdk, "SetDevicesProperty", &params).ok();
        for connected in [&at_one, &at_other] {
            assert_eq!(set_at(connected), json!({ "Brightness": value }));
        }
        // One that is declared synchronous is not waited for.
        for (service, args) in [("SetScene", json!({ "scene": value })), ("Measure", json!({}))] {
            let mut params = both.clone();
            params["Identifier"] = json!(service);
            params["Args"] = json!(args.to_string());
            let answer = site.ask_by(sdk, "InvokeThingsService", &params).ok();
            assert_eq!(answer.at("Data"), &Value::Null, "{answer:?}");
            for connected in [&at_one, &at_other] {
                let called = connected.called();
                assert_eq!((&called["identifier"], &called["params"]), (&json!(service), &args), "{called}");
            }
        }
    }
}

#[test]
fn properties_of_modules_are_set_under_their_own_names() {
    let site = embedded();
    let (device, connected) = site.linkkit("set-module");
    let items = json!({ "testFb:Mode": 1, "LightSwitch": 0 });
    let params = of(&device, &json!({ "Items": items.to_string() }));
    site.ask("SetDeviceProperty", &params).ok();
    assert_eq!(set_at(&connected), items);
}

#[test]
fn device_that_is_away_gets_at_qos_1_what_was_set_meanwhile() {
    let site = embedded();
    let device = site.device("set-away");
    for (qos, value) in [(0, 1), (1, 2)] {
        let items = json!({ "Brightness": value }).to_string();
        site.ask("SetDeviceProperty", &of(&device, &json!({ "Items": items, "Qos": qos }))).ok();
    }
    let connected = site.connect(&device, false);
    assert_eq!(set_at(&connected), json!({ "Brightness": 2 }));
}

#[test]
fn what_cannot_be_set_is_refused_and_no_device_is_told() {
    let site = embedded();
    let (device, connected) = site.linkkit("set-refused");
    for (sdk, _) in SDKS {
        let refused = |items: &str, code: &str, said: &str| {
            let answer = site.ask_by(sdk, "SetDeviceProperty", &of(&device, &json!({ "Items": items })));
            let (found, text) = answer.failure();
            assert!(found == code && text.contains(said), "{items}: {answer:?}");
        };
        let failed = "iot.device.SetDevicePropertyFailed";
        refused("[]", failed, "Items is an array");
        refused("{}", failed, "Items names no property");
        refused(r#"{"LightSwitch":2}"#, failed, "Items.LightSwitch is 2");
        refused(r#"{"Temperature":20.5}"#, failed, "Items.Temperature cannot be set");
        refused(r#"{"LightSwich":1}"#, failed, "did you mean LightSwitch?");

        let none =
            json!({ "ProductKey": PRODUCT, "DeviceName": [device.name, "set-nobody"], "Items": r#"{"Brightness":1}"# });
        let answer = site.ask_by(sdk, "SetDevicesProperty", &none);
        assert_eq!(answer.failure().0, "iot.device.NotExistedDevice", "{answer:?}");
        let many: Vec<String> = (0..101).map(|at| format!("set-{at}")).collect();
        let many = json!({ "ProductKey": PRODUCT, "DeviceName": many, "Identifier": "SetScene", "Args": "{}" });
        let answer = site.ask_by(sdk, "InvokeThingsService", &many);
        assert_eq!(answer.failure().0, "iot.system.IllegalRequest", "{answer:?}");
    }
    let answer = site.ask("SetDeviceProperty", &of(&device, &json!({ "Items": r#"{"Brightness":9}"# })));
    answer.ok();
    assert_eq!(set_at(&connected), json!({ "Brightness": 9 }), "the first that it hears of");
}
