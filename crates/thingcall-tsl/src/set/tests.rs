//! What may be set, and what is said of what may not.

use crate::{ArgsCheck, ThingModel, ViolationKind};

const MAIN: &str = r#"{"services":[],"events":[],"properties":[
    {"identifier":"temp","name":"T","accessMode":"r","dataType":{"type":"float"}},
    {"identifier":"target","name":"t","accessMode":"rw","dataType":{"type":"float","specs":{"min":"0","max":"40"}}},
    {"identifier":"on","name":"o","accessMode":"rw","dataType":{"type":"bool","specs":{"0":"off","1":"on"}}},
    {"identifier":"pin","name":"p","accessMode":"w","dataType":{"type":"text","specs":{"length":"4"}}},
    {"identifier":"spot","name":"s","dataType":{"type":"struct","specs":[
        {"identifier":"x","name":"X","dataType":{"type":"int","specs":{"min":"0","max":"9"}}},
        {"identifier":"y","name":"Y","dataType":{"type":"int","specs":{"min":"0","max":"9"}}}]}}]}"#;

const MODULE: &str = r#"{"functionBlockId":"fb","functionBlockName":"f","services":[],"events":[],"properties":[
    {"identifier":"level","name":"L","accessMode":"rw","dataType":{"type":"int","specs":{"min":"0","max":"9"}}}]}"#;

fn check(items: &str, check: ArgsCheck) -> Result<Option<String>, String> {
    let model = ThingModel::parse(MAIN, &[MODULE]).unwrap();
    model.check_properties(items, check).map_err(|violation| violation.to_string())
}

fn weak(items: &str) -> Result<Option<String>, String> {
    check(items, ArgsCheck::Weak)
}

#[test]
fn properties_of_every_module_are_set_by_the_names_that_devices_write() {
    for items in [
        r#"{"target":20.5,"on":1}"#,
        r#"{"target":20}"#,
        r#"{"pin":"1234"}"#,
        r#"{"spot":{"x":1}}"#,
        r#"{"fb:level":7,"on":0}"#,
    ] {
        assert_eq!(weak(items), Ok(None), "{items}");
    }
}

#[test]
fn what_applications_write_instead_is_mended() {
    assert_eq!(weak("{'on':1}"), Ok(Some(r#"{"on":1}"#.to_owned())));
    assert_eq!(weak(r#"{"fb:level":7.0}"#), Ok(Some(r#"{"fb:level":7}"#.to_owned())));
    assert!(check("{'on':1}", ArgsCheck::Strict).is_err());
}

#[test]
fn what_does_not_fit_is_said_with_its_name() {
    for (items, said) in [
        ("", "Items is empty"),
        ("[]", "Items is an array"),
        ("{}", "Items names no property"),
        (r#"{"temp":20.5}"#, "Items.temp cannot be set: its accessMode is \"r\""),
        (r#"{"onn":1}"#, "Items.onn is not in the thing model; did you mean on? It has on, "),
        (r#"{"level":1}"#, "Items.level is not in the thing model"),
        (r#"{"fb:level":11}"#, "Items[\"fb:level\"] is 11, out of range"),
        (r#"{"on":true}"#, "Items.on is true; write 1"),
        (r#"{"target":41.0}"#, "Items.target is 41.0, out of range"),
        (r#"{"pin":"12345"}"#, "Items.pin has 5 bytes"),
        (r#"{"spot":{"z":1}}"#, "Items.spot.z is not in the thing model"),
    ] {
        let refused = weak(items).unwrap_err();
        assert!(refused.starts_with(said), "{items} -> {refused}");
    }
}

#[test]
fn strict_products_want_points_and_whole_structs() {
    let strict = |items| check(items, ArgsCheck::Strict);
    assert_eq!(strict(r#"{"target":20.0,"spot":{"x":1,"y":2}}"#), Ok(None));
    assert!(strict(r#"{"target":20}"#).unwrap_err().contains("write 20.0"));
    assert!(strict(r#"{"spot":{"x":1}}"#).unwrap_err().starts_with("Items.spot.y is missing"));
}

#[test]
fn what_may_not_be_set_has_a_kind_of_its_own() {
    let model = ThingModel::parse(MAIN, &[MODULE]).unwrap();
    let refused = model.check_properties(r#"{"temp":1.0}"#, ArgsCheck::Weak).unwrap_err();
    assert_eq!(refused.kind, ViolationKind::ReadOnly);
}
