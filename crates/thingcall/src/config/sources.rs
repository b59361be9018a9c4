//! Where values of the configuration stand, so that a wrong one is told with its place.

use std::fmt;
use std::path::PathBuf;

use serde_json::{Map, Value, json};
use thingcall_core::Problem;

use super::places;

/// The prefix of variables: `THINGCALL__API__LISTEN` is `listen` in `[api]`.
pub(super) const PREFIX: &str = "THINGCALL";

/// Where a value stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// On the command line.
    Flag(&'static str),
    /// In the environment.
    Variable(String),
    /// In the file; the line is unknown where the text as a whole is meant.
    File(PathBuf, Option<usize>),
    /// Nowhere: it is the default.
    Defaults,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => f.write_str(flag),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::File(path, Some(line)) => write!(f, "{}:{line}", path.display()),
            Self::File(path, None) => write!(f, "{}", path.display()),
            Self::Defaults => f.write_str("default"),
        }
    }
}

/// A problem and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub place: Place,
    pub problem: Problem,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.problem)
    }
}

impl Found {
    /// As data: the sentence, and its parts.
    pub(crate) fn json(&self) -> Map<String, Value> {
        let Problem { key, value, right } = &self.problem;
        let mut json = Map::new();
        let mut set = |name: &str, value: Value| drop(json.insert(name.to_owned(), value));
        set("problem", json!(self.to_string()));
        set("value", json!(value));
        set("right", json!(right));
        if !key.is_empty() {
            set("key", json!(key));
        }
        match &self.place {
            Place::Flag(flag) => set("flag", json!(flag)),
            Place::Variable(name) => set("variable", json!(name)),
            Place::File(path, line) => {
                set("file", json!(path.display().to_string()));
                if let Some(line) = line {
                    set("line", json!(line));
                }
            }
            Place::Defaults => {}
        }
        json
    }
}

/// All that is wrong, each on a line of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Problems(pub(crate) Vec<Found>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl std::error::Error for Problems {}

impl Problems {
    /// In the order of their places: the command line, the environment, the file from its beginning.
    pub(crate) fn sort(&mut self) {
        let rank = |place: &Place| match place {
            Place::Flag(_) => 0,
            Place::Variable(_) => 1,
            Place::File(_, line) => 2 + line.unwrap_or(0),
            Place::Defaults => usize::MAX,
        };
        self.0
            .sort_by(|one, other| (rank(&one.place), &one.problem.key).cmp(&(rank(&other.place), &other.problem.key)));
    }
}

/// A flag that stands for a key.
#[derive(Debug, Clone)]
pub(crate) struct Flag {
    pub name: &'static str,
    pub key: &'static str,
    pub value: String,
}

/// The file's text, where there is a file.
#[derive(Debug, Clone)]
pub(super) struct Text {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

/// All that a configuration was read from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sources {
    pub(super) text: Option<Text>,
    /// In place of the environment, in tests.
    pub(super) variables: Option<config::Map<String, String>>,
    pub(super) flags: Vec<Flag>,
}

impl Sources {
    /// Says where a problem stands.
    pub(crate) fn find(&self, problem: Problem) -> Found {
        Found { place: self.place(&problem.key), problem }
    }

    /// Whether it is an environment variable that sets this key.
    pub(super) fn is_variable(&self, key: &str) -> bool {
        matches!(self.place(key), Place::Variable(_))
    }

    /// A variable of this name.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        match &self.variables {
            Some(variables) => variables.get(name).cloned(),
            None => std::env::var(name).ok(),
        }
    }

    /// Where the value of a key stands.
    pub(super) fn place(&self, key: &str) -> Place {
        if let Some(flag) = self.flags.iter().find(|flag| flag.key == key) {
            return Place::Flag(flag.name);
        }
        let variable = format!("{PREFIX}__{}", key.replace('.', "__").to_uppercase());
        let is_set = match &self.variables {
            Some(variables) => variables.contains_key(&variable),
            None => std::env::var_os(&variable).is_some(),
        };
        match &self.text {
            _ if is_set => Place::Variable(variable),
            None => Place::Defaults,
            Some(Text { path, text }) => match places::line_of(text, key) {
                Some(line) => Place::File(path.clone(), Some(line)),
                // The file says nothing of the whole section.
                None if !key.is_empty() => Place::Defaults,
                None => Place::File(path.clone(), None),
            },
        }
    }
}
