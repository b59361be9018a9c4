//! A mistake that clients make.

use super::finding::{Certainty, Finding, Mark};
use super::said::{Said, said};

/// A mistake, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mistake {
    /// Its name, for programs.
    pub(super) id: &'static str,
    /// What it is.
    pub(super) what: Said,
    /// What would be right.
    pub(super) right: Said,
}

impl Mistake {
    /// Of the same words everywhere, each in both languages.
    pub(super) fn new(id: &'static str, what: (&str, &str), right: (&str, &str)) -> Self {
        Self { id, what: said(what.0, what.1), right: said(right.0, right.1) }
    }

    /// As what was found out by the signature that it leads to, or by the text alone.
    pub(super) fn found(self, certainty: Certainty, mark: Option<Mark>) -> Finding {
        Finding { id: self.id.to_owned(), certainty, what: self.what, right: self.right, mark }
    }
}

/// Two mistakes as one.
pub(super) fn together(mistakes: Vec<Mistake>) -> Option<Mistake> {
    mistakes.into_iter().reduce(|mut one, other| {
        one.what = said(
            format!("{} And: {}", one.what.english, other.what.english),
            format!("{}并且：{}", one.what.chinese, other.what.chinese),
        );
        if one.right != other.right {
            one.right = said(
                format!("{} {}", one.right.english, other.right.english),
                format!("{}{}", one.right.chinese, other.right.chinese),
            );
        }
        one
    })
}
