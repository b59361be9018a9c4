//! What a new thing model changes in a product: modules, services, properties and events, by their names.

use std::collections::BTreeMap;

use serde_json::Value;
use thingcall_tsl::ThingModel;

pub(crate) mod difference;

/// The features that every exported file has; they change with the properties.
const BUILT_IN: [&str; 3] = ["set", "get", "post"];
const FEATURES: [(&str, &str); 3] = [("services", "service"), ("properties", "property"), ("events", "event")];

/// What is added, changed and removed, each in words: `service testFb:testService`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    pub(crate) added: Vec<String>,
    pub(crate) changed: Vec<String>,
    pub(crate) removed: Vec<String>,
}

impl Changes {
    /// What changes from the old model to the new one.
    pub(crate) fn between(old: &ThingModel, new: &ThingModel) -> Self {
        let (old, new) = (parts(old), parts(new));
        let names = |one: &BTreeMap<String, Value>, keep: &dyn Fn(&str, &Value) -> bool| {
            one.iter().filter(|(name, part)| keep(name, part)).map(|(name, _)| name.clone()).collect()
        };
        Self {
            added: names(&new, &|name, _| !old.contains_key(name)),
            changed: names(&new, &|name, part| old.get(name).is_some_and(|old| old != part)),
            removed: names(&old, &|name, _| !new.contains_key(name)),
        }
    }

    /// Removed modules and services: whoever calls them is refused from then on.
    pub(crate) fn lost(&self) -> Vec<&str> {
        let callable = |name: &&str| name.starts_with("service ") || name.starts_with("module ");
        self.removed.iter().map(String::as_str).filter(callable).collect()
    }
}

fn parts(model: &ThingModel) -> BTreeMap<String, Value> {
    let mut parts = BTreeMap::new();
    put(&mut parts, "", model.main_text());
    for (module, text) in model.module_texts() {
        parts.insert(format!("module {module}"), Value::Null);
        put(&mut parts, &format!("{module}:"), text);
    }
    parts
}

fn put(parts: &mut BTreeMap<String, Value>, module: &str, text: &str) {
    let Ok(mut file) = serde_json::from_str::<Value>(text.trim_start_matches('\u{feff}')) else { return };
    for (member, word) in FEATURES {
        let Some(Value::Array(features)) = file.get_mut(member).map(Value::take) else { continue };
        for feature in features {
            let Some(id) = feature.get("identifier").and_then(Value::as_str) else { continue };
            if !BUILT_IN.contains(&id) {
                parts.insert(format!("{word} {module}{id}"), feature);
            }
        }
    }
}

#[cfg(test)]
mod tests;
