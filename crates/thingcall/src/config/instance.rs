//! What this server is called among those that share its store.

use serde::Deserialize;
use thingcall_core::{Check, Problem, Section};

/// Of a name.
pub(crate) const INSTANCE_NAME_CHARS_MAX: usize = 64;

/// What an instance is called, `[instance]` in the file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Named {
    /// Its name in lists, logs and records. Without it, the machine's, and a short random part that is new at each start.
    pub name: Option<String>,
}

impl Section for Named {
    fn problems(&self) -> Vec<Problem> {
        let mut check = Check::default();
        if let Some(name) = &self.name {
            let right = "1 to 64 of A-Z a-z 0-9 - _ .";
            check.must(is_name(name), "name", format_args!("{name:?}"), right);
        }
        check.into_problems()
    }
}

fn is_name(name: &str) -> bool {
    (1..=INSTANCE_NAME_CHARS_MAX).contains(&name.len()) && name.chars().all(is_of_instance_name)
}

/// What may be in a name.
pub(crate) fn is_of_instance_name(char: char) -> bool {
    char.is_ascii_alphanumeric() || "-_.".contains(char)
}
