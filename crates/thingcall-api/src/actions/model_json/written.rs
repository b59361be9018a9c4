//! A module's file in the words of `ThingModelJson`, as QueryThingModel answers it.
//!
//! **Invariants:** what is written here, [`features`](super::features) reads as it was. What every device has (`set`, `get`, `post`)
//! is no feature. What a file does not say is left out, and nothing is judged: whoever set the model did that.

use serde_json::{Map, Value, json};

/// What stands beside a module's features.
pub(in crate::actions) struct Beside<'a> {
    pub(in crate::actions) product: &'a str,
    /// The number of a version that was published, and what is said of it.
    pub(in crate::actions) version: Option<(&'a str, Option<&'a str>)>,
    /// Ids and names of the custom modules, beside the default one.
    pub(in crate::actions) modules: Vec<(String, String)>,
}

/// The file of a module.
pub(in crate::actions) fn module(file: &Value, beside: &Beside<'_>) -> Value {
    let product = beside.product;
    let mut written = object(json!({
        "productKey": product,
        "properties": each(file, "properties", |it| property(it, product)),
        "services": each(file, "services", |it| service(it, product)),
        "events": each(file, "events", |it| event(it, product)),
    }));
    for name in ["functionBlockId", "functionBlockName"] {
        copy(file, name, &mut written, name);
    }
    if let Some((number, description)) = beside.version {
        let mut version = object(json!({ "version": number }));
        version.extend(description.map(|text| ("description".to_owned(), text.into())));
        written.insert("_ppk".to_owned(), Value::Object(version));
    }
    if !beside.modules.is_empty() {
        let one = |(id, name): &(String, String)| json!({ "productKey": product, "functionBlockId": id, "functionBlockName": name });
        written.insert("functionBlocks".to_owned(), beside.modules.iter().map(one).collect());
    }
    Value::Object(written)
}

/// Those of a kind that are features of the product's own.
fn each(file: &Value, kind: &str, write: impl Fn(&Value) -> Value) -> Value {
    let own = |it: &&Value| !matches!(it["identifier"].as_str(), Some("set" | "get" | "post"));
    file[kind].as_array().into_iter().flatten().filter(own).map(write).collect()
}

fn property(given: &Value, product: &str) -> Value {
    let mut written = element(given);
    let flag =
        if given["accessMode"].as_str().is_some_and(|mode| mode.contains('w')) { "READ_WRITE" } else { "READ_ONLY" };
    written.insert("rwFlag".to_owned(), flag.into());
    own(given, product, &mut written);
    Value::Object(written)
}

fn service(given: &Value, product: &str) -> Value {
    let call = given["callType"].as_str().unwrap_or("async").to_uppercase();
    let mut written = object(json!({
        "callType": call,
        "inputParams": params(given, "inputData", "PARAM_INPUT"),
        "outputParams": params(given, "outputData", "PARAM_OUTPUT"),
    }));
    copy(given, "identifier", &mut written, "identifier");
    copy(given, "name", &mut written, "serviceName");
    own(given, product, &mut written);
    Value::Object(written)
}

fn event(given: &Value, product: &str) -> Value {
    let level = given["type"].as_str().unwrap_or("info").to_uppercase();
    let mut written = object(json!({
        "eventType": format!("{level}_EVENT_TYPE"),
        "outputdata": params(given, "outputData", "PARAM_OUTPUT"),
    }));
    copy(given, "identifier", &mut written, "identifier");
    copy(given, "name", &mut written, "eventName");
    own(given, product, &mut written);
    Value::Object(written)
}

/// What features of every kind have. All are custom: there are no categories here whose models they could be of.
fn own(given: &Value, product: &str, written: &mut Map<String, Value>) {
    written.insert("productKey".to_owned(), product.into());
    written.insert("custom".to_owned(), true.into());
    copy(given, "required", written, "required");
    copy(given, "desc", written, "description");
}

fn params(given: &Value, name: &str, direction: &str) -> Value {
    let one = |(nth, given): (usize, &Value)| {
        let mut written = element(given);
        written.insert("direction".to_owned(), direction.into());
        written.insert("paraOrder".to_owned(), nth.into());
        Value::Object(written)
    };
    given[name].as_array().into_iter().flatten().enumerate().map(one).collect()
}

/// What has an identifier, a name and a type.
fn element(given: &Value) -> Map<String, Value> {
    let mut written = typed(&given["dataType"], "dataType");
    for name in ["identifier", "name"] {
        copy(given, name, &mut written, name);
    }
    written
}

/// A type, under this member, with its specs beside it.
fn typed(given: &Value, member: &str) -> Map<String, Value> {
    let word = given["type"].as_str().unwrap_or_default().to_uppercase();
    let given = &given["specs"];
    let (beside, specs) = match word.as_str() {
        "BOOL" | "ENUM" => ("dataSpecsList", named(given, &word)),
        "STRUCT" => ("dataSpecsList", given.as_array().into_iter().flatten().map(member_of).collect()),
        "ARRAY" => {
            let mut specs = typed(&given["item"], "childDataType");
            copy(given, "size", &mut specs, "size");
            specs.insert("dataType".to_owned(), word.clone().into());
            ("dataSpecs", Value::Object(specs))
        }
        _ => {
            let mut specs = given.as_object().cloned().unwrap_or_default();
            specs.insert("dataType".to_owned(), word.clone().into());
            ("dataSpecs", Value::Object(specs))
        }
    };
    Map::from_iter([(member.to_owned(), word.into()), (beside.to_owned(), specs)])
}

/// The values of an enum or a bool, in the order of their numbers.
fn named(given: &Value, word: &str) -> Value {
    let number = |text: &str| text.parse::<i64>().ok();
    let mut all: Vec<_> = given.as_object().into_iter().flatten().collect();
    all.sort_by_key(|(value, _)| number(value));
    let value = |text: &str| number(text).map_or_else(|| text.into(), Value::from);
    all.into_iter().map(|(text, name)| json!({ "dataType": word, "name": name, "value": value(text) })).collect()
}

/// A member of a struct.
fn member_of(given: &Value) -> Value {
    let mut written = typed(&given["dataType"], "childDataType");
    written.insert("dataType".to_owned(), "STRUCT".into());
    copy(given, "identifier", &mut written, "identifier");
    copy(given, "name", &mut written, "childName");
    Value::Object(written)
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

fn copy(given: &Value, from: &str, written: &mut Map<String, Value>, to: &str) {
    if let Some(value) = given.get(from) {
        written.insert(to.to_owned(), value.clone());
    }
}
