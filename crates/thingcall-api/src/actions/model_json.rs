//! Features as CreateThingModel and UpdateThingModel name them (`ThingModelJson`), in the words of a model's file.
//!
//! **Invariant:** nothing is judged here but the form: what the words mean, whoever reads the model's file says. A feature that is
//! in the words of such a file already is taken as it is. `method` is left out: it says nothing that the identifier does not.

mod written;

use serde_json::{Map, Value, json};

pub(super) use written::{Beside, module};

/// Of which kind each is, its identifier, and what it is in a model's file.
pub(super) fn features(given: &Value) -> Result<Vec<(&'static str, String, Value)>, String> {
    let mut all = Vec::new();
    for (kind, to) in
        [("properties", property as fn(&Value) -> Result<Value, String>), ("services", service), ("events", event)]
    {
        let Some(list) = given.get(kind) else { continue };
        for feature in list.as_array().ok_or_else(|| format!("{kind} is no list"))? {
            let id = text(feature, "identifier").ok_or_else(|| format!("a feature in {kind} has no identifier"))?;
            let written = to(feature).map_err(|why| format!("{kind} {id:?}: {why}"))?;
            all.push((kind, id.to_owned(), written));
        }
    }
    Ok(all)
}

fn property(given: &Value) -> Result<Value, String> {
    if given.get("accessMode").is_some() {
        return Ok(given.clone());
    }
    let mode = match text(given, "rwFlag") {
        Some("READ_WRITE") => "rw",
        Some("READ_ONLY") | None => "r",
        Some(other) => return Err(format!("rwFlag is {other:?}; right is READ_WRITE or READ_ONLY")),
    };
    let mut written = element(given)?;
    written.insert("accessMode".to_owned(), mode.into());
    written.insert("required".to_owned(), required(given));
    copy(given, "description", &mut written, "desc");
    Ok(Value::Object(written))
}

fn service(given: &Value) -> Result<Value, String> {
    if given.get("inputData").is_some() || given.get("outputData").is_some() {
        return Ok(given.clone());
    }
    let id = text(given, "identifier").unwrap_or_default();
    let call = text(given, "callType").unwrap_or("ASYNC").to_lowercase();
    let (inputs, outputs) = (elements(given, "inputParams")?, elements(given, "outputParams")?);
    let name = text(given, "serviceName").or_else(|| text(given, "name")).unwrap_or(id);
    let mut written =
        object(json!({ "identifier": id, "name": name, "callType": call, "inputData": inputs, "outputData": outputs }));
    written.insert("required".to_owned(), required(given));
    copy(given, "description", &mut written, "desc");
    Ok(Value::Object(written))
}

fn required(given: &Value) -> Value {
    given.get("required").cloned().unwrap_or(Value::Bool(false))
}

fn event(given: &Value) -> Result<Value, String> {
    if given.get("outputData").is_some() {
        return Ok(given.clone());
    }
    let id = text(given, "identifier").unwrap_or_default();
    let level = match text(given, "eventType") {
        Some("INFO_EVENT_TYPE") | None => "info",
        Some("ALERT_EVENT_TYPE") => "alert",
        Some("ERROR_EVENT_TYPE") => "error",
        Some(other) => {
            let right = "INFO_EVENT_TYPE, ALERT_EVENT_TYPE or ERROR_EVENT_TYPE";
            return Err(format!("eventType is {other:?}; right is {right}"));
        }
    };
    let outputs = ["outputdata", "outputParams"].into_iter().find(|name| given.get(name).is_some());
    let outputs = outputs.map_or(Ok(Vec::new()), |name| elements(given, name))?;
    let name = text(given, "eventName").or_else(|| text(given, "name")).unwrap_or(id);
    let mut written = object(json!({ "identifier": id, "name": name, "type": level, "outputData": outputs }));
    written.insert("required".to_owned(), required(given));
    copy(given, "description", &mut written, "desc");
    Ok(Value::Object(written))
}

fn elements(given: &Value, name: &str) -> Result<Vec<Value>, String> {
    let Some(list) = given.get(name) else { return Ok(Vec::new()) };
    let list = list.as_array().ok_or_else(|| format!("{name} is no list"))?;
    list.iter().map(|given| Ok(Value::Object(element(given)?))).collect()
}

/// What has an identifier, a name and a type.
fn element(given: &Value) -> Result<Map<String, Value>, String> {
    let id = text(given, "identifier").ok_or("an element has no identifier")?;
    let name = text(given, "name").or_else(|| text(given, "childName")).unwrap_or(id);
    Ok(object(json!({ "identifier": id, "name": name, "dataType": data_type(given, "dataType")? })))
}

/// The type that this member names, with what stands beside it.
fn data_type(given: &Value, member: &str) -> Result<Value, String> {
    let word = text(given, member).ok_or_else(|| format!("{member} is missing"))?.to_lowercase();
    let specs = given.get("dataSpecs").unwrap_or(&Value::Null);
    let list = given.get("dataSpecsList").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let specs = match word.as_str() {
        "int" | "float" | "double" => texts(specs, &["min", "max", "step", "unit", "unitName"]),
        "text" => texts(specs, &["length"]),
        "bool" | "enum" => named(list)?,
        "struct" => Value::Array(list.iter().map(member_of).collect::<Result<_, _>>()?),
        "array" => array(specs)?,
        // What is not known, whoever reads the model's file tells.
        _ => json!({}),
    };
    Ok(json!({ "type": word, "specs": specs }))
}

/// A member of a struct, whose type stands beside `dataType`, which is that of the struct.
fn member_of(given: &Value) -> Result<Value, String> {
    let member = if given.get("childDataType").is_some() { "childDataType" } else { "dataType" };
    let id = text(given, "identifier").ok_or("a member of a struct has no identifier")?;
    let name = text(given, "childName").or_else(|| text(given, "name")).unwrap_or(id);
    Ok(json!({ "identifier": id, "name": name, "dataType": data_type(given, member)? }))
}

fn array(specs: &Value) -> Result<Value, String> {
    let mut written = object(texts(specs, &["size"]));
    written.insert("item".to_owned(), data_type(specs, "childDataType")?);
    Ok(Value::Object(written))
}

/// The values of an enum or a bool, each with its name.
fn named(list: &[Value]) -> Result<Value, String> {
    let pair = |given: &Value| {
        let value = given.get("value").map(plain).ok_or("a value in dataSpecsList has no value")?;
        Ok((value, text(given, "name").unwrap_or_default().into()))
    };
    Ok(Value::Object(list.iter().map(pair).collect::<Result<_, String>>()?))
}

/// These members, as texts, as a model's file has numbers.
fn texts(given: &Value, names: &[&str]) -> Value {
    let pair = |name: &&str| Some(((*name).to_owned(), plain(given.get(*name)?).into()));
    Value::Object(names.iter().filter_map(pair).collect())
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn text<'v>(given: &'v Value, name: &str) -> Option<&'v str> {
    given.get(name)?.as_str()
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

fn copy(given: &Value, from: &str, written: &mut Map<String, Value>, to: &str) {
    if let Some(value) = given.get(from) {
        written.insert(to.to_owned(), value.clone());
    }
}

#[cfg(test)]
mod tests;
