//! The last values of properties, asked for by every official Python SDK after a device with the official device SDK reported
//! them.

use serde_json::{Value, json};
use thingcall_tests::{PRODUCT, Sdk, Site, eventually};

use crate::sites::{embedded, external};

const SDKS: [Sdk; 3] = [Sdk::Tea, Sdk::TeaV1, Sdk::Legacy];

/// The properties as one SDK tells them.
fn told(site: &Site, sdk: Sdk, device: &str) -> Vec<Value> {
    let of = json!({ "ProductKey": PRODUCT, "DeviceName": device });
    let answer = site.ask_by(sdk, "QueryDevicePropertyStatus", &of).ok();
    answer.at("Data.List.PropertyStatusInfo").as_array().expect("a list").clone()
}

fn every_sdk_is_told(site: &Site, name: &str) {
    let (device, connected) = site.linkkit(name);
    for sdk in SDKS {
        assert!(told(site, sdk, name).iter().all(|one| one["Value"].is_null() && one["Time"].is_null()));
    }
    connected.says(&json!({ "post": { "LightSwitch": 1, "Temperature": 20.5 } }));
    for sdk in SDKS {
        let all = eventually("what was reported is told", || {
            let all = told(site, sdk, &device.name);
            all.iter().any(|one| !one["Value"].is_null()).then_some(all)
        });
        let one = |id: &str| all.iter().find(|one| one["Identifier"] == id).unwrap_or_else(|| panic!("{id}: {all:?}"));
        let temperature = one("Temperature");
        let said = ["Name", "DataType", "Unit", "Value"].map(|field| temperature[field].as_str().expect("a text"));
        assert_eq!(said, ["Board temperature", "float", "°C", "20.5"], "{temperature}");
        let time = temperature["Time"].as_str().expect("a text");
        assert!(time.len() == 13 && time.parse::<i64>().is_ok(), "{temperature}");
        assert_eq!(one("LightSwitch")["Value"], "1");
        assert_eq!(one("Brightness")["Value"], Value::Null, "it was never reported");
    }
}

#[test]
fn every_sdk_is_told_of_properties_at_the_embedded_broker() {
    every_sdk_is_told(embedded(), "status-embedded");
}

#[test]
fn every_sdk_is_told_of_properties_behind_mosquitto() {
    let site = external();
    eventually("reports are heard", || {
        (site.program.metrics().sum("thingcall_transport_posts_up", &[]) >= 1.0).then_some(())
    });
    every_sdk_is_told(site, "status-mosquitto");
}

#[test]
fn properties_of_nobody_and_of_no_module_are_refused() {
    let site = embedded();
    let device = site.device("status-refused");
    for sdk in SDKS {
        let code = |params: Value| site.ask_by(sdk, "QueryDevicePropertyStatus", &params).failure().0.to_owned();
        assert_eq!(code(json!({ "IotId": "nobody" })), "iot.device.InvalidIoTId");
        assert_eq!(code(json!({ "ProductKey": PRODUCT })), "iot.device.NullDeviceName");
        let module = json!({ "IotId": device.iot_id, "FunctionBlockId": "gone" });
        assert_eq!(code(module), "iot.device.QueryDeviceAttrStatusFailed");
        let module = json!({ "IotId": device.iot_id, "FunctionBlockId": "testFb" });
        let answer = site.ask_by(sdk, "QueryDevicePropertyStatus", &module).ok();
        assert_eq!(answer.at("Data.List.PropertyStatusInfo")[0]["Identifier"], "Mode", "{answer:?}");
    }
}
