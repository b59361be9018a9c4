//! The configuration in force, key by key, with where each value stands.
//!
//! **Invariants:** no secret is in it: neither by its name, nor in an address, nor anything that plugins keep. Defaults are those of
//! the sample, which a test holds against the code.

use std::collections::{BTreeMap, BTreeSet};

use config::{File, FileFormat, Value, ValueKind};
use thingcall_core::Secret;

use super::load::merge;
use super::sources::{Place, Sources};
use super::words::is_secret;

/// The sample shows every key that has a default.
const SAMPLE: &str = include_str!("../../../../deploy/thingcall.example.toml");
/// How much of a value is shown.
const VALUE_CHARS_MAX: usize = 300;

/// One key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    pub(crate) key: String,
    /// `None` where it is a secret.
    pub(crate) value: Option<String>,
    pub(crate) place: Place,
}

/// All keys that have a value, by name: what they hold, which is never shown, and what is shown of it.
pub(crate) type Values = BTreeMap<String, (Secret, Setting)>;

/// All of them.
pub(crate) fn in_force(sources: &Sources) -> Values {
    let mut all = BTreeMap::new();
    let sample = config::Config::builder().add_source(File::from_str(SAMPLE, FileFormat::Toml)).build();
    if let Ok(sample) = sample {
        flatten("", &sample.cache, &mut |key, value| {
            let setting = Setting { value: shown(&key, value), key: key.clone(), place: Place::Defaults };
            all.insert(key, (Secret::new(&value.to_string()), setting));
        });
    }
    if let Ok(root) = merge(sources) {
        flatten("", &root, &mut |key, value| {
            let place = sources.place(&key);
            let setting = Setting { value: shown(&key, value), key: key.clone(), place };
            all.insert(key, (Secret::new(&value.to_string()), setting));
        });
    }
    all
}

/// A key whose value is another, or is there on one side alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Changed {
    pub(crate) key: String,
    pub(crate) before: Option<Setting>,
    pub(crate) after: Option<Setting>,
}

/// What differs, by key.
pub(crate) fn differing(before: &Values, after: &Values) -> Vec<Changed> {
    let keys: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let held = |values: &Values, key: &String| values.get(key).map(|(held, _)| held.expose().to_owned());
    let shown = |values: &Values, key: &String| values.get(key).map(|(_, setting)| setting.clone());
    let differ = keys.into_iter().filter(|key| held(before, key) != held(after, key));
    differ.map(|key| Changed { key: key.clone(), before: shown(before, key), after: shown(after, key) }).collect()
}

fn flatten(path: &str, value: &Value, tell: &mut dyn FnMut(String, &Value)) {
    match &value.kind {
        ValueKind::Table(table) => {
            for (name, value) in table {
                let key = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                flatten(&key, value, tell);
            }
        }
        ValueKind::Nil => {}
        ValueKind::Boolean(_)
        | ValueKind::I64(_)
        | ValueKind::I128(_)
        | ValueKind::U64(_)
        | ValueKind::U128(_)
        | ValueKind::Float(_)
        | ValueKind::String(_)
        | ValueKind::Array(_) => tell(path.to_owned(), value),
    }
}

fn shown(key: &str, value: &Value) -> Option<String> {
    // What plugins keep is theirs, and may be a secret by any name.
    if is_secret(key) || key.starts_with("plugins.") {
        return None;
    }
    let text = match &value.kind {
        ValueKind::String(text) => address(key, text),
        ValueKind::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| address(key, &item.to_string())).collect();
            format!("[{}]", items.join(", "))
        }
        ValueKind::Table(_)
        | ValueKind::Nil
        | ValueKind::Boolean(_)
        | ValueKind::I64(_)
        | ValueKind::I128(_)
        | ValueKind::U64(_)
        | ValueKind::U128(_)
        | ValueKind::Float(_) => value.to_string(),
    };
    let mut chars = text.chars();
    let start: String = chars.by_ref().take(VALUE_CHARS_MAX).collect();
    Some(if chars.next().is_some() { start + "..." } else { start })
}

/// An address without what may be a secret in it: who and with what password, and of a webhook all behind the host.
fn address(key: &str, text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, behind) = rest.split_at(end);
    let authority = match authority.rsplit_once('@') {
        Some((_, host)) => format!("...@{host}"),
        None => authority.to_owned(),
    };
    let behind = match behind {
        "" | "/" => behind.to_owned(),
        _ if key.starts_with("webhooks.") => "/...".to_owned(),
        behind => behind.split_once(['?', '#']).map_or_else(|| behind.to_owned(), |(path, _)| format!("{path}?...")),
    };
    format!("{scheme}://{authority}{behind}")
}

#[cfg(test)]
mod tests {
    //! What is shown, and what is not.

    use super::super::load::read_for_test;
    use super::super::sources::Flag;
    use super::*;

    fn find(all: &Values, key: &str) -> (Option<String>, String) {
        let (_, one) = all.get(key).unwrap_or_else(|| panic!("{key} is not there"));
        (one.value.clone(), one.place.to_string())
    }

    #[test]
    fn what_differs_is_told_by_key_and_a_secret_is_compared_and_not_shown() {
        let values = |file: &str| in_force(&read_for_test(file, &[], Vec::new()).sources);
        let before = values("[log]\nlevel = \"info\"\n\n[store]\npassword = \"hidden1\"\nurl = \"postgres://x/y\"\n");
        let after = values("\n\n[log]\nlevel = \"debug\"\n\n[store]\npassword = \"hidden2\"\n");
        assert_eq!(differing(&before, &before), []);
        let told = differing(&before, &after);
        assert!(!format!("{told:?}").contains("hidden"), "{told:?}");
        let of = |one: &Changed| [&one.before, &one.after].map(|one| one.as_ref().map(|one| one.value.clone()));
        let keys: Vec<_> = told.iter().map(|one| (one.key.as_str(), of(one))).collect();
        let text = |text: &str| Some(Some(text.to_owned()));
        let all = [
            ("log.level", [text("info"), text("debug")]),
            ("store.password", [Some(None), Some(None)]),
            ("store.url", [text("postgres://x/y"), None]),
        ];
        assert_eq!(keys, all);
    }

    #[test]
    fn each_value_is_shown_with_where_it_stands_and_no_secret_is() {
        let file = "[store]\npassword = \"hidden1\"\nurl = \"postgres://me:hidden2@db/x?password=hidden3\"\n\n[webhooks.w]\nurl = \
                    \"https://hooks.example/hidden4?x=hidden5\"\nsecret = \"hidden6\"\n\n[plugins.p]\ntoken = \"hidden7\"\n\n\
                    [[gate.users]]\nname = \"u\"\nsecret = \"hidden8\"\n";
        let variables = [("THINGCALL__API__BODY_BYTES_MAX", "70000"), ("THINGCALL__SHARED__REDIS_PASSWORD", "hidden9")];
        let flags = vec![Flag { name: "--api", key: "api.listen", value: "127.0.0.1:1".to_owned() }];
        let all = in_force(&read_for_test(file, &variables, flags).sources);
        assert!(!format!("{all:?}").contains("hidden"), "{all:?}");
        assert_eq!(find(&all, "api.listen"), (Some("127.0.0.1:1".to_owned()), "--api".to_owned()));
        let of_variable = (Some("70000".to_owned()), "environment variable THINGCALL__API__BODY_BYTES_MAX".to_owned());
        assert_eq!(find(&all, "api.body_bytes_max"), of_variable);
        assert_eq!(find(&all, "store.url"), (Some("postgres://...@db/x?...".to_owned()), "t.toml:3".to_owned()));
        assert_eq!(find(&all, "webhooks.w.url").0.as_deref(), Some("https://hooks.example/..."));
        assert_eq!(find(&all, "store.password"), (None, "t.toml:2".to_owned()));
        assert_eq!(find(&all, "store.file"), (Some("thingcall.db".to_owned()), "default".to_owned()));
    }
}
