//! Slots as a list of instances.

use thingcall_core::{Instance, LoadedPlugin, SlotState, UnixMillis};

use serde_json::json;

use super::*;

fn instance(name: &str, run: u64, sha256: &str) -> Instance {
    Instance {
        name: name.to_owned(),
        run,
        api: "10.0.0.1:8080".to_owned(),
        operator: "10.0.0.1:9464".to_owned(),
        version: "1.2.3".to_owned(),
        since: UnixMillis(0),
        calls: 3,
        embedded: false,
        plugins: vec![LoadedPlugin { name: "p".to_owned(), generation: 1, sha256: sha256.to_owned() }],
        shares: String::new(),
        clients: Vec::new(),
    }
}

fn slot(slot: u8, holder: Option<Instance>, taken_over: bool) -> SlotState {
    SlotState { slot, generation: 1, holder, taken_over, left: Duration::from_millis(7500), work: true }
}

#[test]
fn an_instance_is_one_row_with_all_its_slots() {
    let (a, b) = (instance("a", 1, "x"), instance("b", 2, "y"));
    let slots =
        vec![slot(0, Some(b), false), slot(1, Some(a.clone()), true), slot(4, Some(a), false), slot(9, None, false)];
    let (rows, orphans) = rows(slots);
    let shown: Vec<_> = rows.iter().map(|one| row(one).into_iter().take(2).collect::<Vec<_>>()).collect();
    assert_eq!(
        (shown, orphans),
        (vec![vec!["b".to_owned(), "0".to_owned()], vec!["a".to_owned(), "4 +1".to_owned()]], vec![9])
    );
    assert_eq!(row(&rows[0])[7], "7.5 s");
    let differing = differing(&rows.iter().map(|row| &row.instance).collect::<Vec<_>>());
    let json = as_json(&rows[0], &differing);
    assert_eq!(json["plugins"][0]["differsIn"], "sha256");
    assert_eq!((&json["slot"], &json["leaseSeconds"]), (&json!(0), &json!(7.5)));
    let words = in_words(&differing[0]);
    assert_eq!(words, "warning: plugin p is not the same file on all instances: b has y, a has x");
}
