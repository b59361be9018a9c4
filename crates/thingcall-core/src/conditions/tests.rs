//! What keeps a server from being ready.

use super::*;

fn unmet(conditions: &Conditions) -> Vec<String> {
    conditions.unmet().into_iter().map(|state| state.name).collect()
}

#[test]
fn what_was_never_seen_to_hold_is_unmet() {
    let conditions = Conditions::default();
    let store = conditions.add("store", Weight::Required);
    assert_eq!(unmet(&conditions), ["store"]);
    store.holds();
    assert_eq!(unmet(&conditions), Vec::<String>::new());
}

#[test]
fn one_way_of_several_is_enough() {
    let conditions = Conditions::default();
    let ways = [conditions.add("a", Weight::OneOf), conditions.add("b", Weight::OneOf)];
    let told = conditions.add("plugin meter", Weight::Told);
    assert_eq!(unmet(&conditions), ["a", "b"]);
    ways[1].holds();
    assert_eq!(unmet(&conditions), Vec::<String>::new());
    ways[1].fails("lost");
    assert_eq!(unmet(&conditions), ["a", "b"]);
    told.fails("refused");
    assert_eq!(unmet(&conditions), ["a", "b"]);
}

#[test]
fn a_reason_may_change_while_the_condition_stays_unmet() {
    let conditions = Conditions::default();
    let store = conditions.add("store", Weight::Required);
    let since = store.now().since;
    store.fails("the store is full");
    assert_eq!(store.now().failure.as_deref(), Some("the store is full"));
    assert_eq!(store.now().since, since);
    conditions.remove(&store);
    assert_eq!(conditions.states(), []);
}
