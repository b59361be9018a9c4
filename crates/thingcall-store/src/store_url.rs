//! Where a PostgreSQL is: a URL, which may hold a password and never shows it.

use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;
use thingcall_core::Problem;
use url::Url;

/// What a URL may say beside where the database is.
const PARAMETERS: [&str; 7] = ["sslmode", "sslrootcert", "sslcert", "sslkey", "host", "application_name", "options"];
/// How the connection is protected. `allow` is not kept apart from `disable`, and `verify-ca` would take what any public
/// authority vouched for.
const SSL_MODES: [&str; 4] = ["disable", "prefer", "require", "verify-full"];
const RIGHT: &str =
    "postgres://USER@HOST:PORT/DATABASE, or postgres://USER@localhost/DATABASE?host=FOLDER for a socket in a folder";

/// `postgres://user@host:port/database?sslmode=verify-full&sslrootcert=FILE`.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct StoreUrl(String);

impl StoreUrl {
    /// A URL that nobody has looked at yet.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Whether a text is meant to be one.
    pub fn is_meant(text: &str) -> bool {
        text.starts_with("postgres://") || text.starts_with("postgresql://")
    }

    /// All of it, with the password: for who connects.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// Whether it holds a password.
    pub(crate) fn has_password(&self) -> bool {
        self.parsed().is_some_and(|url| url.password().is_some())
    }

    /// What is wrong with it.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        let wrong = |why: &str| vec![Problem::new("url", format_args!("{self}{why}"), RIGHT)];
        let Some(url) = self.parsed().filter(|_| Self::is_meant(&self.0) && self.shown().is_some()) else {
            return wrong("");
        };
        if url.path().trim_start_matches('/').is_empty() {
            return wrong(" (no database)");
        }
        if url.host_str().is_none_or(str::is_empty) && self.parameter("host").is_none() {
            return wrong(" (no host)");
        }
        let mut all = Vec::new();
        let mut wrong =
            |what: &str, right: &str| all.push(Problem::new("url", format_args!("{self} with {what}"), right));
        for (name, value) in url.query_pairs() {
            if name == "password" {
                wrong("a password among its parameters", "store.password or store.password_file");
            } else if !PARAMETERS.contains(&&*name) {
                wrong(&format!("the parameter {name}"), &format!("one of {}", PARAMETERS.join(", ")));
            } else if name == "sslmode" && !SSL_MODES.contains(&&*value) {
                wrong(&format!("sslmode={value}"), &format!("sslmode with one of {}", SSL_MODES.join(", ")));
            } else if name == "host" && !value.starts_with('/') {
                wrong(&format!("host={value}"), "host with the folder of a socket, from / on");
            }
        }
        for (one, other) in [("sslcert", "sslkey"), ("sslkey", "sslcert")] {
            if self.parameter(one).is_some() && self.parameter(other).is_none() {
                wrong(&format!("{one} alone"), &format!("{one} and {other} together"));
            }
        }
        all
    }

    /// What is wrong with the files that it names.
    pub(crate) fn problems_of_files(&self) -> Vec<Problem> {
        let files = ["sslrootcert", "sslcert", "sslkey"].map(|name| (name, self.parameter(name).map(PathBuf::from)));
        let problem = |(name, file): (&str, Option<PathBuf>)| {
            let file = file?;
            let error = std::fs::read(&file).err()?;
            let why = format_args!("{self} with {name}={} ({error})", file.display());
            Some(Problem::new("url", why, "a file in PEM form that this user can read"))
        };
        files.into_iter().filter_map(problem).collect()
    }

    /// The value of a parameter.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        let url = self.parsed()?;
        url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    fn parsed(&self) -> Option<Url> {
        Url::parse(&self.0).ok()
    }

    /// What can be shown; `None` if a part of a password may stand elsewhere than where one belongs.
    fn shown(&self) -> Option<Url> {
        let mut url = self.parsed().filter(|url| !url.cannot_be_a_base())?;
        if url.path().contains('@') || self.0.contains('@') && url.username().is_empty() {
            return None;
        }
        if url.password().is_some() {
            url.set_password(None).ok()?;
        }
        url.set_query(None);
        url.set_fragment(None);
        Some(url)
    }
}

/// Without the password, and without parameters: none of them is needed to know which it is.
impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.shown() {
            Some(url) => f.write_str(url.as_str()),
            None if self.0.contains(['@', '?', '#']) => f.write_str("(not shown: it may hold a password)"),
            None => write!(f, "{:?}", self.0),
        }
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests;
