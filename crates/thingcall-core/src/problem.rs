//! What is wrong with a configuration, as data: which key, what it holds, and what would be right.

use std::fmt;
use std::path::Path;
use std::time::Duration;

/// One thing that is wrong with a section of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
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

    /// The same problem, of a section within a section.
    #[must_use]
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

/// A section of the configuration that knows what its values may be.
///
/// Implemented by each crate's `Config`. It runs before anything has an effect, and looks at all that can be known
/// then: also whether files are there that the section names.
pub trait Section {
    /// All that is wrong with it, in the order of its keys.
    fn problems(&self) -> Vec<Problem>;
}

/// Collects problems of one section.
///
/// ```ignore
/// let mut check = Check::default();
/// check.at_least("nonces_max", self.nonces_max, 1);
/// check.more_than_zero("clock_skew", self.clock_skew);
/// check.into_problems()
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

    /// A time that is not 0.
    pub fn more_than_zero(&mut self, key: &str, value: Duration) {
        self.must(!value.is_zero(), key, format_args!("{value:?}"), "more than 0s");
    }

    /// A file that is there and can be read by this process.
    pub fn readable(&mut self, key: &str, file: &Path) {
        if let Err(error) = std::fs::File::open(file)
            .and_then(|file| file.metadata())
            .and_then(|found| if found.is_dir() { Err(std::io::Error::other("it is a folder")) } else { Ok(()) })
        {
            let value = format!("{} ({error})", file.display());
            self.0.push(Problem::new(key, value, "a file that this user can read"));
        }
    }

    /// A problem that was found otherwise.
    pub fn add(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    /// The problems of a section within this one.
    pub fn section(&mut self, name: &str, section: &impl Section) {
        self.0.extend(section.problems().into_iter().map(|problem| problem.within(name)));
    }

    /// All that was found.
    pub fn into_problems(self) -> Vec<Problem> {
        self.0
    }
}

#[cfg(test)]
mod tests;
