//! Consumer groups and subscriptions: by every official Python SDK, whose models read the answers, and by the commands.

use serde_json::{Value, json};
use thingcall_tests::{Answer, Sdk, Site, eventually, run};

use crate::sites::embedded;

/// An SDK, and a word that its groups are named after.
const SDKS: [(Sdk, &str); 3] = [(Sdk::Tea, "tea"), (Sdk::TeaV1, "older"), (Sdk::Legacy, "legacy")];

/// The ten flags, all false.
const FLAGS: [&str; 10] = [
    "DeviceDataFlag",
    "DeviceStatusChangeFlag",
    "DeviceLifeCycleFlag",
    "DeviceTopoLifeCycleFlag",
    "FoundDeviceListFlag",
    "ThingHistoryFlag",
    "DeviceTagFlag",
    "OtaEventFlag",
    "OtaVersionFlag",
    "OtaJobFlag",
];

fn made(site: &Site, sdk: Sdk, name: &str) -> String {
    let answer = site.ask_by(sdk, "CreateConsumerGroup", &json!({ "GroupName": name })).ok();
    let id = answer.text_at("GroupId").to_owned();
    assert!(id.len() == 26 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{answer:?}");
    id
}

#[test]
fn every_sdk_manages_consumer_groups() {
    let site = embedded();
    for (sdk, word) in SDKS {
        let ask = |action: &str, params: Value| site.ask_by(sdk, action, &params);
        let (name, other) = (format!("{word}_group"), format!("{word}_消费组"));
        let id = made(site, sdk, &name);
        let of_it = json!({ "GroupId": id });

        ask("UpdateConsumerGroup", json!({ "GroupId": id, "NewGroupName": other })).ok();
        let read = ask("QueryConsumerGroupByGroupId", of_it.clone()).ok();
        assert_eq!((read.text_at("Data.GroupId"), read.text_at("Data.GroupName")), (&*id, &*other), "{read:?}");
        let created = read.text_at("Data.CreateTime");
        assert!(created.len() == "2020-05-20T00:05:20.000Z".len() && created.ends_with('Z'), "{read:?}");

        let part = json!({ "CurrentPage": 1, "PageSize": 10, "Fuzzy": true, "GroupName": word });
        let list = ask("QueryConsumerGroupList", part).ok();
        let counts = ["CurrentPage", "PageSize", "PageCount", "Total"].map(|name| list.at(name).as_u64());
        assert_eq!(counts, [Some(1), Some(10), Some(1), Some(1)], "{list:?}");
        assert_eq!(list.at("Data.ConsumerGroupDTO")[0]["GroupId"], id, "{list:?}");
        let all = ask("QueryConsumerGroupList", json!({ "CurrentPage": 1, "PageSize": 1000, "Fuzzy": false })).ok();
        assert!(all.at("Total").as_u64() > Some(1), "{all:?}");
        assert_eq!(all.at("Data.ConsumerGroupDTO")[0]["GroupId"], "DEFAULT_GROUP", "{all:?}");

        let status = ask("QueryConsumerGroupStatus", of_it.clone()).ok();
        for count in ["AccumulationCount", "ConsumerSpeed", "RealTimeConsumeCountPerMinute"] {
            assert_eq!(status.at(count), 0, "{count}: {status:?}");
        }
        let clients = status.at("ClientConnectionStatusList.ConsumerGroupClientConnectionInfo");
        assert_eq!(clients, &json!([]), "{status:?}");
        ask("ResetConsumerGroupPosition", of_it.clone()).ok();

        ask("DeleteConsumerGroup", of_it.clone()).ok();
        refused(&ask("QueryConsumerGroupByGroupId", of_it), &id);
        refused(&ask("DeleteConsumerGroup", json!({ "GroupId": "DEFAULT_GROUP" })), "DEFAULT_GROUP");
    }
}

fn refused(answer: &Answer, said: &str) {
    let (code, text) = answer.failure();
    assert!(code == "iot.system.IllegalRequest" && text.contains(said), "{said}: {answer:?}");
}

#[test]
fn every_sdk_manages_subscriptions() {
    let site = embedded();
    for (sdk, word) in SDKS {
        let product = format!("subscribed{word}");
        site.import(&product, &[]);
        let [first, second] = ["first", "second"].map(|name| made(site, sdk, &format!("{word}_{name}")));
        let ask = |action: &str, params: Value| {
            let mut all = json!({ "ProductKey": product });
            for (name, value) in params.as_object().expect("an object") {
                all[name] = value.clone();
            }
            site.ask_by(sdk, action, &all)
        };
        let read = || ask("QuerySubscribeRelation", json!({ "Type": "AMQP" }));
        let known = || (!read().failure().1.contains("does not exist")).then_some(());
        eventually("the server knows the product", known);

        let with = |flag: &str, groups: &[&str]| {
            let mut params = json!({ "Type": "AMQP", "ConsumerGroupIds": groups });
            for name in FLAGS {
                params[name] = json!(name == flag);
            }
            params
        };
        ask("CreateSubscribeRelation", with("DeviceDataFlag", &["DEFAULT_GROUP", &first])).ok();
        let subscribed = |flag: &str, groups: &[&str]| {
            let answer = read().ok();
            assert_eq!((answer.text_at("ProductKey"), answer.text_at("Type")), (&*product, "AMQP"), "{answer:?}");
            assert_eq!(answer.at("ConsumerGroupIds"), &json!(groups), "{answer:?}");
            for name in FLAGS {
                assert_eq!(answer.at(name), &json!(name == flag), "{name}: {answer:?}");
            }
        };
        subscribed("DeviceDataFlag", &["DEFAULT_GROUP", &first]);
        refused(&ask("CreateSubscribeRelation", with("DeviceDataFlag", &[&first])), "already");
        refused(&ask("UpdateSubscribeRelation", with("", &[&first])), "at least one of");
        refused(&ask("CreateSubscribeRelation", json!({ "Type": "MNS", "DeviceDataFlag": true })), "Message Service");

        ask("UpdateSubscribeRelation", with("OtaJobFlag", &[&first])).ok();
        ask("CreateConsumerGroupSubscribeRelation", json!({ "ConsumerGroupId": second })).ok();
        subscribed("OtaJobFlag", &[&first, &second]);
        ask("DeleteConsumerGroupSubscribeRelation", json!({ "ConsumerGroupId": first })).ok();
        subscribed("OtaJobFlag", &[&second]);
        refused(&ask("DeleteConsumerGroupSubscribeRelation", json!({ "ConsumerGroupId": second })), "last one");
        refused(&site.ask_by(sdk, "DeleteConsumerGroup", &json!({ "GroupId": second })), &product);

        ask("DeleteSubscribeRelation", json!({ "Type": "AMQP" })).ok();
        refused(&read(), "no subscription");
        for group in [first, second] {
            site.ask_by(sdk, "DeleteConsumerGroup", &json!({ "GroupId": group })).ok();
        }
    }
}

#[test]
fn answers_in_xml_have_the_names_of_the_reference() {
    let site = embedded();
    site.import("subscribedxml", &[]);
    let id = made(site, Sdk::Tea, "xml_group");
    let of = json!({ "ProductKey": "subscribedxml", "Type": "AMQP", "DeviceDataFlag": true, "ConsumerGroupIds": [id] });
    eventually("the server knows the product", || site.ask("CreateSubscribeRelation", &of).succeeded().then_some(()));
    let xml = |action: &str, params: Value| site.ask_by(Sdk::LegacyXml, action, &params).text().to_owned();

    let renamed = xml("UpdateConsumerGroup", json!({ "GroupId": id, "NewGroupName": "xml_other" }));
    assert!(renamed.contains("<UpdateConsumerGroupNameResponse>") && renamed.contains("<Success>true<"), "{renamed}");
    let reset = xml("ResetConsumerGroupPosition", json!({ "GroupId": id }));
    assert!(reset.contains("<ResetConsumerPositionResponse>") && reset.contains("<Success>true<"), "{reset}");
    let read = xml("QuerySubscribeRelation", json!({ "ProductKey": "subscribedxml", "Type": "AMQP" }));
    assert!(read.contains(&format!("<ConsumerGroupIds><e>{id}</e></ConsumerGroupIds>")), "{read}");
}

#[test]
fn groups_are_made_shown_and_removed_by_commands() {
    let site = embedded();
    let added = site.command_json(&["group", "add", "by_command"]);
    let id = added["groupId"].as_str().expect("an id");
    let known = || site.ask("QueryConsumerGroupByGroupId", &json!({ "GroupId": id })).succeeded().then_some(());
    eventually("the running server knows the group", known);

    site.command(&["group", "rename", "by_command", "by_another"]);
    let listed = site.command(&["group", "list"]);
    assert!(listed.contains("DEFAULT_GROUP") && listed.contains(id) && listed.contains("by_another"), "{listed}");
    let shown = site.command_json(&["group", "show", "by_another"]);
    let counts = ["unread", "triedAgain", "deadLetters", "lost"].map(|name| shown[name].as_u64());
    assert_eq!((&shown["groupId"], &shown["products"], counts), (&json!(id), &json!([]), [Some(0); 4]), "{shown}");
    assert_eq!(site.command_json(&["group", "skip", id])["skipped"], 0);
    site.command(&["group", "remove", id]);
    let again = site.command_json(&["group", "add", "by_command", "--id", id]);
    assert_eq!((&again["groupId"], &again["name"]), (&json!(id), &json!("by_command")));

    let data = site.data().to_str().expect("a plain name");
    for (arguments, said) in [
        (&["group", "show", "by_another"][..], "there is no consumer group \"by_another\""),
        (&["group", "remove", "DEFAULT_GROUP"], "DEFAULT_GROUP cannot be removed"),
        (&["group", "add", "abc"], "4 to 30"),
        (&["group", "add", "by_another", "--id", id], "exists already; it is called \"by_command\""),
    ] {
        let finished = run([arguments, &["--data", data]].concat());
        assert!(finished.code == Some(1) && finished.stderr.contains(said), "{said}: {finished:?}");
    }
}

#[test]
fn subscriptions_are_set_listed_and_removed_by_commands() {
    let site = embedded();
    site.import("bycommand", &[]);
    let group = site.command_json(&["group", "add", "set_by_command"]);
    let id = group["groupId"].as_str().expect("an id");

    let all = site.command_json(&["subscription", "set", "bycommand"]);
    let told_of = ["device_data", "device_status", "device_life_cycle", "thing_history", "device_tag"];
    assert_eq!((&all["topics"], &all["groups"]), (&json!(told_of), &json!(["DEFAULT_GROUP"])), "{all}");
    let groups = "set_by_command,DEFAULT_GROUP";
    site.command(&["subscription", "set", "bycommand", "--topic", "device_status", "--group", groups]);
    let kept = site.command_json(&["subscription", "set", "bycommand", "--topic", "device_tag,device_status"]);
    assert_eq!(kept["topics"], json!(["device_status", "device_tag"]), "{kept}");
    assert_eq!(kept["groups"], json!([id, "DEFAULT_GROUP"]), "{kept}");
    let of = json!({ "ProductKey": "bycommand", "Type": "AMQP" });
    eventually("the running server knows the subscription", || {
        let answer = site.ask("QuerySubscribeRelation", &of);
        (answer.succeeded() && answer.at("DeviceTagFlag") == true).then_some(())
    });
    assert_eq!(site.command_json(&["group", "show", id])["products"], json!(["bycommand"]));

    let listed = site.command(&["subscription", "list"]);
    assert!(listed.contains("bycommand") && listed.contains("device_status device_tag"), "{listed}");
    site.command(&["subscription", "remove", "bycommand"]);
    assert!(!site.command(&["subscription", "list"]).contains("bycommand"));
    let data = site.data().to_str().expect("a plain name");
    let unknown = run(["subscription", "set", "bycommand", "--topic", "everything", "--data", data]);
    assert!(unknown.code == Some(2) && unknown.stderr.contains("device_data"), "{unknown:?}");
}
