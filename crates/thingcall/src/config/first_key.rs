//! The first access key, where it is given rather than made up: containers have nobody who reads it from a log.

use serde::Deserialize;
use thingcall_core::{Check, Problem, Secret, Section};
use thingcall_store::NewKey;

/// `[first_key]` in the file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FirstKey {
    /// Its id.
    pub id: Option<String>,
    /// Its secret.
    pub secret: Option<Secret>,
}

impl FirstKey {
    /// What a store that has no key gets: this one, or one that is made up and shown.
    pub(crate) fn wanted(&self) -> NewKey {
        NewKey { id: self.id.clone(), secret: self.secret.clone(), ..NewKey::default() }
    }

    /// Whether it is known to whoever wrote the configuration.
    pub(crate) const fn is_given(&self) -> bool {
        self.secret.is_some()
    }
}

impl Section for FirstKey {
    fn problems(&self) -> Vec<Problem> {
        let mut check = Check::default();
        check.must(self.id.is_some() || self.secret.is_none(), "id", "missing", "an id, since there is a secret");
        check.must(self.secret.is_some() || self.id.is_none(), "secret", "missing", "a secret, since there is an id");
        if let Err(error) = thingcall_store::check_new_key(&self.wanted()) {
            let empty = self.secret.as_ref().is_some_and(|secret| secret.expose().is_empty());
            check.add(Problem::new(if empty { "secret" } else { "id" }, "wrong", error.to_string()));
        }
        check.into_problems()
    }
}
