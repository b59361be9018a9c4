//! What an instance is called, and where it says that it is.

use thingcall_core::Section;

use super::*;
use crate::config::Named;

fn described(name: Option<&str>, api: &str) -> Instance {
    let instance = Named { name: name.map(str::to_owned) };
    let config = Config { instance, ..Config::default() };
    describe(&config, api.parse().unwrap(), "127.0.0.1:9464".parse().unwrap())
}

#[test]
fn without_a_name_it_has_the_machines_and_another_one_at_each_start() {
    let (first, second) = (described(None, "127.0.0.1:1"), described(None, "127.0.0.1:1"));
    let named = Named { name: Some(first.name.clone()) };
    assert!(named.problems().is_empty(), "{}", first.name);
    assert_ne!(first.run, second.run);
    assert_eq!(described(Some("a.b-1"), "127.0.0.1:1").name, "a.b-1");
}

#[test]
fn who_listens_everywhere_is_found_by_its_machines_name() {
    assert_eq!(described(None, "127.0.0.1:8080").api, "127.0.0.1:8080");
    let everywhere = described(None, "0.0.0.0:8080").api;
    assert!(everywhere.ends_with(":8080") && !everywhere.starts_with("0.0.0.0"), "{everywhere}");
}

#[test]
fn a_name_that_would_not_fit_into_lists_is_refused() {
    for wrong in ["", "a b", "a/b", &"x".repeat(65)] {
        let problems = Named { name: Some(wrong.to_owned()) }.problems();
        assert_eq!(problems.len(), 1, "{wrong:?}");
    }
    assert!(Named { name: Some("x".repeat(64)) }.problems().is_empty());
}
