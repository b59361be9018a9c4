//! What is said of actions is whole.

use std::collections::BTreeSet;

use thingcall_core::{ActionSheet, Need, ParamKind, ParamSheet};

use super::catalogue;
use crate::actions::Action;

fn all_params() -> impl Iterator<Item = (&'static ActionSheet, &'static ParamSheet)> {
    catalogue().flat_map(|sheet| sheet.params.iter().map(move |param| (sheet, param)))
}

#[test]
fn each_action_has_its_sheet() {
    let there: Vec<_> = catalogue().map(|sheet| sheet.name).collect();
    let mut once = there.clone();
    once.sort_unstable();
    let known: Vec<_> = Action::all().map(Action::as_str).collect();
    assert_eq!(once, known);
    let mut groups: Vec<_> = catalogue().map(|sheet| sheet.group).collect();
    groups.dedup();
    assert_eq!(groups.len(), groups.iter().map(|group| <&str>::from(*group)).collect::<BTreeSet<_>>().len());
}

#[test]
fn each_parameter_is_named_once_and_said_in_both_languages() {
    for sheet in catalogue() {
        let names: BTreeSet<_> = sheet.params.iter().map(|param| param.name).collect();
        assert_eq!(names.len(), sheet.params.len(), "{}", sheet.name);
        assert!(!sheet.about.en.is_empty() && sheet.about.zh.contains('。'), "{}", sheet.name);
    }
    for (sheet, param) in all_params() {
        assert!(!param.about.en.is_empty() && !param.about.zh.is_empty(), "{} {}", sheet.name, param.name);
    }
}

#[test]
fn what_is_needed_unless_something_else_is_given_names_what_the_action_reads() {
    for (sheet, param) in all_params() {
        let Need::Unless(others) = param.need else { continue };
        for other in others {
            assert!(sheet.params.iter().any(|param| param.name == *other), "{} {}: {other}", sheet.name, param.name);
        }
    }
}

/// Whether a parameter may be this.
fn fits(kind: &ParamKind, value: &str) -> bool {
    match kind {
        ParamKind::Text { characters_max } => {
            characters_max.is_none_or(|max| value.chars().count() <= usize::try_from(max).expect("it fits"))
        }
        ParamKind::Whole { min, max } => value.parse().is_ok_and(|number| (*min..=*max).contains(&number)),
        ParamKind::Millis => value.parse::<u64>().is_ok(),
        ParamKind::Flag => value == "true" || value == "false",
        ParamKind::Choice(words) => words.iter().any(|(word, _)| *word == value),
        ParamKind::Json => serde_json::from_str::<serde_json::Value>(value).is_ok(),
        ParamKind::Base64 { .. } => crate::encoded::bytes_of(value).is_some(),
        ParamKind::Texts { .. } => true,
        ParamKind::Structures { members, .. } => {
            value.is_empty() && members.iter().all(|member| fits(&member.kind, member.example))
        }
    }
}

#[test]
fn examples_are_values_that_may_be() {
    for (sheet, param) in all_params() {
        assert!(fits(&param.kind, param.example), "{} {}: {:?}", sheet.name, param.name, param.example);
    }
}
