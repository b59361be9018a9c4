//! Which servers and which schemas are taken.

use super::*;

fn told(server: &Server) -> Option<String> {
    let error = server.check(&StoreUrl::new("postgres://u:sekrit@db/thingcall")).err()?;
    let said = format!("{error} {}", error.problem());
    assert!(!said.contains("sekrit"), "{said}");
    Some(error.to_string())
}

#[test]
fn old_server_a_standby_and_another_encoding_are_refused() {
    let right =
        || Server { version: 130_000, version_text: "13.0".to_owned(), standby: false, encoding: "UTF8".to_owned() };
    assert_eq!(told(&right()), None);
    let old = Server { version: 120_022, version_text: "12.22".to_owned(), ..right() };
    assert_eq!(
        told(&old).as_deref(),
        Some("the store postgres://u@db/thingcall is PostgreSQL 12.22; right is 13 or newer")
    );
    let standby = told(&Server { standby: true, ..right() }).unwrap();
    assert!(standby.contains("is a standby, which cannot be written; right is the URL of the primary"), "{standby}");
    let ascii = told(&Server { encoding: "SQL_ASCII".to_owned(), ..right() }).unwrap();
    assert!(ascii.contains("keeps its text as SQL_ASCII"), "{ascii}");
}

#[test]
fn every_step_may_be_used_by_the_release_before_or_says_since_when() {
    for (version, step) in (1..).zip(MIGRATIONS) {
        assert!((1..=version).contains(&step.usable_from), "step {version}");
    }
}
