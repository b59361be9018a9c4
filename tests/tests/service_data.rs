//! QueryDeviceServiceData and QueryDeviceOriginalServiceData: the calls of a device's services, of records and journal.

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use thingcall_tests::{Answer, DeviceSecrets, HttpCall, PRODUCT, Sdk, Site, eventually, invocation};

const SERVICE: &str = "testFb:testService";
const LATER: &str = "testFb:resetLater";

fn now() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis()).expect("a time")
}

/// The parameters that name a device and a time, and these.
fn asked(device: &DeviceSecrets, (start, end): (u64, u64), more: &Value) -> Value {
    let mut asked = json!({ "ProductKey": PRODUCT, "DeviceName": device.name, "StartTime": start, "EndTime": end });
    for (name, value) in more.as_object().expect("an object") {
        asked[name] = value.clone();
    }
    asked
}

fn infos(answer: &Answer) -> Vec<Value> {
    answer.at("Data.List.ServiceInfo").as_array().expect("a list").clone()
}

/// What each call was given, in their order.
fn inputs(infos: &[Value]) -> Vec<String> {
    infos.iter().map(|info| info["InputData"].as_str().expect("a text").to_owned()).collect()
}

/// A device with three synchronous calls and one asynchronous; what they were given, oldest first.
fn called(site: &Site, name: &str) -> (DeviceSecrets, (u64, u64), Vec<String>) {
    let (device, connected) = site.linkkit(name);
    connected.answers(200, &json!({ "param1": 7 }));
    let start = now() - 1000;
    let mut given = Vec::new();
    for number in 1..=3 {
        given.push(format!(r#"{{"param1":{number}}}"#));
        site.invoke(&device, SERVICE, &given[given.len() - 1]).ok();
    }
    given.push(r#"{"delay":0.5}"#.to_owned());
    site.invoke(&device, LATER, &given[3]).ok();
    site.invoke(&device, "Unknown", "{}").failure();
    let times = (start, now() + 1000);
    eventually("all are kept", || {
        let all = site.ask("QueryDeviceServiceData", &asked(&device, times, &json!({ "PageSize": 50 }))).ok();
        let done = |info: &Value| !info["OutputData"].as_str().unwrap_or_default().is_empty();
        (infos(&all).len() == 4 && infos(&all).iter().all(done)).then_some(())
    });
    (device, times, given)
}

#[test]
fn calls_are_told_by_every_sdk_page_by_page_in_both_orders() {
    let site = Site::embedded(&[("RECORDS__KEEP", "all")]);
    let (device, times, given) = called(&site, "service-data");
    for sdk in [Sdk::Tea, Sdk::TeaV1, Sdk::Legacy] {
        for asc in [1, 0] {
            let mut expected = given.clone();
            if asc == 0 {
                expected.reverse();
            }
            let (mut window, mut told) = (times, Vec::new());
            loop {
                let page = asked(&device, window, &json!({ "Asc": asc, "PageSize": 3 }));
                let answer = site.ask_by(sdk, "QueryDeviceServiceData", &page).ok();
                told.extend(infos(&answer));
                let next = answer.at("Data.NextTime").as_u64().expect("a time");
                if answer.at("Data.NextValid") != &json!(true) {
                    break;
                }
                if asc == 1 {
                    window.0 = next;
                } else {
                    window.1 = next;
                }
            }
            assert_eq!(inputs(&told), expected, "{sdk:?} {asc}");
            if asc == 0 {
                told.reverse();
            }
            let output = told[0]["OutputData"].as_str().expect("a text");
            let output: Value = serde_json::from_str(output).expect("JSON");
            assert_eq!((&told[0]["Identifier"], output), (&json!(SERVICE), json!({ "param1": 7 })));
            assert!(told[0]["Name"].as_str().is_some_and(|name| !name.is_empty()), "{told:?}");
            let moments: Vec<u64> =
                told.iter().map(|info| info["Time"].as_str().expect("a text").parse().expect("a time")).collect();
            assert!(moments.is_sorted() && moments[0] >= times.0, "{moments:?}");

            let (mut token, mut told) = (None::<String>, Vec::new());
            let times = (now() - 600_000, now() + 1000);
            loop {
                let mut page = asked(&device, times, &json!({ "Asc": asc, "PageSize": 1 }));
                if let Some(token) = &token {
                    page["NextPageToken"] = json!(token);
                }
                let answer = site.ask_by(sdk, "QueryDeviceOriginalServiceData", &page).ok();
                told.extend(infos(&answer));
                if answer.at("Data.NextValid") != &json!(true) {
                    break;
                }
                token = Some(answer.text_at("Data.NextPageToken").to_owned());
            }
            assert_eq!(inputs(&told), expected, "{sdk:?} {asc} by tokens");
        }
    }
    let of_one = json!({ "Identifier": LATER, "IotId": device.iot_id });
    let one = site.ask("QueryDeviceServiceData", &asked(&device, times, &of_one)).ok();
    assert_eq!(inputs(&infos(&one)), given[3..], "{one:?}");
    let before = site.ask("QueryDeviceServiceData", &asked(&device, (1, 2), &json!({}))).ok();
    assert!(infos(&before).is_empty() && before.at("Data.NextValid") == &json!(false), "{before:?}");
}

#[test]
fn what_cannot_be_asked_is_told_with_what_can() {
    let site = crate::sites::embedded();
    let device = site.device("no-service-data");
    for (more, right) in [
        (json!({ "Asc": 2 }), "right is 0 or 1"),
        (json!({ "PageSize": 51 }), "right is 1 to 50"),
        (json!({ "PageSize": 0 }), "right is 1 to 50"),
        (json!({ "StartTime": "yesterday" }), "milliseconds since 1970"),
        (json!({ "Identifier": "a b" }), "Identifier"),
        (json!({ "DeviceName": "nobody-at-all" }), "does not exist"),
    ] {
        let answer = site.ask_by(Sdk::Legacy, "QueryDeviceServiceData", &asked(&device, (1, 2), &more));
        let (_, text) = answer.failure();
        assert!(text.contains(right), "{more}: {text}");
    }
    let token = site.ask("QueryDeviceOriginalServiceData", &asked(&device, (1, 2), &json!({ "NextPageToken": "x" })));
    assert!(token.failure().1.contains("NextPageToken"), "{token:?}");
    let named = json!({ "ProductKey": PRODUCT, "DeviceName": device.name });
    let (code, text, _) = {
        let missing = site.ask("QueryDeviceServiceData", &named);
        let (code, text, status) = missing.raised();
        (code.to_owned(), text.to_owned(), status)
    };
    assert!(code.contains("StartTime"), "{code} {text}");
}

/// A page that a millisecond had more calls than was all that was told of it.
#[test]
fn calls_of_one_millisecond_are_told_by_pages_of_any_size() {
    let site = crate::sites::embedded();
    let device = site.device("crowded");
    let paths = |number: u32| {
        let call = invocation(&device, LATER, &format!(r#"{{"delay":{number}.5}}"#));
        site.begin(Sdk::SignOnly, "InvokeThingService", &call)
    };
    let paths: Vec<_> = (0..80).map(paths).collect();
    let paths: Vec<_> = paths.into_iter().map(|waiting| waiting.answer().text().to_owned()).collect();
    let start = now() - 1000;
    let sent: Vec<_> = paths.iter().map(|path| HttpCall::send(site.program.addresses.api, "POST", path)).collect();
    for call in sent {
        let body = call.answer().body;
        assert!(body.contains(r#""Success":true"#), "{body}");
    }
    for (size, asc) in [(50, 1), (7, 0), (2, 1), (1, 0)] {
        let (mut window, mut told) = ((start, now() + 1000), Vec::new());
        loop {
            let page = asked(&device, window, &json!({ "Asc": asc, "PageSize": size }));
            let answer = site.ask("QueryDeviceServiceData", &page).ok();
            told.extend(inputs(&infos(&answer)));
            if answer.at("Data.NextValid") != &json!(true) {
                break;
            }
            let next = answer.at("Data.NextTime").as_u64().expect("a time");
            *if asc == 1 { &mut window.0 } else { &mut window.1 } = next;
        }
        let each: BTreeSet<_> = told.iter().collect();
        assert_eq!((told.len(), each.len()), (80, 80), "PageSize {size}, Asc {asc}");
    }
}
