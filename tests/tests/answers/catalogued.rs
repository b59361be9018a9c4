//! The catalogue of actions says what is so: it is held against the models of the SDKs, against the table of faults, and against
//! what is answered where a value is as it says.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use thingcall_api::catalogue;
use thingcall_core::{ActionSheet, Need, ParamKind, ParamSheet};
use thingcall_tests::Sdk;

use super::bench::Bench;
use super::faults::{Entry, Fault, Kind, entries, faults, is_ignored};
use super::refused::parameters;
use super::rows::{Row, rows};

/// What is in a model and in no sheet, and is no parameter that is read and ignored: there is but one value that does something
/// other than a refusal, which is to leave it out.
const LEFT_OUT: &[(&str, &str)] = &[("Pub", "Retained"), ("QueryDeviceStatistics", "GroupId")];

/// Without it the request of its row is refused, and another request without it may do: what it changes keeps its name then.
const NEEDED_IN_ITS_ROW: (&str, &str) = ("UpdateThingModel", "Identifier");

/// How many devices this registers is a test of its own.
const COSTLY: (&str, &str) = ("BatchRegisterDevice", "Count");

fn sheet_of(row: &Row) -> &'static ActionSheet {
    catalogue().find(|sheet| sheet.name == row.action).unwrap_or_else(|| panic!("{} has no sheet", row.action))
}

#[test]
fn the_catalogue_has_the_parameters_that_actions_read_and_no_others() {
    let bench = Bench::start();
    let mut wrong = Vec::new();
    for row in rows() {
        let sheet = sheet_of(row);
        let there: BTreeSet<_> = sheet.params.iter().map(|param| param.name.to_owned()).collect();
        let is_read = |name: &str| !is_ignored(row.action, name) && !LEFT_OUT.contains(&(row.action, name));
        let named = parameters(&bench, row);
        let read: BTreeSet<_> = named.iter().map(|(name, _)| name.clone()).filter(|name| is_read(name)).collect();
        wrong.extend((there != read).then(|| format!("{}: {there:?} is not {read:?}", row.action)));
        for param in sheet.params {
            let is_list = matches!(param.kind, ParamKind::Texts { .. } | ParamKind::Structures { .. });
            let listed = named.iter().any(|(name, list)| name == param.name && *list);
            wrong.extend((is_list != listed).then(|| format!("{} {}: a list?", row.action, param.name)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_the_catalogue_says_must_be_there_is_refused_where_it_is_missing() {
    let bench = Bench::start();
    let table = entries(&bench);
    let mut wrong = Vec::new();
    for row in rows() {
        let given = (row.with)(&bench);
        let given = given.as_object().expect("an object");
        for param in sheet_of(row).params {
            let needed = match param.need {
                Need::Always => true,
                Need::Never => (row.action, param.name) == NEEDED_IN_ITS_ROW,
                Need::Unless(others) => !others.iter().any(|other| *other != param.name && given.contains_key(*other)),
            };
            let refused = given.contains_key(param.name)
                && faults(&table, row.action, param.name).is_some_and(|all| {
                    // The table's other tests see to it that this is what is answered.
                    all.iter().any(|fault| fault.kind == Kind::Missing)
                });
            wrong.extend((needed != refused).then(|| format!("{} {}: {:?}", row.action, param.name, param.need)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether a parameter may be this, as the catalogue has it.
fn may_be(kind: &ParamKind, given: &Value) -> bool {
    let text = given.as_str().map_or_else(|| given.to_string(), str::to_owned);
    let count = given.as_array().map_or(0, Vec::len);
    let within = |max: u32| count <= usize::try_from(max).expect("it fits");
    match kind {
        ParamKind::Text { characters_max } => {
            characters_max.is_none_or(|max| text.chars().count() <= usize::try_from(max).expect("it fits"))
        }
        ParamKind::Whole { min, max } => text.parse().is_ok_and(|number: i64| (*min..=*max).contains(&number)),
        ParamKind::Millis => text.parse::<u64>().is_ok(),
        ParamKind::Flag => text == "true" || text == "false",
        ParamKind::Choice(words) => words.iter().any(|(word, _)| *word == text),
        ParamKind::Json => serde_json::from_str::<Value>(&text).is_ok(),
        ParamKind::Base64 { .. } => true,
        ParamKind::Texts { count_max } | ParamKind::Structures { count_max, .. } => within(*count_max),
    }
}

/// A fault that a form could know of: too much, or not of the kind. What else may be wrong, the server knows alone.
fn is_of_the_form(entry: &[Fault], param: &ParamSheet) -> Vec<Value> {
    let knows = |fault: &&Fault| match (&param.kind, fault.kind) {
        (ParamKind::Whole { .. } | ParamKind::Millis, Kind::Malformed | Kind::TooMany) => true,
        // `true` is refused there for what stands beside it.
        (ParamKind::Flag, Kind::Malformed) => fault.given != json!(true),
        (ParamKind::Choice(_), Kind::Malformed) => true,
        (ParamKind::Text { characters_max: Some(_) }, Kind::TooMany) => true,
        (ParamKind::Texts { .. } | ParamKind::Structures { .. }, Kind::TooMany) => true,
        _ => false,
    };
    entry.iter().filter(knows).map(|fault| fault.given.clone()).collect()
}

#[test]
fn what_the_catalogue_says_may_not_be_is_refused() {
    let bench = Bench::start();
    let table: Vec<Entry> = entries(&bench);
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for row in rows() {
        for param in sheet_of(row).params {
            let known = faults(&table, row.action, param.name).unwrap_or_default();
            for given in is_of_the_form(known, param) {
                // How far pages reach depends on their size.
                let is_reach = param.name == "CurrentPage" && given != json!(0) && given.is_number();
                seen += 1;
                let may = may_be(&param.kind, &given) && !is_reach;
                wrong.extend(may.then(|| format!("{} {}: {given} may not be", row.action, param.name)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen > 100, "faults are found: {seen}");
}

/// The values at the edges of what may be.
fn edges(param: &ParamSheet) -> Vec<Value> {
    match &param.kind {
        ParamKind::Whole { min, max } => {
            [*min, *max].into_iter().filter(|edge| *edge < i64::MAX).map(|edge| json!(edge)).collect()
        }
        ParamKind::Choice(words) => words.iter().map(|(word, _)| json!(word)).collect(),
        ParamKind::Text { characters_max: Some(max) } => {
            vec![json!("x".repeat(usize::try_from(*max).expect("it fits")))]
        }
        ParamKind::Flag => vec![json!("false"), json!("true")],
        ParamKind::Text { characters_max: None }
        | ParamKind::Millis
        | ParamKind::Json
        | ParamKind::Base64 { .. }
        | ParamKind::Texts { .. }
        | ParamKind::Structures { .. } => Vec::new(),
    }
}

#[test]
fn what_the_catalogue_says_may_be_is_not_refused() {
    let bench = Bench::start();
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for row in rows() {
        let params = sheet_of(row).params.iter().filter(|param| (row.action, param.name) != COSTLY);
        for (param, edge) in params.flat_map(|param| edges(param).into_iter().map(move |edge| (param, edge))) {
            let mut given = (row.with)(&bench);
            if param.name == "ApplyId" {
                continue;
            }
            given[param.name] = edge.clone();
            let answer = bench.site.ask_by(Sdk::Legacy, row.action, &given);
            let text = if answer.has_raised() {
                answer.raised().1.to_owned()
            } else {
                answer.text_at("ErrorMessage").to_owned()
            };
            seen += 1;
            // Another reason may be told, such as a flag that none is true of; but not that this is none that may be.
            let is_blamed =
                text.contains(&format!("{} is ", param.name)) || text.contains(&format!("{} has ", param.name));
            wrong.extend(is_blamed.then(|| format!("{} {} {edge}: {text}", row.action, param.name)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen > 60, "edges are found: {seen}");
}
