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
