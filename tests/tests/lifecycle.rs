//! A product's and a device's whole life by the official SDKs alone.

use serde_json::{Value, json};
use thingcall_tests::{Credential, MqttDevice, Sdk, Site, eventually, fixture};

use crate::sites::embedded;

fn model(file: &str, product: &str) -> String {
    std::fs::read_to_string(fixture(file)).expect("the fixture").replace(thingcall_tests::PRODUCT, product)
}

/// Creates a product with the sample model by the SDK; returns its key.
fn product(site: &Site) -> String {
    let new = json!({ "ProductName": "lamp", "NodeType": 0, "DataFormat": 1, "AliyunCommodityCode": "iothub_senior" });
    let created = site.ask("CreateProduct", &new).ok();
    let key = created.text_at("Data.ProductKey").to_owned();
    assert_eq!(created.text_at("ProductKey"), key, "{created:?}");
    let main = json!({ "ProductKey": key, "TslStr": model("sample_tsl.json", &key) });
    site.ask("ImportThingModelTsl", &main).ok();
    let module = json!({
        "ProductKey": key, "TslStr": model("sample_tsl_testFb.json", &key),
        "FunctionBlockId": "testFb", "FunctionBlockName": "Test module",
    });
    site.ask("ImportThingModelTsl", &module).ok();
    key
}

#[test]
fn product_and_device_live_by_the_sdk_alone() {
    let site = embedded();
    let product = product(site);
    let device = site.device_of(&product, "lamp1");
    let named = json!({ "ProductKey": product, "DeviceName": "lamp1" });
    let status = || site.ask("GetDeviceStatus", &named).ok().text_at("Data.Status").to_owned();
    assert_eq!(status(), "UNACTIVE");
    assert_eq!(site.ask("QueryDeviceDetail", &named).ok().text_at("Data.DeviceSecret"), device.secret);

    let connected = site.connect(&device, true);
    eventually("the device is online", || (status() == "ONLINE").then_some(()));
    let detail = site.ask("QueryDeviceDetail", &named).ok();
    assert_eq!(detail.text_at("Data.IotId"), device.iot_id);
    assert_eq!(detail.text_at("Data.Status"), "ONLINE");
    assert!(!detail.text_at("Data.GmtActive").is_empty(), "{detail:?}");
    let address = detail.text_at("Data.IpAddress");
    assert!(address.parse::<std::net::IpAddr>().is_ok(), "{detail:?}");
    let answer = site.invoke(&device, "testFb:testService", r#"{"param1":6}"#).ok();
    assert_eq!(answer.result()["data"], json!({ "param1": 6 }));
    connected.called();

    site.ask("DisableThing", &named).ok();
    connected.event("disconnected");
    eventually("the device is disabled", || (status() == "DISABLE").then_some(()));
    site.ask("EnableThing", &named).ok();
    let again = site.connect(&device, true);
    site.invoke(&device, "testFb:testService", r#"{"param1":7}"#).ok();

    site.ask("DeleteDevice", &named).ok();
    again.event("disconnected");
    assert_eq!(site.invoke(&device, "Measure", "{}").failure().0, "iot.device.NotExistedDevice");
}

#[test]
fn states_of_several_devices_are_asked_at_once_by_both_sdks() {
    let site = embedded();
    let (here, away) = (site.device("state-here"), site.device("state-away"));
    let _connected = MqttDevice::connect(site.broker(), &Credential::of(&here, Some(1)));
    let params = json!({ "ProductKey": here.product, "DeviceName": [here.name, away.name] });

    for sdk in [Sdk::Tea, Sdk::Legacy] {
        let answer = site.ask_by(sdk, "BatchGetDeviceState", &params).ok();
        let list = answer.at("DeviceStatusList.DeviceStatus").as_array().expect("a list").clone();
        let status = |name: &str| {
            let entry = list.iter().find(|entry| entry["DeviceName"] == name).expect("each device has an entry");
            entry["Status"].clone()
        };
        assert_eq!(status(&here.name), Value::from("ONLINE"), "{sdk:?}");
        assert_eq!(status(&away.name), Value::from("UNACTIVE"), "{sdk:?}");
    }
}

#[test]
fn reports_of_a_device_do_not_move_when_it_came_online() {
    let site = embedded();
    let (device, connected) = site.linkkit("came-once");
    let named = json!({ "ProductKey": device.product, "DeviceName": device.name });
    let times = || {
        let [detail, status] = ["QueryDeviceDetail", "GetDeviceStatus"].map(|action| site.ask(action, &named).ok());
        let many = json!({ "ProductKey": device.product, "DeviceName": [device.name] });
        let state = site.ask("BatchGetDeviceState", &many).ok();
        let state = &state.at("DeviceStatusList.DeviceStatus")[0];
        [detail.at("Data.UtcOnline"), detail.at("Data.GmtOnline"), status.at("Data.Timestamp")]
            .into_iter()
            .chain([&state["LastOnlineTime"], &state["Timestamp"]])
            .cloned()
            .collect::<Vec<_>>()
    };
    let last_seen =
        || site.command_json(&["device", "show", &format!("{}/{}", device.product, device.name)])["lastSeenAt"].clone();
    let came = times();
    assert!(came.iter().all(|at| !at.is_null() && at != ""), "{came:?}");
    let seen = eventually("the store knows that it was seen", || Some(last_seen()).filter(|at| !at.is_null()));
    connected.says(&json!({ "post": { "Brightness": 3, "Temperature": 20.5 } }));
    eventually("the report was heard", || (last_seen() != seen).then_some(()));
    assert_eq!(times(), came);
}

#[test]
fn thing_model_is_read_back_module_by_module() {
    let site = embedded();
    let product = product(site);

    let main = site.ask("QueryThingModel", &json!({ "ProductKey": product })).ok();
    let module = site.ask("QueryThingModel", &json!({ "ProductKey": product, "FunctionBlockId": "testFb" })).ok();
    let tsl = site.ask("GetThingModelTsl", &json!({ "ProductKey": product, "Simple": false })).ok();

    let services = |text: &str| {
        let model: Value = serde_json::from_str(text).expect("JSON in a text");
        let services = model["services"].as_array().expect("services").clone();
        services.iter().map(|service| service["identifier"].as_str().expect("a text").to_owned()).collect::<Vec<_>>()
    };
    assert!(services(main.text_at("Data.ThingModelJson")).contains(&"Measure".to_owned()), "{main:?}");
    assert!(services(module.text_at("Data.ThingModelJson")).contains(&"testService".to_owned()), "{module:?}");
    assert!(services(tsl.text_at("Data.TslStr")).contains(&"Measure".to_owned()), "{tsl:?}");
}

#[test]
fn broken_model_is_refused_with_its_problem() {
    let site = embedded();
    let created = site.ask("CreateProduct", &json!({ "ProductName": "broken", "NodeType": 0 })).ok();
    let key = created.text_at("Data.ProductKey").to_owned();
    let broken = model("sample_tsl.json", &key).replace(r#""type": "double""#, r#""type": "doubel""#);

    let answer = site.ask("ImportThingModelTsl", &json!({ "ProductKey": key, "TslStr": broken }));

    let (code, text) = answer.failure();
    assert_eq!(code, "iot.system.IllegalRequest");
    assert!(text.contains("doubel"), "{text}");
}
