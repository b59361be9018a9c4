//! What must be the same, and what must not.

use thingcall_core::testing::instance;

use super::*;

fn with(name: &str, client: &str, shares: &str) -> Instance {
    Instance { clients: vec![client.to_owned()], shares: shares.to_owned(), ..instance(name) }
}

#[test]
fn instances_that_share_the_same_and_connect_as_themselves_are_not_at_odds() {
    let all = [with("a", "c1", "store"), with("b", "c2", "store"), instance("c")];
    assert_eq!(at_odds(&all.iter().collect::<Vec<_>>()), Vec::<String>::new());
}

#[test]
fn each_thing_that_is_at_odds_is_told_with_who_and_what_to_do() {
    let all = [with("a", "c", "nonces: store"), with("b", "c", "nonces: redis"), with("b", "d", "nonces: store")];
    let told = at_odds(&all.iter().collect::<Vec<_>>());
    let [name, client, shares] = told.try_into().unwrap();
    assert!(name.contains("named b") && name.contains("[instance] name"), "{name}");
    assert!(client.contains("a and b") && client.contains("client_id of its own"), "{client}");
    assert!(shares.contains("b has nonces: redis") && shares.contains("[shared]"), "{shares}");
}
