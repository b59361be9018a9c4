//! What the rules of a key let through: each action is asked for by a key that may do just this, by one that may do everything
//! but this, and by one that may do everything with something else; and no parameter beside makes that one let through.

use serde_json::{Value, json};
use thingcall_tests::{DeviceSecrets, HttpCall, Key, PRODUCT, Sdk};

use super::bench::{Bench, HELLO, tsl};
use super::rows::{About, Row, rows};

const FORBIDDEN: &str = "Forbidden.RAM";

/// A product, a device and a group that keys may do everything with, and nothing with others.
struct Decoy {
    device: DeviceSecrets,
    group: String,
    key: Key,
}

impl Decoy {
    fn of(bench: &Bench) -> Self {
        let device = bench.site.device_of(&bench.product(), "decoy");
        let group = bench.group();
        let key = keyed(bench, "decoy");
        let product = &device.product;
        allow(bench, &key, &[format!("products={product}"), format!("devices={product}/*"), format!("groups={group}")]);
        Self { device, group, key }
    }

    /// Each parameter that names it.
    fn named(&self) -> [(&'static str, &str); 7] {
        [
            ("IotId", &self.device.iot_id),
            ("IotId.1", &self.device.iot_id),
            ("DeviceName", &self.device.name),
            ("DeviceName.1", &self.device.name),
            ("GroupId", &self.group),
            ("ConsumerGroupId", &self.group),
            ("ConsumerGroupIds.1", &self.group),
        ]
    }
}

fn keyed(bench: &Bench, id: &str) -> Key {
    bench.site.command(&["key", "add", "--id", id, "--secret", "secret", "--allow", "actions=Nothing"]);
    Key { id: id.to_owned(), secret: "secret".to_owned(), token: None }
}

fn allow(bench: &Bench, key: &Key, rules: &[String]) {
    let rules = rules.iter().map(String::as_str);
    bench.site.command(&["key", "allow", &key.id].into_iter().chain(rules).collect::<Vec<_>>());
}

/// The rules that let through what a row asks for, and nothing else.
fn exact(row: &Row, params: &Value) -> Vec<String> {
    let text = |name: &str| params[name].as_str().unwrap_or("whole").to_owned();
    let list = |name: &str| -> Vec<String> {
        let list = params[name].as_array().cloned().unwrap_or_default();
        list.iter().map(|one| one.as_str().expect("a text").to_owned()).collect()
    };
    let product = text("ProductKey");
    let about = match row.about {
        About::Device | About::DeviceOfTopic | About::NewDevice => {
            vec![format!("devices={product}/{}", text("DeviceName"))]
        }
        About::Devices | About::DevicesOrIds => {
            list("DeviceName").iter().map(|name| format!("devices={product}/{name}")).collect()
        }
        About::Product => vec![format!("products={product}")],
        About::AllProducts => vec!["products=*".to_owned()],
        About::Group => vec![format!("groups={}", text("GroupId"))],
        About::AllGroups => vec!["groups=*".to_owned()],
        About::ProductAndGroups => {
            let mut groups = list("ConsumerGroupIds");
            groups.extend(params["ConsumerGroupId"].as_str().map(str::to_owned));
            let groups = groups.iter().map(|group| format!("groups={group}"));
            groups.chain([format!("products={product}")]).collect()
        }
    };
    about.into_iter().map(|about| format!("actions={};{about}", row.action)).collect()
}

/// The parameters as a request has them: each of a list by itself.
fn flat(params: &Value) -> Value {
    let mut all = json!({});
    for (name, value) in params.as_object().expect("an object") {
        match value.as_array() {
            None => all[name] = value.clone(),
            Some(parts) => {
                for (at, part) in parts.iter().enumerate() {
                    all[format!("{name}.{}", at + 1)] = part.clone();
                }
            }
        }
    }
    all
}

/// Whether each of these requests is refused by the rules of a key, in their order.
fn are_forbidden(bench: &Bench, key: &Key, asked: &[(&str, Value)]) -> Vec<bool> {
    let signing = asked.iter().map(|(action, params)| bench.site.begin_as(key, Sdk::SignOnly, action, params));
    let signing: Vec<_> = signing.collect();
    let answers = signing.into_iter().map(|signed| {
        let answer = HttpCall::send(bench.site.program.addresses.api, "POST", signed.answer().text()).answer();
        assert_eq!(answer.status == 403, answer.body.contains(FORBIDDEN), "{}", answer.body);
        answer.status == 403
    });
    answers.collect()
}

#[test]
fn each_action_is_let_through_by_the_rules_for_it_and_by_no_others() {
    let bench = Bench::start();
    let [exactly, even, odd] = ["exactly", "even", "odd"].map(|id| keyed(&bench, id));
    let mut halves = [Vec::new(), Vec::new()];
    for (at, row) in rows().enumerate() {
        halves[at % 2].push(row.action);
    }
    for (key, half) in [(&even, &halves[0]), (&odd, &halves[1])] {
        // A rule has a length; an action each is a rule each.
        let rules: Vec<_> = half.iter().map(|action| format!("actions={action}")).collect();
        allow(&bench, key, &rules);
    }
    let mut wrong = Vec::new();
    let mut must =
        |row: &Row, holds: bool, what: &str| wrong.extend((!holds).then(|| format!("{}: {what}", row.action)));
    for (at, row) in rows().enumerate() {
        let params = (row.with)(&bench);
        let (mine, other) = if at % 2 == 0 { (&even, &odd) } else { (&odd, &even) };
        let asked = [(row.action, flat(&params))];
        must(row, are_forbidden(&bench, other, &asked) == [true], "let through by a key that has no rule for it");
        allow(&bench, &exactly, &exact(row, &params));
        let more = are_forbidden(&bench, &exactly, &one_more(row, &params));
        must(row, more.iter().all(|refused| *refused), "let through with more devices than its rules are for");
        must(row, are_forbidden(&bench, &exactly, &asked) == [false], "refused by a key that has the rules for it");
        let asked = [(row.action, flat(&(row.with)(&bench)))];
        must(row, are_forbidden(&bench, mine, &asked) == [false], "refused by a key that has a rule for it");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The same with one device more, and with none, where it may name several.
fn one_more<'r>(row: &Row, params: &Value) -> Vec<(&'r str, Value)>
where
    Row: 'r,
{
    if !matches!(row.about, About::Devices | About::DevicesOrIds) {
        return Vec::new();
    }
    let mut more = flat(params);
    more["DeviceName.2"] = json!("another");
    let mut none = flat(params);
    none.as_object_mut().expect("an object").remove("DeviceName.1");
    vec![(row.action, more), (row.action, none)]
}

#[test]
fn who_may_do_everything_with_something_else_does_nothing_with_this() {
    let bench = Bench::start();
    let decoy = Decoy::of(&bench);
    let mut let_through = Vec::new();
    // Whoever may ask for some is told of those that it may see, and that is none here.
    for row in rows().filter(|row| row.action != "QueryFleetCallList") {
        let asked = disguised(row, &flat(&(row.with)(&bench)), &decoy);
        let refused = are_forbidden(&bench, &decoy.key, &asked);
        let through = asked.iter().zip(refused).filter(|(_, refused)| !refused);
        let_through.extend(through.map(|((action, params), _)| format!("{action} is let through with {params}")));
    }
    assert!(let_through.is_empty(), "{}", let_through.join("\n"));
}

/// A row's request as it is, and with each parameter that names the decoy beside what it names or in place of it. Those that are
/// really about the decoy then are left out.
fn disguised<'r>(row: &'r Row, params: &Value, decoy: &Decoy) -> Vec<(&'r str, Value)> {
    let is_about = |name: &str| match row.about {
        About::Device | About::DeviceOfTopic => name == "IotId",
        About::DevicesOrIds => name == "IotId.1",
        About::Group => name == "GroupId",
        About::NewDevice
        | About::Devices
        | About::Product
        | About::AllProducts
        | About::AllGroups
        | About::ProductAndGroups => false,
    };
    let names = params.as_object().expect("an object").keys();
    let removable = names.filter(|name| {
        let base = name.split('.').next().unwrap_or_default();
        ["ProductKey", "DeviceName", "GroupId", "ConsumerGroupId", "ConsumerGroupIds", "TopicFullName"].contains(&base)
    });
    let mut all = Vec::new();
    for removed in removable.map(Some).chain([None]) {
        let mut rest = params.clone();
        if let Some(removed) = removed {
            rest.as_object_mut().expect("an object").remove(removed);
        }
        all.push((row.action, rest.clone()));
        for (name, value) in decoy.named() {
            if rest.get(name).is_none() && !is_about(name) {
                let mut beside = rest.clone();
                beside[name] = json!(value);
                all.push((row.action, beside));
            }
        }
    }
    all.extend(behind_the_pair(row, params, decoy));
    all
}

/// The decoy's product and name, and the IotId of another, which wins.
fn behind_the_pair<'r>(row: &'r Row, params: &Value, decoy: &Decoy) -> Option<(&'r str, Value)> {
    let (name, id) = match row.about {
        About::Device | About::DeviceOfTopic => ("DeviceName", "IotId"),
        About::DevicesOrIds => ("DeviceName.1", "IotId.1"),
        About::NewDevice
        | About::Devices
        | About::Product
        | About::AllProducts
        | About::Group
        | About::AllGroups
        | About::ProductAndGroups => return None,
    };
    let mut pair = params.clone();
    pair["ProductKey"] = json!(decoy.device.product);
    pair[name] = json!(decoy.device.name);
    pair[id] = json!("of-another");
    Some((row.action, pair))
}

#[test]
fn what_is_named_within_a_parameter_is_the_keys_own_or_refused() {
    let bench = Bench::start();
    let decoy = Decoy::of(&bench);
    let ask = |action: &str, more: Value| {
        let mut params = json!({ "ProductKey": decoy.device.product, "DeviceName": decoy.device.name });
        for (name, value) in more.as_object().expect("an object") {
            params[name] = value.clone();
        }
        bench.site.begin_as(&decoy.key, Sdk::Tea, action, &params).answer()
    };
    let refused = |action: &str, more: Value, right: &str| {
        let answer = ask(action, more);
        assert_eq!(answer.failure().0, right, "{action}: {answer:?}");
    };
    // The number of a batch of another product.
    for action in ["QueryBatchRegisterDeviceStatus", "BatchRegisterDeviceWithApplyId"] {
        refused(action, json!({ "ApplyId": bench.made_batch }), "iot.device.DeviceApplyIsNotFound");
    }
    // A topic of another device, also one with the decoy's name in it.
    let (product, name) = (&decoy.device.product, &decoy.device.name);
    for topic in [format!("/{PRODUCT}/whole/user/get"), format!("/{PRODUCT}/whole/user/{product}/{name}/user/get")] {
        let right = "iot.messagebroker.InvalidFormattedTopicName";
        refused("Pub", json!({ "TopicFullName": topic, "MessageContent": HELLO }), right);
        let nameless = json!({ "TopicFullName": topic, "MessageContent": HELLO, "DeviceName": null });
        refused("Pub", nameless, right);
        refused("RRpc", json!({ "Topic": topic, "RequestBase64Byte": HELLO, "Timeout": 1000 }), right);
    }
    // A topic of many devices of another product.
    for action in ["Pub", "PubBroadcast"] {
        let topic = format!("/broadcast/{PRODUCT}/all");
        let to_many = json!({ "TopicFullName": topic, "MessageContent": HELLO, "DeviceName": null });
        refused(action, to_many, "iot.messagebroker.InvalidFormattedTopicName");
    }
    // A model that says it is another product's.
    let before = bench.ok("QueryThingModel", &json!({ "ProductKey": PRODUCT }));
    let foreign = tsl().replace(r#""version":"1.5""#, &format!(r#""version":"1.5","productKey":"{PRODUCT}""#));
    assert!(foreign.contains(PRODUCT), "{foreign}");
    ask("ImportThingModelTsl", json!({ "TslStr": foreign, "DeviceName": null }));
    let after = bench.ok("QueryThingModel", &json!({ "ProductKey": PRODUCT }));
    assert_eq!(before.at("Data"), after.at("Data"), "it stays as it was");
}
