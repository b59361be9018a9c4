//! What is told of a new thing model.

use thingcall_tsl::ThingModel;

use super::Changes;

const MAIN: &str = include_str!("../../models/lamp.json");
const MODULE: &str = include_str!("../../models/testFb.json");

fn model(main: &str, modules: &[&str]) -> ThingModel {
    ThingModel::parse(main, modules).expect("right")
}

#[test]
fn the_same_model_changes_nothing() {
    assert_eq!(Changes::between(&model(MAIN, &[MODULE]), &model(MAIN, &[MODULE])), Changes::default());
}

#[test]
fn a_module_left_out_is_lost_with_its_services() {
    let changes = Changes::between(&model(MAIN, &[MODULE]), &model(MAIN, &[]));
    assert_eq!(changes.lost(), ["module testFb", "service testFb:testService"]);
    assert!(changes.added.is_empty() && changes.changed.is_empty(), "{changes:?}");
}

#[test]
fn each_feature_is_told_by_its_name() {
    let old = r#"{"services":[{"identifier":"A","callType":"sync"},{"identifier":"B","callType":"sync"}],
        "properties":[{"identifier":"p","dataType":{"type":"int"}}]}"#;
    let new = r#"{"services":[{"identifier":"A","callType":"async"},{"identifier":"C","callType":"sync"},
        {"identifier":"set","method":"thing.service.property.set","callType":"async"}],
        "events":[{"identifier":"e","outputData":[]}]}"#;
    let changes = Changes::between(&model(old, &[]), &model(new, &[]));
    assert_eq!(changes.added, ["event e", "service C"]);
    assert_eq!(changes.changed, ["service A"]);
    assert_eq!(changes.removed, ["property p", "service B"]);
    assert_eq!(changes.lost(), ["service B"]);
}
