//! The overview of the console: how calls went, and what needs attention with the way to mend it.

use std::fs;

use serde_json::json;
use thingcall_tests::{Site, Visitor, eventually};

const SERVICE: &str = "testFb:testService";

#[test]
fn how_calls_ended_and_how_long_they_took_is_told_with_the_numbers() {
    let site = Site::embedded(&[]);
    let (device, connected) = site.linkkit("flows");
    connected.answers(200, &json!({ "param1": 7 }));
    let mut visitor = Visitor::logged_in(site.console(), &site.key.id, &site.key.secret);
    let before = visitor.page("/").body;
    assert!(before.contains("No call ended in the last hour"), "{before}");
    for _ in 0..3 {
        site.invoke(&device, SERVICE, r#"{"param1":1}"#).ok();
    }
    let away = site.device("away");
    site.invoke(&away, SERVICE, r#"{"param1":1}"#);
    let page = eventually("the calls are counted", || {
        Some(visitor.page("/").body).filter(|page| page.contains("75.0 %") && page.contains("25.0 %"))
    });
    for text in ["<rect", "outcome good\">ok", "outcome bad\">offline", "The whole call", "Its device", "All is well."]
    {
        assert!(page.contains(text), "{text} is not in {page}");
    }
}

#[test]
fn a_plugin_that_was_refused_needs_attention_and_the_way_to_mend_it_is_told() {
    let site = Site::embedded(&[]);
    fs::create_dir_all(site.plugin_folder()).expect("a folder");
    fs::write(site.plugin_folder().join("libbroken.so"), "no library").expect("a file");
    let mut visitor = Visitor::logged_in(site.console(), &site.key.id, &site.key.secret);
    visitor.form("/plugins", "/plugins/rescan", &[]);
    let page =
        eventually("it is refused", || Some(visitor.page("/").body).filter(|page| page.contains("libbroken.so")));
    for text in ["Needs attention", "Plugin refused: ", "libbroken.so", "href=\"/plugins\""] {
        assert!(page.contains(text), "{text} is not in {page}");
    }
    assert!(!page.contains("All is well."), "{page}");
}
