//! What is found of servers that are well and of some that are not.

use thingcall_core::{Problem, UnixMillis, Weight};

use super::super::minute::{LastMinute, Worst};
use super::*;
use crate::reconfigure::Last;

fn well() -> Facts {
    let holds = |name: &str| ConditionState {
        name: name.to_owned(),
        weight: Weight::Required,
        failure: None,
        since: UnixMillis(0),
    };
    Facts {
        ready: true,
        conditions: vec![holds("serving"), holds("store")],
        limits: Vec::new(),
        refused: Vec::new(),
        files: Vec::new(),
        pending: 0.0,
        pending_max: 10.0,
        oldest: 0.0,
        transports: [("embedded".to_owned(), 1.0)].into(),
        minute: LastMinute { seconds: 60, calls: [("ok".to_owned(), 90.0)].into() },
        worst: None,
        restart: Vec::new(),
        reload: None,
    }
}

fn found(facts: &Facts) -> (Vec<(Grade, String)>, bool) {
    let (all, well) = of(facts, &Config::default());
    assert!(all.iter().all(|one| !one.todo.is_empty() && !one.why.is_empty()), "{all:?}");
    (all.into_iter().map(|one| (one.grade, one.about)).collect(), well)
}

#[test]
fn nothing_is_found_of_a_server_that_is_well() {
    assert_eq!(found(&well()), (vec![], true));
}

#[test]
fn a_condition_that_does_not_hold_is_bad_and_says_what_to_do() {
    let mut facts = well();
    facts.conditions[1].failure = Some("disk full".to_owned());
    assert_eq!(found(&facts), (vec![(Grade::Bad, "store".to_owned())], false));
    let (all, _) = of(&facts, &Config::default());
    assert!(all[0].why.contains("disk full") && all[0].todo.contains("the disk of the data folder"), "{all:?}");
}

#[test]
fn what_is_near_its_end_is_looked_at_and_what_has_ended_is_bad() {
    let mut facts = well();
    let limit = Limit { name: "pending_calls".to_owned(), labels: Vec::new(), taken: 9.0, max: 10.0 };
    facts.limits.push(limit);
    let soon = Problem::new("broker.tls.cert_file", "\"c\" (it ends soon, at 2026-01-01T00:00:00Z)", "another");
    facts.files.push(soon.clone());
    let both = vec![
        (Grade::Look, "limit pending_calls".to_owned()),
        (Grade::Look, "certificate broker.tls.cert_file".to_owned()),
    ];
    assert_eq!(found(&facts), (both, true));
    facts.files.push(Problem { value: "\"c\" (it ended at 2026-01-01T00:00:00Z)".to_owned(), ..soon });
    assert_eq!(found(&facts).0[0], (Grade::Bad, "certificate broker.tls.cert_file".to_owned()));
}

#[test]
fn what_needs_a_restart_and_what_was_wrong_in_the_file_is_to_be_looked_at() {
    let mut facts = well();
    facts.restart.push(Changed { key: "api.listen".to_owned(), before: None, after: None });
    facts.reload = Some(Last { at: UnixMillis(0), failed: Some("t.toml:1: wrong".to_owned()) });
    let both = [(Grade::Look, "configuration".to_owned()), (Grade::Look, "needs a restart".to_owned())];
    assert_eq!(found(&facts), (both.to_vec(), true));
    let (all, _) = of(&facts, &Config::default());
    assert!(all[0].why.ends_with("nothing was changed: t.toml:1: wrong") && all[1].why == "[api] listen", "{all:?}");
}

#[test]
fn calls_that_fail_are_told_by_their_worst_and_are_bad_where_they_are_most() {
    let mut facts = well();
    facts.minute.calls.insert("timeout".to_owned(), 5.0);
    facts.worst = Some(Worst::of("timeout", ["p/a", "p/b", "p/a"].into_iter().map(str::to_owned)));
    assert_eq!(found(&facts), (vec![(Grade::Look, "calls".to_owned())], true));
    let (all, _) = of(&facts, &Config::default());
    assert_eq!(all[0].why, "5 of 95 failed within 60 s; 5 by timeout; of the latest, 2 to p/a");
    facts.minute.calls.insert("timeout".to_owned(), 100.0);
    assert_eq!(found(&facts), (vec![(Grade::Bad, "calls".to_owned())], false));
}
