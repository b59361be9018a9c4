//! What the SDK's documents show as `ThingModelJson`, in the words of a model's file.

use serde_json::json;
use thingcall_tsl::ThingModel;

use super::*;

#[test]
fn features_of_every_kind_and_type_become_those_of_a_models_file() {
    let given = json!({
        "properties": [
            { "identifier": "temp", "name": "T", "rwFlag": "READ_ONLY", "dataType": "FLOAT",
              "dataSpecs": { "dataType": "FLOAT", "min": "-40", "max": 120, "step": "0.1", "unit": "C", "unitName": "c" } },
            { "identifier": "on", "name": "O", "rwFlag": "READ_WRITE", "required": true, "dataType": "BOOL",
              "dataSpecsList": [{ "dataType": "BOOL", "name": "off", "value": 0 }, { "name": "on", "value": "1" }] },
            { "identifier": "card", "name": "C", "dataType": "STRUCT", "dataSpecsList": [
                { "identifier": "id", "childName": "I", "childDataType": "TEXT", "dataType": "STRUCT",
                  "dataSpecs": { "length": 20 } },
                { "identifier": "mode", "childName": "M", "childDataType": "ENUM", "dataType": "STRUCT",
                  "dataSpecsList": [{ "name": "slow", "value": 1 }] }] },
            { "identifier": "list", "name": "L", "dataType": "ARRAY",
              "dataSpecs": { "dataType": "ARRAY", "size": 3, "childDataType": "INT" } },
        ],
        "services": [{ "identifier": "Wash", "serviceName": "W", "callType": "SYNC", "description": "d",
            "inputParams": [{ "identifier": "speed", "name": "S", "direction": "PARAM_INPUT", "dataType": "INT",
                "dataSpecs": { "min": "0", "max": "9" } }],
            "outputParams": [] }],
        "events": [{ "identifier": "done", "eventName": "D", "eventType": "ALERT_EVENT_TYPE",
            "outputdata": [{ "identifier": "at", "name": "A", "dataType": "DATE" }] }],
    });
    let written = features(&given).unwrap();
    let kinds: Vec<_> = written.iter().map(|(kind, id, _)| format!("{kind} {id}")).collect();
    let right =
        ["properties temp", "properties on", "properties card", "properties list", "services Wash", "events done"];
    assert_eq!(kinds, right);
    let of = |nth: usize| written[nth].2.clone();
    assert_eq!(
        of(0)["dataType"]["specs"],
        json!({ "min": "-40", "max": "120", "step": "0.1", "unit": "C", "unitName": "c" })
    );
    assert_eq!((&of(0)["accessMode"], &of(1)["accessMode"]), (&json!("r"), &json!("rw")));
    assert_eq!(of(1)["dataType"], json!({ "type": "bool", "specs": { "0": "off", "1": "on" } }));
    assert_eq!(of(2)["dataType"]["specs"][1]["dataType"], json!({ "type": "enum", "specs": { "1": "slow" } }));
    assert_eq!(of(3)["dataType"]["specs"], json!({ "size": "3", "item": { "type": "int", "specs": {} } }));
    assert_eq!((&of(4)["callType"], &of(4)["desc"]), (&json!("sync"), &json!("d")));
    assert_eq!((&of(5)["type"], &of(5)["outputData"][0]["dataType"]["type"]), (&json!("alert"), &json!("date")));

    let list =
        |kind: &str| written.iter().filter(|(of, _, _)| *of == kind).map(|(_, _, it)| it.clone()).collect::<Vec<_>>();
    let file = json!({ "profile": { "version": "1.5", "productKey": "p" }, "functionBlocks": [],
        "properties": list("properties"), "services": list("services"), "events": list("events") });
    ThingModel::parse(&file.to_string(), &[]).unwrap();
}

/// A type without specs may have them or not.
fn without_empty_specs(given: &Value) -> Value {
    match given {
        Value::Object(members) => {
            let kept = members.iter().filter(|(name, value)| *name != "specs" || **value != json!({}));
            Value::Object(kept.map(|(name, value)| (name.clone(), without_empty_specs(value))).collect())
        }
        Value::Array(all) => all.iter().map(without_empty_specs).collect(),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => other.clone(),
    }
}

#[test]
fn what_is_written_is_read_as_it_was_without_what_every_device_has() {
    let file: Value = serde_json::from_str(include_str!("../../../fixtures/tsl/sample_tsl.json")).unwrap();
    let beside =
        Beside { product: "p", version: Some(("1.0", None)), modules: vec![("fb".to_owned(), "F".to_owned())] };
    let written = module(&file, &beside);
    assert_eq!(written["_ppk"], json!({ "version": "1.0" }));
    let block = json!([{ "functionBlockId": "fb", "functionBlockName": "F", "productKey": "p" }]);
    assert_eq!(written["functionBlocks"], block);
    let read: std::collections::BTreeMap<_, _> =
        features(&written).unwrap().into_iter().map(|(kind, id, feature)| ((kind, id), feature)).collect();
    let mut own = 0;
    for kind in ["properties", "services", "events"] {
        for feature in file[kind].as_array().unwrap() {
            let id = feature["identifier"].as_str().unwrap();
            let found = read.get(&(kind, id.to_owned()));
            if ["set", "get", "post"].contains(&id) {
                assert_eq!(found, None, "{kind} {id}");
                continue;
            }
            let mut right = feature.clone();
            right.as_object_mut().unwrap().remove("method");
            assert_eq!(found.map(without_empty_specs), Some(without_empty_specs(&right)), "{kind} {id}");
            own += 1;
        }
    }
    assert_eq!(read.len(), own);
}

#[test]
fn types_are_written_as_the_reference_shows_them() {
    let file = json!({ "functionBlockId": "fb", "functionBlockName": "F", "properties": [
        { "identifier": "mode", "name": "M", "accessMode": "rw", "required": true, "desc": "d",
          "dataType": { "type": "enum", "specs": { "10": "c", "2": "b", "0": "a" } } },
        { "identifier": "card", "name": "C", "accessMode": "r", "dataType": { "type": "struct", "specs": [
            { "identifier": "id", "name": "I", "dataType": { "type": "text", "specs": { "length": "20" } } }] } },
        { "identifier": "list", "name": "L", "accessMode": "r", "dataType": { "type": "array", "specs": {
            "size": "3", "item": { "type": "int", "specs": {} } } } }] });
    let written = module(&file, &Beside { product: "p", version: None, modules: Vec::new() });
    let right = json!({ "events": [], "functionBlockId": "fb", "functionBlockName": "F", "productKey": "p", "services": [],
        "properties": [
            { "custom": true, "dataSpecsList": [{ "dataType": "ENUM", "name": "a", "value": 0 },
                { "dataType": "ENUM", "name": "b", "value": 2 }, { "dataType": "ENUM", "name": "c", "value": 10 }],
              "dataType": "ENUM", "description": "d", "identifier": "mode", "name": "M", "productKey": "p", "required": true,
              "rwFlag": "READ_WRITE" },
            { "custom": true, "dataSpecsList": [{ "childDataType": "TEXT", "childName": "I",
                "dataSpecs": { "dataType": "TEXT", "length": "20" }, "dataType": "STRUCT", "identifier": "id" }],
              "dataType": "STRUCT", "identifier": "card", "name": "C", "productKey": "p", "rwFlag": "READ_ONLY" },
            { "custom": true, "dataSpecs": { "childDataType": "INT", "dataSpecs": { "dataType": "INT" }, "dataType": "ARRAY",
                "size": "3" },
              "dataType": "ARRAY", "identifier": "list", "name": "L", "productKey": "p", "rwFlag": "READ_ONLY" }] });
    assert_eq!(written, right);
    let text = written.to_string();
    let order = ["\"events\"", "\"functionBlockId\"", "\"productKey\":\"p\",\"rwFlag\"", "\"services\""];
    let places: Vec<_> = order.map(|member| text.find(member).unwrap_or_else(|| panic!("{member}: {text}"))).to_vec();
    assert!(places.is_sorted(), "members stand in alphabetical order: {text}");
}

#[test]
fn what_is_in_a_models_words_already_stays_and_what_has_no_name_is_refused() {
    let tsl = json!({ "services": [{ "identifier": "Set", "callType": "sync", "inputData": [], "outputData": [] }] });
    assert_eq!(features(&tsl).unwrap()[0].2, tsl["services"][0]);
    for (given, said) in [
        (json!({ "properties": {} }), "properties is no list"),
        (json!({ "events": [{}] }), "a feature in events has no identifier"),
        (json!({ "properties": [{ "identifier": "a" }] }), "properties \"a\": dataType is missing"),
        (json!({ "properties": [{ "identifier": "a", "rwFlag": "W", "dataType": "INT" }] }), "READ_WRITE or READ_ONLY"),
        (json!({ "events": [{ "identifier": "a", "eventType": "x" }] }), "ALERT_EVENT_TYPE"),
    ] {
        let told = features(&given).unwrap_err();
        assert!(told.contains(said), "{said}: {told}");
    }
}
