//! Reads the configuration and says everything that is wrong with it, each with its place.

use std::fmt;
use std::path::{Path, PathBuf};

use config::{ConfigError, Environment, File, FileFormat, Map, Value, ValueKind};

use super::{Config, places};

/// The prefix of variables: `THINGCALL__API__LISTEN` is `listen` in `[api]`.
const PREFIX: &str = "THINGCALL";
/// More problems than these are not listed.
const PROBLEMS_MAX: usize = 50;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The file and line, or the variable.
    pub place: String,
    /// The key, with its section; empty if the text as a whole is wrong.
    pub key: String,
    /// What is wrong, and what would be right.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.what)
    }
}

/// Everything that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problems(pub(crate) Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration is wrong")?;
        self.0.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl std::error::Error for Problems {}

impl Problems {
    fn one(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self(vec![Problem { place: place.into(), key: String::new(), what: what.into() }])
    }
}

/// The file's text, where there is a file.
struct Text {
    path: PathBuf,
    text: String,
}

/// The configuration of this file, or the defaults, with the environment's variables on top.
///
/// # Errors
/// All that is wrong with it.
pub(crate) fn load(file: Option<&Path>) -> Result<Config, Problems> {
    let text = match file {
        None => None,
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|error| Problems::one(path.display().to_string(), format!("cannot be read: {error}")))?;
            Some(Text { path: path.to_owned(), text })
        }
    };
    read(text, None)
}

/// `variables` stands for the environment in tests.
fn read(text: Option<Text>, variables: Option<Map<String, String>>) -> Result<Config, Problems> {
    let mut root = merge(text.as_ref(), variables.clone())?;
    let mut problems = Vec::new();
    // One pass finds one problem: take the wrong key out and look again.
    while problems.len() < PROBLEMS_MAX {
        let error = match root.clone().try_deserialize::<Config>() {
            Ok(config) => {
                problems.extend(config.problems().into_iter().map(|(section, what)| {
                    let key = what.split([' ', ':']).next().map(|key| format!("{section}.{key}")).unwrap_or_default();
                    let (place, line) = place(text.as_ref(), variables.as_ref(), &key);
                    (line, Problem { place, key: section, what })
                }));
                if problems.is_empty() {
                    return Ok(config);
                }
                break;
            }
            Err(error) => error,
        };
        let (key, what) = key_and_text(&error);
        let (place, line) = place(text.as_ref(), variables.as_ref(), &key);
        // What is missing cannot be taken out: its section can.
        let section = key.rsplit_once('.').map_or("", |(section, _)| section);
        let removed = remove(&mut root, &key) || remove(&mut root, section);
        problems.push((line, Problem { place, key, what }));
        if !removed {
            break;
        }
    }
    problems.sort_by(|(line_a, a), (line_b, b)| (line_a, &a.key).cmp(&(line_b, &b.key)));
    Err(Problems(problems.into_iter().map(|(_, problem)| problem).collect()))
}

fn merge(text: Option<&Text>, variables: Option<Map<String, String>>) -> Result<Value, Problems> {
    let mut builder = config::Config::builder();
    if let Some(Text { text, .. }) = text {
        builder = builder.add_source(File::from_str(text, FileFormat::Toml));
    }
    // Not `try_parsing`: it would turn a secret of digits into a number.
    let environment = Environment::with_prefix(PREFIX).separator("__").source(variables);
    builder.add_source(environment).build().map(|config| config.cache).map_err(|error| {
        let place = text.map_or_else(|| "environment".to_owned(), |text| text.path.display().to_string());
        let ConfigError::FileParse { cause, .. } = &error else {
            return Problems::one(place, error.to_string());
        };
        Problems::one(place, cause.to_string().trim_end().to_owned())
    })
}

/// The path of the key an error is about, and what is wrong with it.
fn key_and_text(error: &ConfigError) -> (String, String) {
    let (key, what) = if let ConfigError::At { error, key, .. } = error {
        (key.clone().unwrap_or_default(), error.to_string())
    } else if let ConfigError::Type { unexpected, expected, key, .. } = error {
        (key.clone().unwrap_or_default(), format!("is {unexpected}, but must be {expected}"))
    } else if let ConfigError::NotFound(key) = error {
        (key.clone(), "is missing".to_owned())
    } else {
        (String::new(), error.to_string())
    };
    let Some(rest) = what.strip_prefix("unknown field `") else { return (key, with_example(what)) };
    let name = rest.split('`').next().unwrap_or_default();
    let path = if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") };
    let allowed = rest.split_once(", ").map_or("", |(_, allowed)| allowed).replace('`', "");
    (path, format!("is not a known key; {allowed}"))
}

/// What would be right, for texts that only say what is wrong: a part of the text, and what goes with it.
const EXAMPLES: &[(&str, &str)] = &[
    ("socket address", "ADDRESS:PORT, such as 127.0.0.1:8080"),
    ("a duration", "such as 250ms, 8s or 15m"),
    ("enum ResultShape", "envelope or data"),
    ("enum SyncTopic", "ext, rrpc or service"),
    ("enum Version", "\"3.1.1\" or \"5\""),
    ("enum LogFormat", "auto, text or json"),
    ("enum Execution", "pool or inline"),
    ("enum Fallback", "fail or built_in"),
];

fn with_example(what: String) -> String {
    match EXAMPLES.iter().find(|(part, _)| what.contains(part)) {
        Some((_, right)) => format!("{what}; right is {right}"),
        None => what,
    }
}

/// Takes the value at this path out; `false` if there is none.
fn remove(value: &mut Value, path: &str) -> bool {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let name = name.split('[').next().unwrap_or_default();
    let ValueKind::Table(table) = &mut value.kind else { return false };
    match (rest, table.get_mut(name)) {
        (Some(rest), Some(inner)) if matches!(inner.kind, ValueKind::Table(_)) => remove(inner, rest),
        _ => table.remove(name).is_some(),
    }
}

/// Where a key stands: the variable that sets it, or its line, which is also given as a number (0 if unknown).
fn place(text: Option<&Text>, variables: Option<&Map<String, String>>, key: &str) -> (String, usize) {
    let variable = format!("{PREFIX}__{}", key.replace('.', "__").to_uppercase());
    let is_set = match variables {
        Some(variables) => variables.contains_key(&variable),
        None => std::env::var_os(&variable).is_some(),
    };
    match text {
        _ if is_set => (format!("environment variable {variable}"), 0),
        None => ("environment".to_owned(), 0),
        Some(Text { path, text }) => match places::line_of(text, key) {
            Some(line) => (format!("{}:{line}", path.display()), line),
            None => (path.display().to_string(), 0),
        },
    }
}

#[cfg(test)]
pub(super) fn read_for_test(text: &str, variables: &[(&str, &str)]) -> Result<Config, Problems> {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    read(Some(Text { path: PathBuf::from("t.toml"), text: text.to_owned() }), Some(variables))
}
