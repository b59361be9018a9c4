//! What the readers of TOML and of types say, as problems: which key, what it holds, what would be right.

use config::{ConfigError, Value, ValueKind};
use thingcall_core::{Problem, TransportName};

/// What would be right where a list is.
pub(super) const LIST: &str = "a list in brackets";

/// What would be right, by a part of what the reader says.
const RIGHT: &[(&str, &str)] = &[
    ("socket address", "ADDRESS:PORT, such as 127.0.0.1:8080"),
    ("a duration", "a time, such as 250ms, 8s or 15m"),
    ("enum MessageKind", "one of result, status, life_cycle, property, event, history, tag, custom"),
    ("enum ResultShape", "envelope or data"),
    ("enum SyncTopic", "ext, rrpc or service"),
    ("enum Version", "\"3.1.1\" or \"5\""),
    ("enum Voucher", "routing_key or user_id"),
    ("enum LogFormat", "auto, text or json"),
    ("enum SharedBy", "store, redis or local"),
    ("enum Execution", "pool or inline"),
    ("enum Fallback", "fail or built_in"),
    ("transport's name", "the name of a transport: 1 to 32 of A-Z a-z 0-9 - _"),
    ("nonzero", "a whole number, 1 or more"),
    ("unsigned 8 bit", "a whole number, 0 to 255"),
    ("unsigned 16 bit", "a whole number, 0 to 65535"),
    ("unsigned 32 bit", "a whole number, 0 to 4294967295"),
    ("unsigned 64 bit", "a whole number, 0 or more"),
    ("signed 32 bit", "a whole number, -2147483648 to 2147483647"),
    ("an integer", "a whole number"),
    ("a boolean", "true or false"),
    ("a string", "a text"),
    ("an array", LIST),
    ("a sequence", LIST),
    ("a map", "a section with keys"),
    ("struct ", "a section with keys"),
];

/// The keys that hold one secret each.
pub(super) const SECRETS: &[&str] = &["password", "redis_password", "secret"];
/// What the name of the brother ends with that names a file with the secret.
pub(super) const FILE_SUFFIX: &str = "_file";
/// What has secrets within.
const WITH_SECRETS: &[&str] = &["headers", "users"];

/// The problem that a reader's error tells of.
pub(super) fn problem(error: &ConfigError, root: &Value) -> Problem {
    let (key, said) = if let ConfigError::At { error, key, .. } = error {
        (key.clone().unwrap_or_default(), error.to_string())
    } else if let ConfigError::Type { expected, key, .. } = error {
        (key.clone().unwrap_or_default(), format!("expected {expected}"))
    } else if let ConfigError::NotFound(key) = error {
        return Problem::new(key, "missing", "a value, which its section needs");
    } else {
        (String::new(), error.to_string())
    };
    if let Some(rest) = said.strip_prefix("unknown field `") {
        let name = rest.split('`').next().unwrap_or_default();
        let path = if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") };
        let allowed =
            rest.split_once("expected ").map_or("no key at all".to_owned(), |(_, allowed)| with_brothers(allowed));
        return Problem::new(path, "not a known key", allowed);
    }
    if let Some((name, _)) = said.split_once(" is none; a webhook's name") {
        let path = format!("{}.{}", if key.is_empty() { "webhooks" } else { &key }, name.trim_matches('"'));
        return Problem::new(path, "not a name", "the name of a webhook: 1 to 32 of a-z 0-9 - _");
    }
    let value = shown(root, &key);
    match RIGHT.iter().find(|(part, _)| said.contains(part)) {
        Some((_, right)) => Problem::new(key, value, *right),
        None => match said.rsplit_once("expected ") {
            Some((_, expected)) => Problem::new(key, value, expected.replace('`', "")),
            None if is_secret(&key) => Problem::new(key, value, "a text"),
            None => Problem::new(key, format!("{value} ({said})"), "as deploy/thingcall.example.toml shows it"),
        },
    }
}

/// These keys in a row, each that holds a secret with that of its file.
fn with_brothers(allowed: &str) -> String {
    let word = |word: &str| {
        let (name, end) = word.strip_suffix(',').map_or((word, ""), |name| (name, ","));
        if SECRETS.contains(&name) { format!("{name}, {name}{FILE_SUFFIX}{end}") } else { word.to_owned() }
    };
    allowed.replace('`', "").split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// What a person wrote there, as TOML has it.
fn shown(root: &Value, key: &str) -> String {
    if is_secret(key) {
        return "wrong (not shown)".to_owned();
    }
    match at(root, key).map(|value| &value.kind) {
        Some(ValueKind::String(text)) => format!("{text:?}"),
        Some(ValueKind::Table(_)) => "a section".to_owned(),
        Some(ValueKind::Array(_)) => "a list".to_owned(),
        Some(ValueKind::Nil) | None => "nothing".to_owned(),
        Some(
            kind @ (ValueKind::Boolean(_)
            | ValueKind::I64(_)
            | ValueKind::I128(_)
            | ValueKind::U64(_)
            | ValueKind::U128(_)
            | ValueKind::Float(_)),
        ) => kind.to_string(),
    }
}

/// Whether what stands there is not shown.
pub(super) fn is_secret(key: &str) -> bool {
    key.split('.').map(bare).any(|name| WITH_SECRETS.contains(&name) || SECRETS.contains(&name))
}

fn at<'v>(root: &'v Value, key: &str) -> Option<&'v Value> {
    key.split('.').try_fold(root, |value, name| {
        let ValueKind::Table(table) = &value.kind else { return None };
        let found = table.get(bare(name))?;
        let Some(place) = name.split_once('[').and_then(|(_, place)| place.strip_suffix(']')) else {
            return Some(found);
        };
        let ValueKind::Array(items) = &found.kind else { return None };
        items.get(place.parse::<usize>().ok()?)
    })
}

/// A name without its place in a list.
pub(super) fn bare(name: &str) -> &str {
    name.split('[').next().unwrap_or_default()
}

/// Names in a row.
pub(crate) fn list(names: &[TransportName]) -> String {
    if names.is_empty() {
        return "none is".to_owned();
    }
    names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
