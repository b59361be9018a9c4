//! Finds the line of a key in a TOML text.

use toml::de::{DeTable, DeValue};

use super::words;

/// The line, counted from 1, on which the key at this path stands; of its nearest section if the key itself does not.
pub(super) fn line_of(text: &str, path: &str) -> Option<usize> {
    let root = DeTable::parse(text).ok()?;
    let mut table = root.get_ref();
    let mut found = None;
    for name in path.split('.') {
        let name = words::bare(name);
        let Some((key, value)) = table.iter().find(|(key, _)| key.get_ref().as_ref() == name) else {
            break;
        };
        found = Some(key.span().start);
        let DeValue::Table(inner) = value.get_ref() else { break };
        table = inner;
    }
    found.and_then(|at| text.get(..at)).map(|before| before.matches('\n').count() + 1)
}
