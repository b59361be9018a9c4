//! The console's API explorer: each action has its form, forms made of a thing model say what the model says, and what is sent is
//! done as the key that is logged in.

use serde_json::{Value, json};
use thingcall_api::catalogue;
use thingcall_core::ParamKind;
use thingcall_tests::{HttpAnswer, PRODUCT, Site, Visitor, code_on};

use crate::sites::embedded;

fn visitor(site: &Site) -> Visitor {
    Visitor::logged_in(site.console(), &site.key.id, &site.key.secret)
}

/// Sends the form of an action, filled in like this.
fn sent(visitor: &mut Visitor, action: &str, fields: &[(&str, &str)]) -> HttpAnswer {
    let path = format!("/explorer/{action}");
    let answer = visitor.form(&path, &path, fields);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

/// The answer that a page shows.
fn answer(page: &HttpAnswer) -> Value {
    let (_, rest) = page.body.split_once("id=\"answer\"").expect("an answer");
    let shown = rest.split_once("<code>{").expect("JSON").1;
    let shown = format!("{{{}", shown.split("</code>").next().expect("its end")).replace("&quot;", "\"");
    let shown = shown.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    serde_json::from_str(&shown).unwrap_or_else(|error| panic!("{shown}: {error}"))
}

#[test]
fn every_action_has_its_form_in_both_languages() {
    let site = embedded();
    let mut visitor = visitor(site);
    for (tag, at) in [("en", 0), ("zh-CN", 1)] {
        visitor.form("/explorer", "/language", &[("to", tag), ("back", "/explorer")]);
        let list = visitor.page("/explorer").body;
        for (nth, sheet) in catalogue().enumerate() {
            assert!(list.contains(&format!("/explorer/{}\"", sheet.name)), "{} is not listed", sheet.name);
            if nth % 2 != at {
                continue;
            }
            let page = visitor.page(&format!("/explorer/{}", sheet.name));
            assert_eq!(page.status, 200, "{page:?}");
            assert!(page.body.len() < 100_000, "{} has {} bytes", sheet.name, page.body.len());
            for param in sheet.params {
                let name = if let ParamKind::Structures { members, .. } = param.kind {
                    format!("p.{}.0.{}", param.name, members[0].name)
                } else {
                    format!("p.{}", param.name)
                };
                assert!(page.body.contains(&format!("name=\"{name}\"")), "{} has no {name}", sheet.name);
            }
        }
    }
    let found = visitor.page("/explorer?q=dIsAbLe").body;
    assert!(found.contains("/explorer/DisableThing\"") && !found.contains("/explorer/EnableThing\""), "{found}");
    assert_eq!(visitor.page("/explorer/NoSuchAction").status, 404);
}

#[test]
fn a_service_is_called_from_a_form_that_is_made_of_its_model() {
    let site = embedded();
    let (device, connected) = site.linkkit("explorer-scene");
    let mut visitor = visitor(site);
    let chosen = format!("/explorer/InvokeThingService?product={PRODUCT}&device={}&service=SetScene", device.name);
    let page = visitor.page(&chosen).body;
    for part in [
        "name=\"in.scene\"",
        "1 · night",
        "name=\"in.fade\" type=\"number\" step=\"any\" min=\"0\" max=\"60\"",
        "maxlength=\"64\"",
        "testFb:testService",
    ] {
        assert!(page.contains(part), "{part} is not in {page}");
    }
    let of_device = [("p.ProductKey", PRODUCT), ("p.DeviceName", &device.name)];
    let scene = [("p.Identifier", "SetScene"), ("of", "SetScene"), ("in.scene", "1"), ("in.fade", "2")];
    let page = sent(&mut visitor, "InvokeThingService", &[&of_device[..], &scene[..]].concat());
    let told = answer(&page);
    assert_eq!(told["Success"], true, "{told}");
    let message_id = told["Data"]["MessageId"].as_str().expect("a text");
    assert!(page.body.contains(&format!("href=\"/calls/{message_id}\"")), "{page:?}");
    let called = connected.called();
    assert_eq!(called["params"].to_string(), r#"{"fade":2.0,"scene":1}"#, "{called}");

    let sync = [("p.Identifier", "testFb:testService"), ("of", "testFb:testService"), ("in.param1", "7")];
    let told = answer(&sent(&mut visitor, "InvokeThingService", &[&of_device[..], &sync[..]].concat()));
    let result: Value = serde_json::from_str(told["Data"]["Result"].as_str().expect("a text")).expect("JSON");
    assert_eq!(result["data"], json!({ "param1": 7 }), "{told}");
    assert_eq!(connected.called()["params"], json!({ "param1": 7 }));
    // What is written as JSON wins over the fields, and fields of another service are none of this one's.
    let written = [&of_device[..], &sync[..], &[("p.Args", r#"{"param1":8}"#)]].concat();
    sent(&mut visitor, "InvokeThingService", &written);
    assert_eq!(connected.called()["params"], json!({ "param1": 8 }));
    let other = [&of_device[..], &[("p.Identifier", "testFb:testService"), ("of", "SetScene"), ("in.param1", "9")]];
    let told = answer(&sent(&mut visitor, "InvokeThingService", &other.concat()));
    assert_eq!(told["Code"], "MissingArgs", "{told}");
}

#[test]
fn a_value_that_may_not_be_is_sent_and_why_not_is_shown() {
    let site = embedded();
    let device = site.device("explorer-refused");
    let mut visitor = visitor(site);
    let fields = [
        ("p.ProductKey", PRODUCT),
        ("p.DeviceName", &device.name),
        ("p.Identifier", "testFb:testService"),
        ("of", "testFb:testService"),
        ("in.param1", "many"),
    ];
    let page = sent(&mut visitor, "InvokeThingService", &fields);
    let told = answer(&page);
    assert_eq!(
        (&told["Success"], &told["Code"]),
        (&json!(false), &json!("iot.device.InvokeThingServiceFailed")),
        "{told}"
    );
    assert!(page.body.contains("value=\"many\""), "it can be mended: {page:?}");
    let request_id = told["RequestId"].as_str().expect("a text");
    assert!(page.body.contains(&format!("href=\"/calls/{request_id}\"")), "{page:?}");
}

#[test]
fn properties_are_set_from_a_form_that_is_made_of_the_model() {
    let site = embedded();
    let (device, connected) = site.linkkit("explorer-properties");
    let mut visitor = visitor(site);
    let page = visitor.page(&format!("/explorer/SetDeviceProperty?product={PRODUCT}")).body;
    assert!(page.contains("name=\"in.Brightness\"") && page.contains("name=\"in.testFb:Mode\""), "{page}");
    assert!(!page.contains("name=\"in.Temperature\""), "it can only be read: {page}");
    let fields = [("p.ProductKey", PRODUCT), ("p.DeviceName", &device.name), ("of", PRODUCT), ("in.Brightness", "42")];
    let told = answer(&sent(&mut visitor, "SetDeviceProperty", &fields));
    assert_eq!(told["Success"], true, "{told}");
    let set = connected.event("set");
    assert_eq!(set["params"], json!({ "Brightness": 42 }), "{set}");
}

/// A service with inputs of every type.
fn every_type() -> Value {
    let point = json!([
        { "identifier": "x", "name": "X", "dataType": { "type": "double", "specs": { "min": "0", "max": "9" } } },
        { "identifier": "y", "name": "Y", "dataType": { "type": "int", "specs": { "min": "0", "max": "9" } } }
    ]);
    let list = |size: &str, item: Value| json!({ "type": "array", "specs": { "size": size, "item": item } });
    let input = |id: &str, kind: Value| json!({ "identifier": id, "name": id, "dataType": kind });
    let inputs = json!([
        input("at", json!({ "type": "date", "specs": {} })),
        input("on", json!({ "type": "bool", "specs": { "0": "off", "1": "on" } })),
        input("point", json!({ "type": "struct", "specs": point })),
        input("steps", list("4", json!({ "type": "float" }))),
        input("path", list("4", json!({ "type": "struct", "specs": point }))),
        input("label", json!({ "type": "text", "specs": { "length": "20" } }))
    ]);
    let draw = json!({ "identifier": "Draw", "name": "Draw", "callType": "async", "required": false,
        "inputData": inputs, "outputData": [], "method": "thing.service.Draw" });
    json!({ "profile": { "version": "1.5" }, "properties": [], "events": [], "services": [draw] })
}

#[test]
fn structures_lists_and_dates_are_fields_and_nothing_is_sent_where_the_code_is_asked_for() {
    let site = embedded();
    let named = json!({ "ProductName": "explorer types", "NodeType": 0 });
    let product = site.ask("CreateProduct", &named).ok().text_at("ProductKey").to_owned();
    site.ask("ImportThingModelTsl", &json!({ "ProductKey": product, "TslStr": every_type().to_string() })).ok();
    let device = site.device_of(&product, "painter");
    let mut visitor = visitor(site);
    let fields = [
        ("p.ProductKey", product.as_str()),
        ("p.DeviceName", &device.name),
        ("p.Identifier", "Draw"),
        ("of", "Draw"),
        ("in.at", "2026-01-02T03:04:05"),
        ("in.on", "1"),
        ("in.point.x", "1"),
        ("in.point.y", "2"),
        ("in.steps", "1\r\n2.5"),
        ("in.path.0.x", "3"),
        ("in.path.0.y", "4"),
        ("in.label", "a \"b\" <c>"),
    ];
    let right = concat!(
        r#"{"at":"1767323045000","on":1,"point":{"x":1.0,"y":2},"steps":[1.0,2.5],"#,
        r#""path":[{"x":3.0,"y":4}],"label":"a \"b\" <c>"}"#
    );
    let page = sent(&mut visitor, "InvokeThingService", &[&fields[..], &[("do", "code")]].concat());
    assert!(!page.body.contains("id=\"answer\""), "{page:?}");
    let code = code_on(&page.body, "node-old");
    assert!(code.contains(&Value::from(right).to_string()), "{code}");
    assert!(page.body.contains("name=\"in.path.1.y\"") && page.body.contains("datetime-local"), "{page:?}");
    let told = answer(&sent(&mut visitor, "InvokeThingService", &fields));
    assert_eq!(told["Success"], true, "the server reads it so: {told}");
}

#[test]
fn a_form_of_lists_and_structures_is_sent_as_the_sdks_send_them() {
    let site = embedded();
    let mut visitor = visitor(site);
    let fields = [
        ("p.ProductKey", PRODUCT),
        ("p.DeviceNameList.0.DeviceName", "explorer-listed"),
        ("p.DeviceNameList.0.DeviceNickname", "kitchen"),
        ("p.DeviceNameList.2.DeviceName", "explorer-listed-2"),
    ];
    let told = answer(&sent(&mut visitor, "BatchCheckDeviceNames", &fields));
    assert_eq!(told["Success"], true, "{told}");
    site.device("explorer-one");
    let names = [("p.ProductKey", PRODUCT), ("p.DeviceName", "explorer-one\r\n explorer-none \r\n")];
    let told = answer(&sent(&mut visitor, "BatchQueryDeviceDetail", &names));
    assert_eq!(told["Data"]["Data"].as_array().map(Vec::len), Some(1), "{told}");
}

#[test]
fn a_form_is_done_with_the_rights_of_its_key_and_of_its_own_page_alone() {
    let site = embedded();
    site.command(&["key", "add", "--id", "explorer-few", "--secret", "few", "--allow", "actions=QueryProduct"]);
    let mut few = Visitor::logged_in(site.console(), "explorer-few", "few");
    let told = answer(&sent(&mut few, "QueryProduct", &[("p.ProductKey", PRODUCT)]));
    assert_eq!(told["Success"], true, "{told}");
    for action in ["QueryProductList", "DeleteProduct", "InvokeThingService"] {
        let page = sent(&mut few, action, &[("p.ProductKey", PRODUCT), ("p.CurrentPage", "1"), ("p.PageSize", "1")]);
        assert!(page.body.contains("Forbidden.RAM"), "{action}: {page:?}");
    }
    let without_token = few.send("POST", "/explorer/QueryProduct", &[("p.ProductKey", PRODUCT)]);
    assert_eq!(without_token.status, 403, "{without_token:?}");
    // What a form says is a parameter of its action, or nothing.
    let more = [("p.ProductKey", PRODUCT), ("p.Action", "DeleteProduct"), ("Action", "DeleteProduct")];
    assert_eq!(answer(&sent(&mut few, "QueryProduct", &more))["Success"], true);
}

#[test]
fn what_is_typed_is_shown_as_text_and_nothing_else() {
    let site = embedded();
    let mut visitor = visitor(site);
    let script = "\"><script>alert(1)</script>";
    let encoded = "%22%3E%3Cscript%3Ealert(1)%3C/script%3E";
    for query in ["product", "device", "service", "p.Args", "q"] {
        for path in ["InvokeThingService", "SetDeviceProperty"] {
            let page = visitor.page(&format!("/explorer/{path}?{query}={encoded}"));
            assert!(!page.body.contains("<script>alert"), "{query}: {}", page.body);
        }
    }
    let fields = [("p.ProductKey", script), ("p.DeviceName", script), ("p.Identifier", script), ("p.Args", script)];
    let page = sent(&mut visitor, "InvokeThingService", &fields);
    assert!(!page.body.contains("<script>alert"), "{page:?}");
}

#[test]
fn where_the_server_has_an_instance_id_pages_need_not_say_it_and_code_does() {
    let site = Site::embedded(&[("API__INSTANCE_ID", "iot-mine")]);
    let mut visitor = visitor(&site);
    let page = sent(&mut visitor, "QueryProduct", &[("p.ProductKey", PRODUCT)]);
    assert_eq!(answer(&page)["Success"], true, "{page:?}");
    assert!(code_on(&page.body, "python-new").contains("\"IotInstanceId\": \"iot-mine\""), "{page:?}");
    assert!(visitor.page("/products").body.contains(PRODUCT));
}

#[test]
fn what_a_form_would_send_is_signed_step_by_step() {
    let site = embedded();
    let mut visitor = visitor(site);
    let page = visitor.page("/explorer/QueryDeviceDetail?ProductKey=pk&DeviceName=dn").body;
    assert!(page.contains("action=\"/signature/steps\"") && page.contains("DeviceName=dev1</textarea>"), "{page}");
    for (style, text) in [("acs3", "x-acs-signature-nonce"), ("v1", "SignatureNonce")] {
        let fields = [("action", "QueryDeviceDetail"), ("params", "ProductKey=pk\r\nDeviceName=dn"), ("style", style)];
        let steps = visitor.form("/explorer/QueryDeviceDetail", "/signature/steps", &fields).body;
        assert!(steps.contains(text) && steps.contains("curl") && !steps.contains(&site.key.secret), "{steps}");
    }
}
