//! What differs, and whom that breaks.

use serde_json::{Value, json};
use thingcall_tsl::ThingModel;

use super::{Aspect, Breaks, Difference, between};

const OLD: &str = include_str!("../../../models/testFb.json");

/// A default module with these services, properties and events.
fn model(members: &Value) -> ThingModel {
    let mut file = json!({ "services": [], "properties": [], "events": [] });
    for (name, value) in members.as_object().expect("members") {
        file[name] = value.clone();
    }
    ThingModel::parse(&file.to_string(), &[]).unwrap_or_else(|problems| panic!("{problems}"))
}

fn with_input(data_type: &Value) -> ThingModel {
    let input = json!({ "identifier": "level", "name": "level", "dataType": data_type });
    model(
        &json!({ "services": [{ "identifier": "S", "name": "S", "callType": "sync", "inputData": [input], "outputData": [] }] }),
    )
}

fn with_output(data_type: &Value) -> ThingModel {
    let output = json!({ "identifier": "level", "name": "level", "dataType": data_type });
    model(
        &json!({ "services": [{ "identifier": "S", "name": "S", "callType": "sync", "inputData": [], "outputData": [output] }] }),
    )
}

fn only(old: &ThingModel, new: &ThingModel) -> Difference {
    let mut found = between(Some(old), new);
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

fn int(min: i32, max: i32) -> Value {
    json!({ "type": "int", "specs": { "min": min.to_string(), "max": max.to_string() } })
}

#[test]
fn the_same_model_differs_in_nothing() {
    let main = r#"{"services":[],"properties":[],"events":[]}"#;
    let model = || ThingModel::parse(main, &[OLD]).expect("right");
    assert_eq!(between(Some(&model()), &model()), []);
    let new: Vec<_> = between(None, &model()).into_iter().map(|found| (found.part, found.aspect)).collect();
    assert!(new.contains(&("service testFb:testService".to_owned(), Aspect::Added)), "{new:?}");
}

#[test]
fn inputs_that_take_less_break_callers_and_those_that_take_more_do_not() {
    let keys = |keys: &[&str]| {
        let specs: serde_json::Map<_, _> = keys.iter().map(|key| ((*key).to_owned(), json!("x"))).collect();
        json!({ "type": "enum", "specs": specs })
    };
    let text = |length: &str| json!({ "type": "text", "specs": { "length": length } });
    let array =
        |size: &str| json!({ "type": "array", "specs": { "size": size, "item": { "type": "int", "specs": {} } } });
    for (old, new, breaks) in [
        (int(0, 7), int(0, 9), None),
        (int(0, 7), int(1, 7), Some(Breaks::Calls)),
        (int(0, 7), text("9"), Some(Breaks::Calls)),
        (keys(&["0", "1"]), keys(&["0", "1", "2"]), None),
        (keys(&["0", "1"]), keys(&["0", "2"]), Some(Breaks::Calls)),
        (text("8"), text("9"), None),
        (text("8"), text("7"), Some(Breaks::Calls)),
        (array("8"), array("7"), Some(Breaks::Calls)),
    ] {
        let found = only(&with_input(&old), &with_input(&new));
        let expected = ("service S", Some("input level"), Aspect::Type, breaks);
        assert_eq!((found.part.as_str(), found.field.as_deref(), found.aspect, found.breaks), expected, "{old} {new}");
    }
}

#[test]
fn outputs_break_readers_by_their_kind_and_devices_by_their_bounds() {
    for (old, new, breaks) in [
        (int(0, 7), int(0, 9), None),
        (int(0, 7), int(0, 6), Some(Breaks::Devices)),
        (int(0, 7), json!({ "type": "text", "specs": {} }), Some(Breaks::Readers)),
    ] {
        let found = only(&with_output(&old), &with_output(&new));
        assert_eq!((found.field.as_deref(), found.breaks), (Some("output level"), breaks), "{old} {new}");
    }
}

#[test]
fn members_of_structs_in_arrays_are_told_by_their_path() {
    let array = |members: &Value| json!({ "type": "array", "specs": { "size": "4", "item": { "type": "struct", "specs": members } } });
    let member = |id: &str| json!({ "identifier": id, "name": id, "dataType": int(0, 9) });
    let old = with_input(&array(&json!([member("from"), member("to")])));
    let new = with_input(&array(&json!([member("from"), member("till")])));
    let found: Vec<_> = between(Some(&old), &new).into_iter().map(|found| (found.field, found.breaks)).collect();
    let field = |name: &str| Some(format!("input level[].{name}"));
    assert_eq!(found, [(field("to"), Some(Breaks::Calls)), (field("till"), Some(Breaks::StrictCalls))]);
}

#[test]
fn features_that_go_change_their_mode_or_their_access_break_whoever_uses_them() {
    let property =
        |access: &str, kind: &Value| json!({ "identifier": "p", "name": "p", "accessMode": access, "dataType": kind });
    let of = |access: &str| model(&json!({ "properties": [property(access, &int(0, 9))] }));
    let found = only(&of("rw"), &of("r"));
    assert_eq!((found.aspect, found.breaks), (Aspect::Access, Some(Breaks::Calls)));
    assert_eq!(only(&of("r"), &of("rw")).breaks, None);
    assert_eq!(only(&of("rw"), &model(&json!({}))).breaks, Some(Breaks::Calls));
    assert_eq!(only(&of("r"), &model(&json!({}))).breaks, Some(Breaks::Readers));
    let mode = |mode: &str| model(&json!({ "services": [{ "identifier": "S", "name": "S", "callType": mode }] }));
    let found = only(&mode("sync"), &mode("async"));
    assert_eq!(found.to_string(), "service S was sync, is async");
    assert_eq!(found.breaks, Some(Breaks::Calls));
}

#[test]
fn a_new_name_is_told_as_words_and_breaks_nobody() {
    let named = |name: &str| model(&json!({ "services": [{ "identifier": "S", "name": name, "callType": "sync" }] }));
    let found = only(&named("one"), &named("two"));
    assert_eq!((found.aspect, found.breaks), (Aspect::Words, None));
}
