//! Each action succeeds by every SDK that has it, and its answer is whole: nothing is sent that no model reads, what models
//! have and it lacks is named in `lacks`, and JSON and XML say the same.

use std::collections::BTreeSet;

use serde_json::Value;
use thingcall_tests::{Answer, Sdk};

use super::bench::Bench;
use super::elements::{is_within, names, of_body, without_request};
use super::lacks;
use super::rows::{Again, Row, rows};
use crate::tidy::actions_of_the_readme;

/// What `@alicloud/iot20180120` does not have.
const NOT_IN_TS: [&str; 1] = ["AsyncRRpc"];

#[test]
fn every_action_of_the_readme_has_its_row() {
    let there: Vec<_> = rows().map(|row| row.action.to_owned()).collect();
    let named: BTreeSet<_> = actions_of_the_readme().into_iter().collect();
    assert_eq!(there.iter().cloned().collect::<BTreeSet<_>>(), named);
    assert_eq!(there.len(), named.len(), "each once");
}

#[test]
fn every_sdk_gets_the_whole_answer_of_every_action() {
    let bench = Bench::start();
    let wrong: Vec<_> = rows().flat_map(|row| is_whole(&bench, row)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is wrong with the answers of an action.
fn is_whole(bench: &Bench, row: &Row) -> Vec<String> {
    let action = row.action;
    let mut wrong = Vec::new();
    let ask = |sdk: Sdk| bench.site.ask_by(sdk, action, &(row.with)(bench));
    let first = if row.is_of_the_platform() {
        let answer = ask(Sdk::Tea).ok();
        wrong.extend(held_by_models(row, &answer));
        answer
    } else {
        ask(Sdk::Legacy).ok()
    };
    let said = of_body(first.body());
    let mut others = vec![("XML", without_request(ask(Sdk::LegacyXml).elements().clone()))];
    let mut sdks = vec![("Legacy", Sdk::Legacy), ("PopGet", Sdk::PopGet), ("PopPost", Sdk::PopPost)];
    if row.is_of_the_platform() {
        sdks.push(("TeaV1", Sdk::TeaV1));
        wrong.extend(read_in_part(row, &ask(Sdk::Ts), &said));
    }
    others.extend(sdks.into_iter().map(|(name, sdk)| (name, of_body(ask(sdk).ok().body()))));
    for (name, other) in others {
        let is_said = match row.again {
            Again::Same => other == said,
            Again::Other => names(&other) == names(&said),
        };
        wrong.extend((!is_said).then(|| format!("{action} by {name}: {other} is not {said}")));
    }
    wrong
}

/// What is wrong with what an SDK reads whose models are older, and have less.
fn read_in_part(row: &Row, answer: &Answer, said: &Value) -> Option<String> {
    let action = row.action;
    if NOT_IN_TS.contains(&action) {
        return (!answer.has_raised()).then(|| format!("{action}: Ts has it, take it from `NOT_IN_TS`"));
    }
    let read = of_body(answer.clone().ok().body());
    let within = match row.again {
        Again::Same => is_within(&read, said),
        Again::Other => is_within(&names(&read), &names(said)),
    };
    (!within).then(|| format!("{action} by Ts: {read} is not all in {said}"))
}

/// What an SDK with models says of an answer: all of it must be read, and it must lack nothing but what is named.
fn held_by_models(row: &Row, answer: &Answer) -> Vec<String> {
    let mut wrong = Vec::new();
    let (action, unread) = (row.action, answer.unread());
    wrong.extend((!unread.is_empty()).then(|| format!("no model of {action} reads {unread:?}: {answer:?}")));
    let (missing, named) = (answer.missing(), lacks::of(action));
    let not_named: Vec<_> = missing.iter().filter(|name| !named.contains(name)).collect();
    wrong.extend((!not_named.is_empty()).then(|| format!("{action} lacks {not_named:?}: {answer:?}")));
    let there: Vec<_> = named.iter().filter(|name| !missing.contains(name)).collect();
    wrong.extend((!there.is_empty()).then(|| format!("{action} has {there:?}, which `lacks` names: {answer:?}")));
    wrong
}
