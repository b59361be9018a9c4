//! Plugins built in other ways than the server: another compiler, other optimisation, another allocator, another answer
//! to a panic.

use std::path::{Path, PathBuf};

use serde_json::json;
use thingcall_tests::{Site, build_output, eventually, rust_plugin};

/// What every build must do: change nothing, refuse with a code, contain a panic, and go on after it.
fn works(library: &Path) {
    let site = Site::with_plugins("", &[library]);
    let loaded = site.plugin("odd").unwrap_or_else(|| panic!("not loaded\n{}", site.program.log()));
    assert_eq!(loaded["generation"], json!(1), "{loaded}");
    let (device, connected) = site.linkkit("built");
    connected.answers(200, &json!({ "param1": 5 }));

    for _ in 0..50 {
        let answered = site.invoke(&device, "testFb:testService", r#"{"param1":5}"#).ok();
        assert_eq!(answered.result()["data"], json!({ "param1": 5 }));
    }
    let refused = site.invoke(&device, "testFb:testService", r#"{"param1":13}"#).ok();
    assert_eq!((&refused.result()["code"], &refused.result()["message"]), (&json!(460), &json!("13 is refused")));
    let panicked = site.invoke(&device, "testFb:testService", r#"{"param1":666}"#);
    let (code, words) = panicked.failure();
    assert_eq!(code, "iot.system.SystemException");
    assert!(words.contains("odd") && words.contains("panicked"), "{words}");
    site.invoke(&device, "testFb:testService", r#"{"param1":5}"#).ok();

    eventually("nothing is left", || {
        let metrics = site.program.metrics();
        let left = metrics.sum("thingcall_pending_calls", &[])
            + metrics.sum("thingcall_plugin_in_flight", &[r#"plugin="odd""#]);
        (left == 0.0).then_some(())
    });
}

#[test]
fn plugin_with_an_allocator_of_its_own_works() {
    works(&rust_plugin("odd"));
}

#[test]
fn plugin_of_another_compiler_with_all_optimisation_works() {
    works(&build_output("other-compiler/built/release/libodd.so"));
}

#[test]
fn plugin_whose_panic_would_end_the_server_is_refused_unless_allowed() {
    let library: PathBuf = build_output("panic-abort/debug/libodd.so");

    let site = Site::with_plugins("", &[&library]);
    let (device, connected) = site.linkkit("spared");
    connected.answers(200, &json!({ "param1": 666 }));
    assert!(site.program.log().contains("panic=abort"), "{}", site.program.log());
    site.invoke(&device, "testFb:testService", r#"{"param1":666}"#).ok();

    let site = Site::with_plugins("[plugins.odd]\nallow_panic_abort = true\n", &[&library]);
    let (device, connected) = site.linkkit("trusting");
    connected.answers(200, &json!({ "param1": 5 }));
    let refused = site.invoke(&device, "testFb:testService", r#"{"param1":13}"#).ok();
    assert_eq!(refused.result()["code"], json!(460), "the plugin is there");
}
