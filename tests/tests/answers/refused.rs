//! What is wrong with a request is told: each required parameter that is missing, and each fault of the table, by its code and in
//! words that say where it is and what would be right.

use serde_json::json;
use thingcall_tests::{Answer, Sdk};

use super::bench::Bench;
use super::faults::{Entry, Fault, Kind, entries, faults, why_free};
use super::rows::{Row, rows};

/// The parameters of actions that the platform's SDKs have no models of.
const OF_FLEETS: &[(&str, &[&str])] = &[
    ("CreateFleetCall", &["ProductKey", "DeviceName", "Identifier", "Args", "Qos", "CallsPerSecond", "InFlight"]),
    ("QueryFleetCall", &["FleetCallId"]),
    ("QueryFleetCallList", &["CurrentPage", "PageSize"]),
    ("QueryFleetCallDevices", &["FleetCallId", "Outcome", "CurrentPage", "PageSize"]),
    ("CancelFleetCall", &["FleetCallId"]),
];

/// The parameters that an action has, and whether each is a list.
pub(super) fn parameters(bench: &Bench, row: &Row) -> Vec<(String, bool)> {
    if let Some((_, names)) = OF_FLEETS.iter().find(|(action, _)| *action == row.action) {
        return names.iter().map(|name| ((*name).to_owned(), *name == "DeviceName")).collect();
    }
    let told = bench.site.ask_by(Sdk::Parameters, row.action, &json!({}));
    let told = told.body().as_object().expect("an object").clone();
    told.into_iter().map(|(name, kind)| (name, kind == "list")).collect()
}

#[test]
fn every_parameter_has_its_faults_and_they_are_told() {
    let bench = Bench::start();
    let table = entries(&bench);
    let mut told = Vec::new();
    for row in rows() {
        let named = parameters(&bench, row);
        let mut first = true;
        for (parameter, is_list) in &named {
            let Some(faults) = faults_of(&table, row, parameter) else { continue };
            let many = faults.iter().any(|fault| fault.kind == Kind::TooMany);
            assert!(many || !is_list, "{}: how many of {parameter} are too many?", row.action);
            for fault in faults {
                told.extend(is_told(&bench, row, (parameter, fault), main_sdk(row)));
                if first {
                    let others = [Sdk::Legacy, Sdk::LegacyXml, Sdk::PopPost];
                    told.extend(others.iter().filter_map(|sdk| is_told(&bench, row, (parameter, fault), *sdk)));
                    first = false;
                }
            }
        }
        told.extend(what_is_left_out(&bench, &table, row));
    }
    assert!(told.is_empty(), "{}", told.join("\n"));
}

/// The faults of a row's parameter, which it must have unless it is free.
fn faults_of<'e>(table: &'e [Entry], row: &Row, parameter: &str) -> Option<&'e [Fault]> {
    let found = faults(table, row.action, parameter);
    let is_free = why_free(row.action, parameter).is_some();
    let only_missing = found.is_some_and(|found| found.iter().all(|fault| fault.kind == Kind::Missing));
    assert!(
        found.is_some() || is_free,
        "{}: what can be wrong with {parameter}? Name it in `faults`, or in `free` why nothing can",
        row.action
    );
    assert!(!only_missing || is_free, "{}: nothing is wrong with {parameter} but that it is missing?", row.action);
    found
}

/// Each parameter of a row's request is left out: if the action needs it, the table says so, and the other way round.
fn what_is_left_out(bench: &Bench, table: &[Entry], row: &Row) -> Vec<String> {
    let params = (row.with)(bench);
    let mut wrong = Vec::new();
    for parameter in params.as_object().expect("an object").keys() {
        let known = faults(table, row.action, parameter).into_iter().flatten();
        let is_needed = known.into_iter().any(|fault| fault.kind == Kind::Missing);
        let mut without = (row.with)(bench);
        without.as_object_mut().expect("an object").remove(parameter);
        let answer = bench.site.ask_by(main_sdk(row), row.action, &without);
        let failed = answer.has_raised() || !answer.succeeded();
        if failed != is_needed {
            wrong.push(format!("{} without {parameter}: {answer:?}", row.action));
        }
    }
    wrong
}

fn main_sdk(row: &Row) -> Sdk {
    if row.is_of_the_platform() { Sdk::Tea } else { Sdk::Legacy }
}

/// What is wrong with what is told of a fault.
fn is_told(bench: &Bench, row: &Row, (parameter, fault): (&str, &Fault), sdk: Sdk) -> Option<String> {
    let mut params = (row.with)(bench);
    if fault.given.is_null() {
        params.as_object_mut().expect("an object").remove(parameter);
    } else {
        params[parameter] = fault.given.clone();
    }
    let (code, text) = failure(&bench.site.ask_by(sdk, row.action, &params));
    let given: String = fault.given.to_string().chars().take(80).collect();
    let what = format!("{} by {sdk:?}: {parameter} {:?} {given}: {code}: {text}", row.action, fault.kind);
    if code != fault.code {
        return Some(format!("{} is right: {what}", fault.code));
    }
    // One SDK shows the code alone.
    if sdk != Sdk::PopPost && !text.contains(fault.said) {
        return Some(format!("{:?} is not said: {what}", fault.said));
    }
    let names_it = sdk == Sdk::PopPost || fault.kind == Kind::Unknown || text.contains(parameter);
    (!names_it).then(|| format!("which parameter? {what}"))
}

/// The code and the words of a failure, however the SDK tells them.
fn failure(answer: &Answer) -> (String, String) {
    if answer.has_raised() {
        let (code, text, _) = answer.raised();
        return (code.to_owned(), text.to_owned());
    }
    if !answer.is_text() && answer.succeeded() {
        return ("none: it succeeded".to_owned(), String::new());
    }
    if answer.is_text() {
        let elements = answer.elements();
        let text = |name: &str| elements[name][0].as_str().map(str::to_owned);
        let said = text("ErrorMessage").or_else(|| text("Message"));
        return (text("Code").unwrap_or_default(), said.unwrap_or_default());
    }
    let (code, text) = answer.failure();
    (code.to_owned(), text.to_owned())
}
