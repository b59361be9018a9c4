//! What of a report fits, weakly and exactly.

use super::ReportCheck::{Exact, Off, Weak};
use super::{EventLevel, ReportCheck};
use crate::{ReplyCheck, ThingModel, Validation, ViolationKind};

const MAIN: &str = r#"{"services":[],"properties":[
    {"identifier":"temp","name":"Temperature","accessMode":"r","dataType":{"type":"float","specs":{"min":"-40","max":"120","unit":"°C"}}},
    {"identifier":"on","name":"Power","accessMode":"rw","dataType":{"type":"bool","specs":{"0":"off","1":"on"}}},
    {"identifier":"label","name":"Label","accessMode":"rw","dataType":{"type":"text","specs":{"length":"4"}}},
    {"identifier":"spot","name":"Spot","accessMode":"r","dataType":{"type":"struct","specs":[
        {"identifier":"x","name":"X","dataType":{"type":"int","specs":{"min":"0","max":"9"}}},
        {"identifier":"y","name":"Y","dataType":{"type":"int","specs":{"min":"0","max":"9"}}}]}}],
  "events":[
    {"identifier":"alarm","name":"Alarm","type":"alert","method":"thing.event.alarm.post","outputData":[
        {"identifier":"level","name":"Level","dataType":{"type":"int","specs":{"min":"0","max":"3"}}},
        {"identifier":"where","name":"Where","dataType":{"type":"text","specs":{"length":"8"}}}]},
    {"identifier":"post","name":"post","type":"info","method":"thing.event.property.post","outputData":[]}]}"#;

const MODULE: &str = r#"{"functionBlockId":"fb","functionBlockName":"f","services":[],"properties":[
    {"identifier":"temp","name":"T","accessMode":"r","dataType":{"type":"int","specs":{"min":"0","max":"9"}}}],
  "events":[{"identifier":"broken","name":"Broken","type":"error","outputData":[]}]}"#;

fn model() -> ThingModel {
    ThingModel::parse(MAIN, &[MODULE]).unwrap()
}

fn kind(property: &str, value: &str, check: ReportCheck) -> Option<ViolationKind> {
    model().property(property).unwrap().check(value, check).err().map(|violation| violation.kind)
}

#[test]
fn properties_and_events_are_found_by_the_names_that_devices_write() {
    let model = model();
    assert_eq!(model.property("temp").unwrap().name(), "Temperature");
    assert_eq!((model.property("temp").unwrap().unit(), model.property("on").unwrap().unit()), ("°C", ""));
    assert_eq!(model.property("temp").unwrap().data_type().word(), "float");
    let fb = "fb".try_into().unwrap();
    let of = |module| model.properties_of(module).map(|all| all.map(|(id, _)| id.to_string()).collect::<Vec<_>>());
    assert_eq!(of(Some(&fb)), Some(vec!["temp".to_owned()]));
    assert_eq!(of(None).map(|all| all.len()), Some(4));
    assert_eq!(of(Some(&"other".try_into().unwrap())), None);
    assert_eq!(model.property("fb:temp").unwrap().name(), "T");
    assert_eq!(model.event("alarm").unwrap().level(), EventLevel::Alert);
    assert_eq!(model.event("fb:broken").unwrap().level().as_str(), "error");
    for name in ["tmp", "fb:on", "other:temp", "", ":", "a b", "fb:temp:x"] {
        assert!(model.property(name).is_none(), "{name}");
        assert!(model.event(name).is_none(), "{name}");
    }
    assert!(model.event("post").is_none(), "the built-in one is no event of its own");
}

#[test]
fn weak_check_looks_at_types_and_not_at_bounds() {
    for (property, value) in [
        ("temp", "20.5"),
        ("temp", "20"),
        ("temp", "500.0"),
        ("on", "1"),
        ("on", "true"),
        ("label", "\"longer\""),
        ("spot", r#"{"x":1}"#),
        ("spot", r#"{"x":77,"y":2}"#),
    ] {
        assert_eq!(kind(property, value, Weak), None, "{property} {value}");
    }
    for (property, value) in [("temp", "\"hot\""), ("on", "\"on\""), ("label", "7"), ("spot", "[]"), ("fb:temp", "1.5")]
    {
        assert_eq!(kind(property, value, Weak), Some(ViolationKind::Type), "{property} {value}");
    }
    assert_eq!(kind("spot", r#"{"z":1}"#, Weak), Some(ViolationKind::Unknown));
}

#[test]
fn exact_check_looks_at_bounds_too() {
    for (property, value, found) in [
        ("temp", "500.0", ViolationKind::Range),
        ("label", "\"longer\"", ViolationKind::Length),
        ("spot", r#"{"x":1}"#, ViolationKind::Missing),
    ] {
        assert_eq!(kind(property, value, Exact), Some(found), "{property} {value}");
    }
    assert_eq!(kind("temp", "20", Exact), None, "a device may write 1 for 1.0");
}

#[test]
fn event_may_leave_things_out_and_names_nothing_else() {
    let model = model();
    let alarm = model.event("alarm").unwrap();
    let found = |value: &str, check| alarm.check(value, check).err().map(|violation| violation.to_string());
    assert_eq!(found(r#"{"level":2}"#, Weak), None);
    assert_eq!(found("{}", Weak), None);
    let unknown = found(r#"{"lvl":2}"#, Weak).unwrap();
    assert!(unknown.starts_with("value.lvl is not in the thing model"), "{unknown}");
    assert_eq!(found("[]", Weak).unwrap(), "value is an array; the model wants an object");
    assert!(found("{}", Exact).is_some_and(|missing| missing.starts_with("value.level is missing")));
}

#[test]
fn nothing_is_checked_where_the_product_says_so() {
    assert_eq!(kind("temp", "\"hot\"", Off), None);
    assert_eq!(ReportCheck::of(Validation::Free, ReplyCheck::Reject), Off);
    assert_eq!(ReportCheck::of(Validation::Model, ReplyCheck::Off), Off);
    assert_eq!(ReportCheck::of(Validation::Model, ReplyCheck::default()), Weak);
    assert_eq!(ReportCheck::of(Validation::Model, ReplyCheck::Reject), Exact);
}
