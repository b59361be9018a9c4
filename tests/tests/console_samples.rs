//! The console's code samples, run against the server that made them.

use serde_json::{Value, json};
use thingcall_tests::{PRODUCT, Runs, Site, Visitor, code_on, run_sample};

use crate::sites::embedded;

/// The samples that can be run here.
const RUN: [(&str, Runs); 5] = [
    ("python-new", Runs::Python),
    ("python-old", Runs::Python),
    ("node-new", Runs::Node),
    ("node-old", Runs::Node),
    ("curl", Runs::Shell),
];

/// The page of an action after a form was filled in, for its code alone.
fn page(site: &Site, action: &str, fields: &[(&str, &str)]) -> String {
    let mut visitor = Visitor::logged_in(site.console(), &site.key.id, &site.key.secret);
    let path = format!("/explorer/{action}");
    let page = visitor.form(&path, &path, &[fields, &[("do", "code")]].concat());
    assert_eq!(page.status, 200, "{page:?}");
    page.body
}

/// What each sample of a page prints.
fn printed(site: &Site, page: &str) -> Vec<(&'static str, Value)> {
    let run = |(id, runs): (&'static str, Runs)| {
        let code = code_on(page, id);
        let out = run_sample(&code, runs, &site.key);
        (id, serde_json::from_str(&out).unwrap_or_else(|error| panic!("{id} printed {out}: {error}\n{code}")))
    };
    RUN.into_iter().map(run).collect()
}

#[test]
fn each_sample_calls_a_service_and_prints_what_the_device_answers() {
    let site = embedded();
    let (device, connected) = site.linkkit("sampled");
    let fields = [
        ("p.ProductKey", PRODUCT),
        ("p.DeviceName", &device.name),
        ("p.Identifier", "testFb:testService"),
        ("of", "testFb:testService"),
        ("in.param1", "5"),
    ];
    let page = page(site, "InvokeThingService", &fields);
    for (id, told) in printed(site, &page) {
        let result: Value = serde_json::from_str(told["Data"]["Result"].as_str().expect("a text")).expect("JSON");
        assert_eq!((&told["Success"], &result["data"]), (&json!(true), &json!({ "param1": 5 })), "{id}: {told}");
        assert_eq!(connected.called()["params"], json!({ "param1": 5 }), "{id}");
    }
    // The device's own, for the same service.
    let device_side = code_on(&page, "c-device");
    for part in ["\"testFb:testService\"", "\"sampled\"", PRODUCT, r#""{\"param1\":0}""#] {
        assert!(device_side.contains(part), "{part} is not in {device_side}");
    }
}

#[test]
fn a_sample_that_the_sdks_classes_do_not_have_all_of_runs_too() {
    let site = embedded();
    let (device, _connected) = site.linkkit("sampled-qos");
    let of_it = [("p.ProductKey", PRODUCT), ("p.DeviceName", device.name.as_str())];
    let called = [("p.Identifier", "testFb:resetLater"), ("p.Args", r#"{"delay":1.0}"#), ("p.Qos", "1")];
    for (id, told) in printed(site, &page(site, "InvokeThingService", &[&of_it[..], &called].concat())) {
        assert_eq!(told["Success"], true, "{id}: {told}");
    }
    let asked = [("p.MessageContent", "aGVsbG8=")];
    for (id, told) in printed(site, &page(site, "AsyncRRpc", &[&of_it[..], &asked].concat())) {
        assert_eq!(told["Success"], true, "{id}: {told}");
    }
    let many = [("p.Identifier", "testFb:resetLater"), ("p.Args", "{}")];
    for (id, told) in printed(site, &page(site, "CreateFleetCall", &[&of_it[..], &many].concat())) {
        assert_eq!((&told["Success"], &told["Data"]["Total"]), (&json!(true), &json!(1)), "{id}: {told}");
    }
}

#[test]
fn lists_structures_and_flags_are_what_the_sdks_take() {
    let site = embedded();
    let flags = [("p.Fuzzy", "true"), ("p.GroupName", "DEFAULT"), ("p.CurrentPage", "1"), ("p.PageSize", "5")];
    for (id, told) in printed(site, &page(site, "QueryConsumerGroupList", &flags)) {
        assert_eq!(told["Success"], true, "{id}: {told}");
    }
    let names = [("p.ProductKey", PRODUCT), ("p.DeviceName", "sampled-a\nsampled-b")];
    for (id, told) in printed(site, &page(site, "BatchQueryDeviceDetail", &names)) {
        assert_eq!(told["Success"], true, "{id}: {told}");
    }
    let listed = [
        ("p.ProductKey", PRODUCT),
        ("p.DeviceNameList.0.DeviceName", "sampled-c"),
        ("p.DeviceNameList.0.DeviceNickname", "kitchen"),
        ("p.DeviceNameList.1.DeviceName", "sampled-d"),
    ];
    for (id, told) in printed(site, &page(site, "BatchCheckDeviceNames", &listed)) {
        assert_eq!(told["Success"], true, "{id}: {told}");
    }
}

#[test]
fn a_text_arrives_as_it_was_typed_whatever_is_in_it() {
    let site = embedded();
    let nasty = "\"'\\ $HOME `x` ${y}\t?>??/ % & <b> 中😀\u{202e}\u{2028} \\n \\u0041 #{z}";
    let page = page(site, "RegisterDevice", &[("p.ProductKey", PRODUCT), ("p.Nickname", nasty)]);
    for (id, told) in printed(site, &page) {
        assert_eq!(told["Success"], true, "{id}: {told}");
        let named = json!({ "ProductKey": PRODUCT, "DeviceName": told["Data"]["DeviceName"] });
        let kept = site.ask("QueryDeviceDetail", &named).ok();
        assert_eq!(kept.text_at("Data.Nickname"), nasty, "{id}");
    }
}

#[test]
fn a_sample_waits_for_a_device_that_takes_its_time() {
    let site = embedded();
    let (device, connected) = site.linkkit("sampled-slow");
    connected.is_silent();
    let fields = [
        ("p.ProductKey", PRODUCT),
        ("p.DeviceName", device.name.as_str()),
        ("p.Identifier", "testFb:testService"),
        ("p.Args", r#"{"param1":1}"#),
    ];
    let page = page(site, "InvokeThingService", &fields);
    // By themselves those of Node give up after 3 s.
    std::thread::scope(|scope| {
        for (id, runs) in RUN.into_iter().filter(|(id, _)| *id != "node-old") {
            let (page, key) = (&page, &site.key);
            scope.spawn(move || {
                let told: Value = serde_json::from_str(&run_sample(&code_on(page, id), runs, key)).expect("JSON");
                assert_eq!(told["Code"], "iot.messagebroker.TIMEOUT", "{id}: {told}");
            });
        }
    });
}
