//! Calls of many devices that the server makes by itself, ordered by an SDK that takes any action.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use thingcall_tests::{Key, PRODUCT, Postgres, Sdk, Simulation, Site, eventually};

fn devices(site: &Site, count: usize, how: &[&str]) -> Simulation {
    let data = site.data().to_str().expect("a plain name").to_owned();
    let count_text = count.to_string();
    let arguments = ["--product", PRODUCT, "--count", &count_text, "--data", &data];
    let devices = Simulation::start(&[&arguments[..], how].concat());
    are_online(&devices, count);
    devices
}

fn are_online(devices: &Simulation, times: usize) {
    eventually("all are online", || (devices.log().matches("  online").count() >= times).then_some(()));
}

/// How often each device was called.
fn asked(devices: &Simulation) -> BTreeMap<String, usize> {
    let mut asked = BTreeMap::new();
    for line in devices.log().lines().filter(|line| line.contains("  < ")) {
        let device = line.split("  < ").next().unwrap_or_default().rsplit(' ').next().unwrap_or_default();
        *asked.entry(device.to_owned()).or_default() += 1;
    }
    asked
}

fn create(site: &Site, params: Value) -> String {
    let mut all = json!({ "ProductKey": PRODUCT, "Identifier": "Measure", "Args": r#"{"channel":1}"# });
    for (name, value) in params.as_object().expect("an object") {
        all[name] = value.clone();
    }
    site.ask_by(Sdk::PopPost, "CreateFleetCall", &all).ok().text_at("Data.FleetCallId").to_owned()
}

fn keyed(site: &Site, id: &str, rules: &[&str]) -> Key {
    let rules = rules.iter().flat_map(|rule| ["--allow", rule]);
    site.command(&["key", "add", "--id", id, "--secret", "secret"].into_iter().chain(rules).collect::<Vec<_>>());
    Key { id: id.to_owned(), secret: "secret".to_owned(), token: None }
}

fn of(site: &Site, id: &str) -> Value {
    site.ask_by(Sdk::PopPost, "QueryFleetCall", &json!({ "FleetCallId": id })).ok().at("Data").clone()
}

fn ended(site: &Site, id: &str) -> Value {
    eventually("the fleet call has ended", || {
        let told = of(site, id);
        (told["Status"] == "ENDED").then_some(told)
    })
}

#[test]
fn server_calls_each_device_once_and_tells_what_became_of_it() {
    let site = Site::embedded(&[]);
    let devices = devices(&site, 100, &["--fail", "5"]);
    let id = create(&site, json!({ "CallsPerSecond": 200, "InFlight": 20 }));
    let told = ended(&site, &id);
    assert_eq!((&told["Total"], &told["Succeeded"], &told["Failed"]), (&json!(100), &json!(95), &json!(5)), "{told}");
    let asked = asked(&devices);
    assert_eq!((asked.len(), asked.values().max()), (100, Some(&1)));

    let page = json!({ "FleetCallId": id, "Outcome": "FAILED", "PageSize": 3, "CurrentPage": 2 });
    let failed = site.ask_by(Sdk::PopPost, "QueryFleetCallDevices", &page).ok();
    assert_eq!((failed.at("Total"), failed.at("PageCount")), (&json!(5), &json!(2)), "{failed:?}");
    let shown = failed.at("Data.FleetCallDevice").as_array().expect("a list").clone();
    assert_eq!(shown.len(), 2, "{failed:?}");
    assert!(shown.iter().all(|device| device["Code"] == "460" && device["Status"] == "FAILED"), "{failed:?}");
    let list = site.ask_by(Sdk::PopPost, "QueryFleetCallList", &json!({})).ok();
    assert_eq!(list.at("Data.FleetCallInfo")[0]["FleetCallId"], id.as_str(), "{list:?}");
    let ended = site.program.metrics().sum("thingcall_fleet_devices_total", &[r#"outcome="succeeded""#]);
    assert_eq!(ended, 95.0);
}

#[test]
fn server_that_was_killed_goes_on_and_calls_no_device_twice() {
    let mut site = Site::external(&[]);
    let url = format!("mqtt://{}", site.broker());
    let devices = devices(&site, 100, &["--url", &url]);
    let id = create(&site, json!({ "CallsPerSecond": 40, "InFlight": 10 }));
    eventually("some were called", || (asked(&devices).len() > 20).then_some(()));
    site.program.kill();
    site.start_again();
    let told = ended(&site, &id);
    let counts = ["Succeeded", "Failed", "Unknown"].map(|name| told[name].as_u64().unwrap_or(0));
    assert_eq!(counts.iter().sum::<u64>(), 100, "each has its end: {told}");
    assert!(counts[2] <= 14 && counts[0] >= 86, "of those under way nobody knows: {told}");
    assert_eq!(asked(&devices).values().max(), Some(&1), "no device was called twice");
}

#[test]
fn what_is_cancelled_begins_no_further_call_and_what_cannot_be_is_refused() {
    let site = Site::embedded(&[]);
    let devices = devices(&site, 30, &[]);
    let id = create(&site, json!({ "CallsPerSecond": 2 }));
    eventually("one was called", || (!asked(&devices).is_empty()).then_some(()));
    site.ask_by(Sdk::PopPost, "CancelFleetCall", &json!({ "FleetCallId": id })).ok();
    let told = of(&site, &id);
    assert_eq!(told["Status"], "CANCELLED", "{told}");
    assert!(told["Begun"].as_u64() < Some(30), "{told}");

    let order = |other: Value| {
        let mut all = json!({ "ProductKey": PRODUCT, "Identifier": "Measure", "Args": "{}" });
        for (name, value) in other.as_object().expect("an object") {
            all[name] = value.clone();
        }
        // This SDK raises what fails; its code and its words stand in that.
        format!("{:?}", site.ask_by(Sdk::PopPost, "CreateFleetCall", &all))
    };
    for (other, said) in [
        (json!({ "ProductKey": "nobody" }), "iot.prod.NotExistedProduct"),
        (json!({ "Identifier": "Nothing" }), "iot.device.InvokeThingServiceFailed"),
        (json!({ "Args": r#"{"channel":99}"# }), "iot.device.InvokeThingServiceFailed"),
        (json!({ "CallsPerSecond": 5000 }), "right is 1 to 1000"),
        (json!({ "DeviceName.1": "sim-0001", "DeviceName.2": "nobody" }), "nothing was called: nobody"),
    ] {
        let told = order(other);
        assert!(told.contains(said), "{said}: {told}");
    }
    let unknown = format!("{:?}", site.ask_by(Sdk::PopPost, "QueryFleetCall", &json!({ "FleetCallId": "x" })));
    assert!(unknown.contains("26 letters and digits"), "{unknown}");
}

/// A key for one device once called a whole product, and could not look at what it had ordered.
#[test]
fn key_with_rules_calls_its_own_devices_and_sees_its_own_fleet_calls() {
    let site = Site::embedded(&[]);
    let devices = devices(&site, 3, &[]);
    let rule = format!("devices={PRODUCT}/sim-0001");
    let key = keyed(&site, "limited", &[&rule]);
    let order = |more: &[(&str, &str)]| {
        let mut all = json!({ "ProductKey": PRODUCT, "Identifier": "Measure", "Args": r#"{"channel":1}"# });
        for (name, value) in more {
            all[*name] = json!(value);
        }
        site.begin_as(&key, Sdk::PopPost, "CreateFleetCall", &all).answer()
    };
    let detail = json!({ "ProductKey": PRODUCT, "DeviceName": "sim-0001" });
    let detail = site.ask_by(Sdk::PopPost, "QueryDeviceDetail", &detail).ok();
    for more in [
        &[("IotId.1", detail.text_at("Data.IotId"))][..],
        &[],
        &[("DeviceName.2", "sim-0001")],
        &[("DeviceName.1", "sim-0001"), ("DeviceName.2", "sim-0002")],
    ] {
        let told = format!("{:?}", order(more));
        assert!(told.contains("Forbidden.RAM"), "{more:?}: {told}");
    }
    let told = format!("{:?}", order(&[("DeviceName.1", "sim-0001"), ("DeviceName.3", "sim-0001")]));
    assert!(told.contains("number 3 and no number 2") || told.contains("Forbidden.RAM"), "{told}");
    let once = [("DeviceName.1", "sim-0001"), ("ClientToken", "fleet-1")];
    let id = order(&once).ok().text_at("Data.FleetCallId").to_owned();
    assert_eq!(order(&once).ok().text_at("Data.FleetCallId"), id, "one token, one fleet call");
    let asked_for = json!({ "FleetCallId": id });
    let ended = eventually("it has ended", || {
        let told = site.begin_as(&key, Sdk::PopPost, "QueryFleetCall", &asked_for).answer().ok();
        (told.text_at("Data.Status") == "ENDED").then_some(told)
    });
    assert_eq!(ended.text_at("Data.AccessKeyId"), "limited");
    assert_eq!(asked(&devices).into_iter().collect::<Vec<_>>(), [(format!("{PRODUCT}/sim-0001"), 1)]);

    let others = create(&site, json!({ "DeviceName.1": "sim-0001" }));
    for action in ["QueryFleetCall", "QueryFleetCallDevices", "CancelFleetCall"] {
        let told =
            format!("{:?}", site.begin_as(&key, Sdk::PopPost, action, &json!({ "FleetCallId": others })).answer());
        assert!(told.contains("Forbidden.RAM"), "{action}: {told}");
    }
    let list = site.begin_as(&key, Sdk::PopPost, "QueryFleetCallList", &json!({})).answer().ok();
    assert_eq!(list.at("Total"), &json!(1), "{list:?}");
}

#[test]
fn calls_of_a_key_that_is_disabled_are_made_no_more_and_carry_it() {
    let site = Site::embedded(&[("RECORDS__KEEP", "all")]);
    let devices = devices(&site, 30, &[]);
    let key = keyed(&site, "leaver", &[]);
    let order =
        json!({ "ProductKey": PRODUCT, "Identifier": "Measure", "Args": r#"{"channel":1}"#, "CallsPerSecond": 2 });
    let made = site.begin_as(&key, Sdk::PopPost, "CreateFleetCall", &order).answer().ok();
    let id = made.text_at("Data.FleetCallId").to_owned();
    eventually("one was called", || (!asked(&devices).is_empty()).then_some(()));
    site.command(&["key", "disable", "leaver"]);
    let told = eventually("it is given up", || {
        let told = of(&site, &id);
        (told["Status"] == "CANCELLED").then_some(told)
    });
    assert_eq!(told["Reason"], "its access key leaver is disabled", "{told}");
    assert!(told["Begun"].as_u64() < Some(30), "{told}");
    let waiting = json!({ "FleetCallId": id, "PageSize": 50 });
    let each = site.ask_by(Sdk::PopPost, "QueryFleetCallDevices", &waiting).ok();
    let last = &each.at("Data.FleetCallDevice")[29];
    assert_eq!(last["Status"], "NOT_CALLED", "{each:?}");
    eventually("its calls are on record by its key", || {
        site.command(&["calls", "--key", "leaver"]).contains(&format!("{PRODUCT}/sim-")).then_some(())
    });
}

/// Whether this instance makes the calls of one.
fn makes_calls(site: &Site) -> bool {
    site.program.metrics().sum("thingcall_fleet_calls", &[]) > 0.0
}

fn ends(told: &Value) -> u64 {
    ["Succeeded", "Failed", "Unknown"].iter().filter_map(|name| told[*name].as_u64()).sum()
}

#[test]
fn over_instances_each_device_is_called_once_also_where_the_one_that_calls_is_killed() {
    let first = Site::sharing(&Postgres::shared().database(), &[]);
    let second = first.another(&[]);
    for site in [&first, &second] {
        site.is_ready();
    }
    let url = format!("mqtt://{}", first.broker());
    let devices = devices(&first, 100, &["--url", &url]);
    let id = create(&first, json!({ "CallsPerSecond": 40, "InFlight": 10 }));
    eventually("the other tells how far it is", || (of(&second, &id)["Begun"].as_u64() > Some(10)).then_some(()));
    let (mut runs, other) = if makes_calls(&first) { (first, second) } else { (second, first) };
    assert!(!makes_calls(&other), "one of them makes its calls");
    runs.program.kill();
    let before = of(&other, &id);
    assert_eq!(before["Status"], "RUNNING", "{before}");
    let told = ended(&other, &id);
    assert_eq!((&told["Begun"], ends(&told)), (&json!(100), 100), "each has its end: {told}");
    let unknown = told["Unknown"].as_u64().unwrap_or(0);
    assert!(unknown <= 14, "of those under way nobody knows: {told}");
    let called = asked(&devices);
    assert_eq!(called.values().max(), Some(&1), "no device was called twice");
    assert!(called.len() as u64 + unknown >= 100, "all were called: {called:?}");

    // What one began, another ends for good.
    runs.start_again();
    runs.is_ready();
    let id = create(&runs, json!({ "CallsPerSecond": 5, "InFlight": 10 }));
    eventually("some were called", || (of(&other, &id)["Begun"].as_u64() > Some(2)).then_some(()));
    let ending = if makes_calls(&runs) { &other } else { &runs };
    ending.ask_by(Sdk::PopPost, "CancelFleetCall", &json!({ "FleetCallId": id })).ok();
    let told = eventually("those under way have ended", || {
        let told = of(&other, &id);
        (ends(&told) == told["Begun"].as_u64().unwrap_or(0) && !makes_calls(&runs) && !makes_calls(&other))
            .then_some(told)
    });
    assert_eq!(told["Status"], "CANCELLED", "{told}");
    let twice = asked(&devices).values().sum::<usize>() - called.values().sum::<usize>();
    assert_eq!(Some(twice as u64), told["Begun"].as_u64(), "the devices got what is told: {told}");
    let list = runs.ask_by(Sdk::PopPost, "QueryFleetCallList", &json!({})).ok();
    assert_eq!(list.at("Total"), &json!(2), "{list:?}");
}
