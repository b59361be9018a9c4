//! Access keys with rules, by every official Python SDK and by the commands, beside a server that runs.

use serde_json::{Value, json};
use thingcall_tests::{Answer, HttpCall, Key, PRODUCT, Sdk, Site, eventually, invocation, run};

use crate::sites::embedded;

const SDKS: [Sdk; 3] = [Sdk::Tea, Sdk::TeaV1, Sdk::Legacy];
const FORBIDDEN: &str = "Forbidden.RAM";

/// A key with these rules, which the server knows.
fn keyed(site: &Site, id: &str, rules: &[&str]) -> Key {
    let rules = rules.iter().flat_map(|rule| ["--allow", rule]);
    let add: Vec<_> = ["key", "add", "--id", id, "--secret", "of-partner"].into_iter().chain(rules).collect();
    site.command(&add);
    Key { id: id.to_owned(), secret: "of-partner".to_owned(), token: None }
}

fn ask(site: &Site, key: &Key, sdk: Sdk, action: &str, params: &Value) -> Answer {
    site.begin_as(key, sdk, action, params).answer()
}

fn is_forbidden(answer: &Answer) -> bool {
    answer.has_raised() && {
        let (code, text, status) = answer.raised();
        // One SDK tells no status.
        code == FORBIDDEN && text.contains("User not authorized") && [0, 403].contains(&status)
    }
}

#[test]
fn every_sdk_is_told_what_its_key_may_not() {
    let site = embedded();
    let (mine, _connected) = site.linkkit("allowed-mine");
    let foreign = site.device("foreign");
    let devices = format!("actions=InvokeThingService,BatchGetDeviceState;devices={PRODUCT}/allowed-*");
    let key = keyed(site, "partner", &[&devices, "actions=QueryConsumerGroup*;groups=DEFAULT_GROUP"]);
    for sdk in SDKS {
        let ask = |action: &str, params: Value| ask(site, &key, sdk, action, &params);
        let call = |device, args: &str| ask("InvokeThingService", invocation(device, "testFb:testService", args));
        assert_eq!(call(&mine, r#"{"param1":7}"#).ok().result()["code"], 200);
        let by_id = |id: &str| {
            ask(
                "InvokeThingService",
                json!({ "IotId": id, "Identifier": "testFb:testService", "Args": r#"{"param1":7}"# }),
            )
        };
        by_id(&mine.iot_id).ok();
        assert!(is_forbidden(&call(&foreign, "{}")));
        assert!(is_forbidden(&by_id(&foreign.iot_id)) && is_forbidden(&by_id("nobody")));

        let states = |names: &[&str]| ask("BatchGetDeviceState", json!({ "ProductKey": PRODUCT, "DeviceName": names }));
        states(&["allowed-mine"]).ok();
        assert!(is_forbidden(&states(&["allowed-mine", "foreign"])));
        let named = json!({ "ProductKey": PRODUCT, "DeviceName": "allowed-mine" });
        assert!(is_forbidden(&ask("DisableThing", named.clone())), "an action of no rule");

        ask("QueryConsumerGroupByGroupId", json!({ "GroupId": "DEFAULT_GROUP" })).ok();
        let list = json!({ "CurrentPage": 1, "PageSize": 10, "Fuzzy": false });
        assert!(is_forbidden(&ask("QueryConsumerGroupList", list)));
    }
    let xml = site.begin_as(&key, Sdk::LegacyXml, "DisableThing", &json!({ "IotId": mine.iot_id })).answer();
    assert!(xml.text().contains(&format!("<Code>{FORBIDDEN}</Code>")), "{xml:?}");
}

#[test]
fn what_a_key_may_is_changed_while_the_server_runs_and_explained() {
    let site = embedded();
    let device = site.device("changed");
    let key = keyed(site, "changing", &[]);
    let named = json!({ "ProductKey": device.product, "DeviceName": device.name });
    let status = || ask(site, &key, Sdk::Tea, "GetDeviceStatus", &named);
    status().ok();
    assert_eq!(site.command_json(&["key", "show", "changing"])["allow"], Value::Null);

    let rules = ["actions=Query*", "products=other*"];
    let set = site.command_json(&["key", "allow", "changing", rules[0], rules[1]]);
    assert_eq!(set["allow"], json!(rules));
    assert!(is_forbidden(&status()), "the server knows when the command returns");
    let shown = site.command_json(&["key", "show", "changing"]);
    assert_eq!((&shown["allow"], &shown["enabled"]), (&json!(rules), &json!(true)), "{shown}");
    assert!(site.command(&["key", "list"]).contains("2 rules"));

    let path = site.begin_as(&key, Sdk::SignOnly, "GetDeviceStatus", &named).answer().text().to_owned();
    let refused: Value =
        serde_json::from_str(&HttpCall::send(site.program.addresses.api, "POST", &path).answer().body).expect("JSON");
    let id = refused["RequestId"].as_str().expect("an id");
    let explained = site.command_json(&["explain", id]);
    assert_eq!((&explained["outcome"], &explained["code"]), (&json!("denied"), &json!(FORBIDDEN)), "{explained}");
    eventually("it is in the log", || site.program.log().contains(id).then_some(()));

    site.command(&["key", "allow", "changing", "--everything"]);
    status().ok();
}

#[test]
fn rules_that_are_none_are_refused_with_what_is_right() {
    let site = embedded();
    let data = site.data().to_str().expect("a plain name");
    for (arguments, code, said) in [
        (&["key", "add", "--allow", "devices=dn"][..], 2, "as PRODUCTKEY/DEVICENAME"),
        (&["key", "allow", "testid", "action=*"], 2, "right are actions=, products=, devices= and groups="),
        (&["key", "allow", "testid"], 2, "--everything"),
        (&["key", "allow", "nobody", "actions=*"], 1, "access key nobody does not exist"),
        (&["key", "show", "nobody"], 1, "access key nobody does not exist"),
    ] {
        let finished = run([arguments, &["--data", data]].concat());
        assert!(finished.code == Some(code) && finished.stderr.contains(said), "{arguments:?}: {finished:?}");
    }
    let finished = run(["key", "add", "--id", "misspelt", "--allow", "actions=InvokeThing", "--data", data]);
    let told = "no action here is called InvokeThing";
    assert!(finished.code == Some(0) && finished.stderr.contains(told), "{finished:?}");
    assert!(finished.stderr.contains("key misspelt has these rules now"), "{finished:?}");
    let of_it = ["key", "temporary", "misspelt", "--expires-in", "1h", "--data", data];
    let finished = run([&of_it[..], &["--allow", "actions=Query*"]].concat());
    let told = "'actions=Query*' allows nothing: misspelt may do none of these actions";
    assert!(finished.code == Some(0) && finished.stderr.contains(told), "{finished:?}");
    let finished = run([&of_it[..], &["--allow", "actions=InvokeThing*;devices=a/b"]].concat());
    assert!(finished.stderr.contains("allows nothing"), "{finished:?}");
}

#[test]
fn a_temporary_key_ends_by_itself_and_may_no_more_than_its_key() {
    let site = embedded();
    let device = site.device("temporary");
    let named = json!({ "ProductKey": device.product, "DeviceName": device.name });
    keyed(site, "lasting", &["actions=Get*,Query*"]);
    let temporary = |more: &[&str]| {
        let made = site.command_json(&[&["key", "temporary", "lasting"], more].concat());
        let text = |name: &str| made[name].as_str().expect("a text").to_owned();
        Key { id: text("accessKeyId"), secret: text("accessKeySecret"), token: Some(text("securityToken")) }
    };
    let key = temporary(&["--expires-in", "1h", "--allow", "actions=GetDeviceStatus,DisableThing"]);
    for sdk in SDKS {
        ask(site, &key, sdk, "GetDeviceStatus", &named).ok();
        assert!(is_forbidden(&ask(site, &key, sdk, "QueryDeviceDetail", &named)), "not by its own rules");
        assert!(is_forbidden(&ask(site, &key, sdk, "DisableThing", &named)), "not by its key's");
    }
    let without = Key { token: None, ..key.clone() };
    let refused = ask(site, &without, Sdk::Legacy, "GetDeviceStatus", &named);
    assert_eq!(refused.raised().0, "MissingSecurityToken", "{refused:?}");

    let short = temporary(&["--expires-in", "1s"]);
    let ended = eventually("it has ended", || {
        let answer = ask(site, &short, Sdk::Tea, "GetDeviceStatus", &named);
        answer.has_raised().then_some(answer)
    });
    assert_eq!(ended.raised().0, "InvalidSecurityToken.Expired", "{ended:?}");
    let listed = site.command(&["key", "list"]);
    assert!(listed.contains("ended") && listed.lines().next().is_some_and(|line| line.contains("ENDS")), "{listed}");
    let shown = site.command_json(&["key", "show", &short.id]);
    assert_eq!(shown["state"], "ended", "{shown}");

    site.command(&["key", "disable", "lasting"]);
    assert_eq!(ask(site, &key, Sdk::Tea, "GetDeviceStatus", &named).raised().0, "InvalidAccessKeyId.Inactive");
}
