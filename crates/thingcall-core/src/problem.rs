//! What is wrong with a configuration, as data: which key, what it holds, and what would be right.

use std::fmt;
use std::path::Path;
use std::time::Duration;

/// One thing that is wrong with a section of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Problem {
    /// The key within its section, such as `listen` or `tls.cert_file`; empty if it is about the section as a whole.
    pub key: String,
    /// What the key holds, as a person wrote it. Never a secret.
    pub value: String,
    /// What would be right, as the end of "right is ...".
    pub right: String,
}

impl Problem {
    /// This key holds this value; right is something else.
    pub fn new(key: impl Into<String>, value: impl fmt::Display, right: impl Into<String>) -> Self {
        Self { key: key.into(), value: value.to_string(), right: right.into() }
    }

    /// This key names a file that cannot be used for this reason.
    pub fn file(key: impl Into<String>, file: &Path, why: impl fmt::Display, right: impl Into<String>) -> Self {
        Self::new(key, format_args!("{} ({why})", file.display()), right)
    }

    /// The same problem, of a section within a section.
    pub fn within(mut self, section: &str) -> Self {
        self.key = match (section.is_empty(), self.key.is_empty()) {
            (true, _) => self.key,
            (false, true) => section.to_owned(),
            (false, false) => format!("{section}.{}", self.key),
        };
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() {
            write!(f, "{} ", self.key)?;
        }
        write!(f, "is {}; right is {}", self.value, self.right)
    }
}

impl std::error::Error for Problem {}

/// All that is wrong, as one error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, problem) in self.0.iter().enumerate() {
            let before = if number == 0 { "" } else { "; " };
            write!(f, "{before}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

/// A section of the configuration that knows what its values may be.
///
/// Implemented by each crate's `Config`.
pub trait Section {
    /// All that is wrong with its values. Looks at nothing else: every command asks, whoever runs it and wherever.
    fn problems(&self) -> Vec<Problem>;

    /// What is wrong with the files that it names. Asked by `serve` and `check` alone, before anything has an effect;
    /// commands may be run by somebody who cannot read them.
    fn problems_of_files(&self) -> Vec<Problem> {
        Vec::new()
    }

    /// What is doubtful about the files that it names: a server starts with them, and some whom it should serve will not be.
    fn doubts_of_files(&self) -> Vec<Problem> {
        Vec::new()
    }

    /// Whether the values can be used.
    ///
    /// # Errors
    /// What is wrong with them.
    fn check(&self) -> Result<(), Problems> {
        let problems = self.problems();
        if problems.is_empty() { Ok(()) } else { Err(Problems(problems)) }
    }
}

/// Collects problems of one section.
///
/// ```
/// use std::time::Duration;
///
/// use thingcall_core::{Check, Problem};
///
/// let (nonces_max, clock_skew) = (0, Duration::from_secs(900));
/// let mut check = Check::default();
/// check.at_least("nonces_max", nonces_max, 1);
/// check.more_than_zero("clock_skew", clock_skew);
/// let problems: Vec<Problem> = check.into_problems();
/// assert_eq!(problems[0].key, "nonces_max");
/// ```
#[derive(Debug, Default)]
pub struct Check(Vec<Problem>);

impl Check {
    /// `key` holds `value`, which is right only if `holds`.
    pub fn must(&mut self, holds: bool, key: &str, value: impl fmt::Display, right: impl Into<String>) {
        if !holds {
            self.0.push(Problem::new(key, value, right));
        }
    }

    /// `value` is at least `least`.
    pub fn at_least(&mut self, key: &str, value: usize, least: usize) {
        self.must(value >= least, key, value, format!("{least} or more"));
    }

    /// `value` is at most `most`.
    pub fn at_most(&mut self, key: &str, value: usize, most: usize) {
        self.must(value <= most, key, value, format!("a whole number, at most {most}"));
    }

    /// A time that is not 0.
    pub fn more_than_zero(&mut self, key: &str, value: Duration) {
        self.must(!value.is_zero(), key, Time(value), "more than 0s");
    }

    /// A time within these.
    pub fn between(&mut self, key: &str, value: Duration, least: Duration, most: Duration) {
        let right = match most {
            Duration::MAX => format!("{least:?} or more"),
            most => format!("{least:?} to {most:?}"),
        };
        self.must((least..=most).contains(&value), key, Time(value), right);
    }

    /// A problem that was found otherwise.
    pub fn add(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    /// The problems of a section within this one.
    pub fn section(&mut self, name: &str, section: &dyn Section) {
        self.0.extend(section.problems().into_iter().map(|problem| problem.within(name)));
    }

    /// All that was found.
    pub fn into_problems(self) -> Vec<Problem> {
        self.0
    }
}

/// A time as people write it.
struct Time(Duration);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_zero() { f.write_str("0s") } else { write!(f, "{:?}", self.0) }
    }
}

#[cfg(test)]
mod tests;
