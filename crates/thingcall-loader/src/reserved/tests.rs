//! Which claims stay reserved.

use std::path::Path;

use super::*;
use crate::kept::Record;

fn remembered(claims: &[&str]) -> Book {
    let claims: Vec<String> = claims.iter().map(|&claim| claim.to_owned()).collect();
    let wish =
        Wish { name: "meter".to_owned(), claims: claim::parse_all(&claims).unwrap(), codecs: Vec::new(), order: None };
    let record = Record::new(Path::new("/plugins/meter.so"), "1.0.0", "00", &wish);
    Book::remembering(BTreeMap::from([("meter".to_owned(), record)]))
}

fn names(reserved: &[Reserved]) -> Vec<&str> {
    reserved.iter().map(|reserved| reserved.wish.name.as_str()).collect()
}

#[test]
fn what_was_loaded_once_keeps_its_claims() {
    let book = remembered(&["meter"]);
    let reserved = reserved(&book, &PluginConfigs::new());
    assert_eq!(names(&reserved), ["meter"]);
    assert!(reserved[0].why.contains("/plugins/meter.so is not there"), "{}", reserved[0].why);
}

#[test]
fn a_section_claims_for_a_plugin_that_never_was_there() {
    let claims = PluginConfig { claims: Some(vec!["valve".to_owned()]), ..PluginConfig::default() };
    let configs = PluginConfigs::from([("valve".to_owned(), claims)]);
    assert_eq!(names(&reserved(&Book::default(), &configs)), ["valve"]);
}

#[test]
fn what_is_switched_off_reserves_nothing() {
    let off = PluginConfig { enabled: false, ..PluginConfig::default() };
    let configs = PluginConfigs::from([("meter".to_owned(), off)]);
    assert_eq!(names(&reserved(&remembered(&["meter"]), &configs)), Vec::<&str>::new());
}
