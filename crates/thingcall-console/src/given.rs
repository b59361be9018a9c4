//! The parameters of a request, as a form gave them.
//!
//! **Invariant:** what is given is kept as it was written; only its kind is of the sheet. A blank is nothing.

use thingcall_core::{ParamKind, ParamSheet};

/// What a parameter is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// A text, JSON and Base64 too.
    Text(String),
    /// A number, as it is written.
    Number(String),
    /// `true` or `false`.
    Flag(bool),
    /// `X.1`, `X.2`, ...
    Texts(Vec<String>),
    /// `X.1.Y`, `X.1.Z`, ...
    Structures(Vec<Vec<(&'static str, String)>>),
}

/// A parameter and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Given {
    pub(crate) name: &'static str,
    pub(crate) value: Value,
}

/// Whether the SDKs have this kind as a number.
pub(crate) fn is_number(kind: &ParamKind) -> bool {
    match kind {
        ParamKind::Whole { .. } | ParamKind::Millis => true,
        ParamKind::Choice(words) => words.iter().all(|(word, _)| word.bytes().all(|byte| byte.is_ascii_digit())),
        ParamKind::Text { .. }
        | ParamKind::Flag
        | ParamKind::Json
        | ParamKind::Base64 { .. }
        | ParamKind::Texts { .. }
        | ParamKind::Structures { .. } => false,
    }
}

impl Given {
    /// A single value of a parameter; of a list its only one.
    pub(crate) fn one(param: &ParamSheet, text: &str) -> Self {
        let is_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let value = if matches!(param.kind, ParamKind::Texts { .. }) {
            Value::Texts(vec![text.to_owned()])
        } else if param.kind == ParamKind::Flag && ["true", "false"].contains(&text) {
            Value::Flag(text == "true")
        } else if is_number(&param.kind) && is_digits {
            Value::Number(text.to_owned())
        } else {
            Value::Text(text.to_owned())
        };
        Self { name: param.name, value }
    }

    /// The values that must be there, as the sheet has them for example; of a list of structures one.
    pub(crate) fn example(param: &ParamSheet) -> Self {
        let ParamKind::Structures { members, .. } = param.kind else { return Self::one(param, param.example) };
        let one = members.iter().map(|member| (member.name, member.example.to_owned())).collect();
        Self { name: param.name, value: Value::Structures(vec![one]) }
    }
}

/// All as a request has them: a name and a text each.
pub(crate) fn flat(all: &[Given]) -> Vec<(String, String)> {
    all.iter().flat_map(pairs).collect()
}

fn pairs(given: &Given) -> Vec<(String, String)> {
    let name = given.name;
    match &given.value {
        Value::Text(text) | Value::Number(text) => vec![(name.to_owned(), text.clone())],
        Value::Flag(flag) => vec![(name.to_owned(), flag.to_string())],
        Value::Texts(texts) => {
            texts.iter().zip(1..).map(|(text, nth)| (format!("{name}.{nth}"), text.clone())).collect()
        }
        Value::Structures(all) => {
            let each = all.iter().zip(1..);
            each.flat_map(|(members, nth)| {
                members.iter().map(move |(member, text)| (format!("{name}.{nth}.{member}"), text.clone()))
            })
            .collect()
        }
    }
}

#[cfg(test)]
mod tests;
