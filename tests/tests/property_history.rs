//! The past of a device, asked for by every official Python SDK after a device with the official device SDK reported it.

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use thingcall_tests::{Answer, Credential, DeviceSecrets, LinkkitDevice, MqttDevice, PRODUCT, Sdk, Site, eventually};

use crate::registry::Application;
use crate::sites::embedded;

const SDKS: [Sdk; 3] = [Sdk::Tea, Sdk::TeaV1, Sdk::Legacy];

fn ask(site: &Site, sdk: Sdk, action: &str, (device, more): (&str, &Value)) -> Answer {
    let mut params = json!({
        "ProductKey": PRODUCT, "DeviceName": device, "StartTime": 0, "EndTime": 9_999_999_999_999_i64, "Asc": 1, "PageSize": 50,
    });
    for (name, value) in more.as_object().expect("an object") {
        params[name] = value.clone();
    }
    site.ask_by(sdk, action, &params)
}

fn values(answer: &Answer) -> Vec<String> {
    let list = answer.at("Data.List.PropertyInfo").as_array().expect("a list");
    list.iter().map(|one| one["Value"].as_str().expect("a text").to_owned()).collect()
}

/// Values of one property, each answered before the next.
fn reports(connected: &LinkkitDevice, brightness: std::ops::Range<u8>) {
    for value in brightness {
        connected.says(&json!({ "post": { "Brightness": value, "Temperature": 20.5 } }));
    }
}

#[test]
fn every_sdk_reads_the_past_page_by_page() {
    let site = Site::embedded(&[("STORE__HISTORY_RECORDS_PER_PRODUCT_MAX", "1000")]);
    let (device, connected) = site.linkkit("past");
    reports(&connected, 1..6);
    connected.says(&json!({ "event": ["Overheat", { "Temperature": 99.5 }] }));
    for sdk in SDKS {
        let of = json!({ "Identifier": "Brightness" });
        let all = ask(&site, sdk, "QueryDevicePropertyData", (&device.name, &of)).ok();
        assert_eq!(
            (values(&all), all.at("Data.NextValid")),
            (["1", "2", "3", "4", "5"].map(str::to_owned).to_vec(), &json!(false))
        );
        let page = json!({ "Identifier": "Brightness", "PageSize": 2, "Asc": 0 });
        let first = ask(&site, sdk, "QueryDevicePropertyData", (&device.name, &page)).ok();
        assert_eq!((values(&first), first.at("Data.NextValid")), (vec!["5".to_owned(), "4".to_owned()], &json!(true)));
        let page = json!({ "Identifier": "Brightness", "PageSize": 2, "Asc": 0, "EndTime": first.at("Data.NextTime") });
        let second = ask(&site, sdk, "QueryDevicePropertyData", (&device.name, &page)).ok();
        assert_eq!(values(&second), ["3", "2"]);

        let both = json!({ "Identifier": ["Brightness", "Temperature"], "PageSize": 100 });
        let several = ask(&site, sdk, "QueryDevicePropertiesData", (&device.name, &both)).ok();
        let infos = several.at("PropertyDataInfos.PropertyDataInfo");
        for (at, (name, value)) in [("Brightness", "5"), ("Temperature", "20.5")].into_iter().enumerate() {
            let of_one = (&infos[at]["Identifier"], &infos[at]["List"]["PropertyInfo"][4]["Value"]);
            assert_eq!(of_one, (&json!(name), &json!(value)), "{several:?}");
        }

        let events = ask(&site, sdk, "QueryDeviceEventData", (&device.name, &json!({ "EventType": "alert" }))).ok();
        let event = &events.at("Data.List.EventInfo")[0];
        let said = ["Identifier", "Name", "EventType"].map(|name| event[name].as_str().expect("a text"));
        assert_eq!(said, ["Overheat", "Overheat", "alert"], "{event}");
        let output: Value = serde_json::from_str(event["OutputData"].as_str().expect("a text")).expect("JSON");
        assert_eq!(output["Temperature"], 99.5, "{event}");
    }
    let left_out = site.program.metrics().sum("thingcall_store_history_left_out_total", &[]);
    assert_eq!(left_out, 0.0);
}

#[test]
fn without_a_history_the_last_value_is_all_there_is() {
    let site = embedded();
    let (device, connected) = site.linkkit("no-past");
    reports(&connected, 1..3);
    for sdk in SDKS {
        let of = json!({ "Identifier": "Brightness" });
        let told = || {
            let answer = ask(site, sdk, "QueryDevicePropertyData", (&device.name, &of)).ok();
            (values(&answer) == ["2"]).then_some(())
        };
        eventually("the last value is told", told);
        let events = ask(site, sdk, "QueryDeviceEventData", (&device.name, &json!({}))).ok();
        assert_eq!(events.at("Data.List.EventInfo"), &json!([]), "{events:?}");
    }
}

#[test]
fn last_value_stays_when_a_history_begins() {
    let mut site = Site::embedded(&[]);
    let (device, connected) = site.linkkit("past-begins");
    reports(&connected, 1..3);
    let of = json!({ "Identifier": ["Brightness"] });
    let last = |site: &Site| {
        let answer = ask(site, Sdk::Tea, "QueryDevicePropertiesData", (&device.name, &of)).ok();
        let infos = answer.at("PropertyDataInfos.PropertyDataInfo")[0]["List"]["PropertyInfo"].clone();
        infos.as_array().expect("a list").iter().map(|one| one["Value"].clone()).collect::<Vec<_>>()
    };
    eventually("the last value is told", || (last(&site) == [json!("2")]).then_some(()));
    drop(connected);
    site.program.terminate();
    site.program.ended();
    site.start_again_with(&[("STORE__HISTORY_RECORDS_PER_PRODUCT_MAX", "1000")]);
    assert_eq!(last(&site), [json!("2")], "before anything is reported again");
}

#[test]
fn ranges_that_can_only_be_mistakes_are_told() {
    let site = embedded();
    let device = site.device("past-ranges");
    let illegal = "iot.system.IllegalRequest";
    for sdk in SDKS {
        let refused = |action: &str, more: Value, code: &str, said: &str| {
            let answer = ask(site, sdk, action, (&device.name, &more));
            let (told, text) = answer.failure();
            assert!(told == code && text.contains(said), "{action} {more}: {answer:?}");
        };
        let with = |more: Value| {
            let mut all = json!({ "Identifier": "Brightness" });
            all.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            all
        };
        let backwards = json!({ "StartTime": 1_700_000_000_001_i64, "EndTime": 1_700_000_000_000_i64 });
        refused("QueryDevicePropertyData", with(backwards), illegal, "later than EndTime");
        let seconds = json!({ "StartTime": 1_700_000_000, "EndTime": 1_800_000_000 });
        refused("QueryDevicePropertyData", with(seconds.clone()), illegal, "not seconds");
        for action in ["QueryDeviceEventData", "QueryDeviceServiceData"] {
            refused(action, seconds.clone(), illegal, "not seconds");
        }
        refused("QueryDeviceEventData", json!({ "Identifier": "Bogus" }), illegal, "no event \"Bogus\"");
        let gone = "iot.device.QueryDeviceServiceHistoryFailed";
        refused("QueryDeviceServiceData", json!({ "Identifier": "Nope" }), gone, "no service Nope");
        let twice = json!({ "Identifier": ["Brightness", "Temperature", "Brightness"] });
        refused("QueryDevicePropertiesData", twice, illegal, "Identifier.3");
    }
}

#[test]
fn what_cannot_be_asked_of_the_past_is_refused() {
    let site = embedded();
    let device = site.device("past-refused");
    for sdk in SDKS {
        let code = |action: &str, more: Value| ask(site, sdk, action, (&device.name, &more)).failure().0.to_owned();
        let illegal = "iot.system.IllegalRequest";
        assert_eq!(
            code("QueryDevicePropertyData", json!({ "Identifier": "x", "PageSize": 51 })),
            "iot.common.InvalidPageParams"
        );
        let gone = code("QueryDevicePropertyData", json!({ "Identifier": "Gone" }));
        assert_eq!(gone, "iot.device.QueryDeviceAttrDataHistoryFailed");
        let many: Vec<String> = (0..11).map(|at| format!("p{at}")).collect();
        assert_eq!(code("QueryDevicePropertiesData", json!({ "Identifier": many })), illegal);
        assert_eq!(code("QueryDeviceEventData", json!({ "EventType": "warn" })), illegal);
        assert_eq!(code("QueryDeviceEventData", json!({ "DeviceName": "past-nobody" })), "iot.device.NotExistedDevice");
    }
}

/// Pages of what shared a millisecond began with the same event for ever.
#[test]
fn every_sdk_reads_events_of_one_millisecond_page_by_page() {
    let site = Site::embedded(&[("STORE__HISTORY_RECORDS_PER_PRODUCT_MAX", "1000")]);
    let app = Application { site: &site, sdk: Sdk::Tea };
    let product = app.product("crowded");
    let event =
        |id: &str| json!({ "identifier": id, "eventName": id, "eventType": "INFO_EVENT_TYPE", "outputdata": [] });
    let model = json!({ "events": [event("Overheat"), event("Door"), event("Alarm")] }).to_string();
    app.ok("CreateThingModel", &json!({ "ProductKey": product, "ThingModelJson": model }));
    let made = app.ok("RegisterDevice", &json!({ "ProductKey": product, "DeviceName": "crowded-past" }));
    let [secret, iot_id] = ["Data.DeviceSecret", "Data.IotId"].map(|member| made.text_at(member).to_owned());
    let device = DeviceSecrets { product, name: "crowded-past".to_owned(), secret, iot_id };
    let connected = MqttDevice::connect(site.broker(), &Credential::of(&device, Some(1)));
    let begun = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() - 10_000;
    let told = [("Overheat", 1), ("Door", 1), ("Alarm", 1), ("Overheat", 6), ("Door", 6)];
    for (name, at) in told {
        let time = u64::try_from(begun + at).expect("a time");
        let body = json!({ "id": "1", "version": "1.0", "method": format!("thing.event.{name}.post"),
            "params": { "value": {}, "time": time } });
        connected.publish(&format!("/sys/{}/{}/thing/event/{name}/post", device.product, device.name), &body);
    }
    let all = json!({ "ProductKey": device.product, "PageSize": 50 });
    eventually("all are there", || {
        let answer = ask(&site, Sdk::Tea, "QueryDeviceEventData", (&device.name, &all)).ok();
        (answer.at("Data.List.EventInfo").as_array()?.len() == told.len()).then_some(())
    });
    for (sdk, (size, asc)) in SDKS.into_iter().cycle().zip([(1, 1), (1, 0), (2, 1), (2, 0), (3, 1), (4, 0)]) {
        let (mut page, mut seen) = (all.clone(), Vec::new());
        (page["PageSize"], page["Asc"]) = (json!(size), json!(asc));
        for _ in 0..6 {
            let answer = ask(&site, sdk, "QueryDeviceEventData", (&device.name, &page)).ok();
            let list = answer.at("Data.List.EventInfo").as_array().expect("a list");
            seen.extend(list.iter().map(|one| (one["Identifier"].to_string(), one["Time"].to_string())));
            if answer.at("Data.NextValid") != &json!(true) {
                break;
            }
            page[if asc == 1 { "StartTime" } else { "EndTime" }] = answer.at("Data.NextTime").clone();
        }
        let each: BTreeSet<_> = seen.iter().collect();
        assert_eq!((seen.len(), each.len()), (told.len(), told.len()), "PageSize {size}, Asc {asc}: {seen:?}");
    }
}
