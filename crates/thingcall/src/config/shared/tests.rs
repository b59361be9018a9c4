//! What may be shared, and by whom.

use super::*;
use crate::config::load::read_for_test;

fn problems(text: &str) -> Vec<(String, String)> {
    let reading = read_for_test(text, &[], Vec::new());
    reading.problems.0.iter().map(|found| (found.problem.key.clone(), found.place.to_string())).collect()
}

const POSTGRES: &str = "[store]\nurl = \"postgres://thingcall@127.0.0.1/thingcall\"\n[broker]\nenabled = false\n";

#[test]
fn what_is_shared_is_kept_in_the_store_unless_it_says_otherwise() {
    let shared = Shared::default();
    assert_eq!((shared.nonces, shared.quota), (SharedBy::Store, SharedBy::Store));
    assert!(shared.problems().is_empty() && shared.problems_alone().is_empty() && shared.redis().is_none());
    for by in ["store", "local"] {
        assert_eq!(problems(&format!("[shared]\nnonces = \"{by}\"\nquota = \"{by}\"\n")), [], "{by} with SQLite");
    }
}

#[test]
fn a_redis_has_an_address_if_anything_is_kept_there_and_none_if_nothing_is() {
    let with = |text: &str| problems(&format!("{POSTGRES}[shared]\n{text}"));
    assert_eq!(with("nonces = \"redis\"\nredis = \"redis://127.0.0.1\"\n"), []);
    assert_eq!(with("nonces = \"redis\"\n")[0].0, "shared.redis");
    assert_eq!(with("redis = \"redis://127.0.0.1\"\n"), [("shared.redis".to_owned(), "t.toml:6".to_owned())]);
    assert_eq!(with("redis_password_file = \"/a\"\n")[0].0, "shared.redis_password_file");
    assert_eq!(with("quota = \"redis\"\nredis = \"http://h\"\n"), [("shared.redis".to_owned(), "t.toml:7".to_owned())]);
    assert_eq!(with("quota = \"file\"\n")[0].0, "shared.quota");
    assert_eq!(with("ask_timeout = \"1ms\"\n")[0].0, "shared.ask_timeout");
}

#[test]
fn nothing_is_kept_in_redis_for_an_instance_on_sqlite() {
    let found = problems("[shared]\nnonces = \"redis\"\nredis = \"redis://127.0.0.1\"\n");
    assert_eq!(found, [("shared.nonces".to_owned(), "t.toml:2".to_owned())]);
}
