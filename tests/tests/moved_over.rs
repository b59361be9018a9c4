//! Programs as people write them for the platform, which run here unchanged but for endpoint and key.

use serde_json::json;
use thingcall_tests::{PeoplesProgram, Site, WrittenIn};

/// Runs one to its end.
fn runs(written_in: WrittenIn) {
    let site = Site::embedded(&[("STORE__HISTORY_RECORDS_PER_PRODUCT_MAX", "1000")]);
    let program = PeoplesProgram::start(&site, written_in);
    let device = program.registered();
    let connected = site.connect(&device, false);
    program.has_set();
    assert_eq!(connected.event("set")["params"], json!({ "Brightness": 40 }));
    connected.says(&json!({ "post": { "Brightness": 40 } }));

    let seen = program.done();

    assert_eq!((&seen["product"], &seen["online"]), (&json!("lamps_renamed"), &json!("ONLINE")), "{seen}");
    assert_eq!(seen["invoked"]["data"], json!({ "channel": 1 }), "{seen}");
    assert_eq!((&seen["devices"], &seen["history"]), (&json!(["lamp1"]), &json!(["40"])), "{seen}");
    assert_eq!(seen["echoed"], "ereht uoy era", "{seen}");
    for id in ["set", "published"] {
        assert!(seen[id].as_str().is_some_and(|id| id.parse::<u32>().is_ok()), "{id}: {seen}");
    }
}

#[test]
fn program_in_python_runs_from_product_to_history() {
    runs(WrittenIn::Python);
}

#[test]
fn program_in_node_runs_from_product_to_history() {
    runs(WrittenIn::Node);
}
