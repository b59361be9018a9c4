//! Members and values, cut out of a message as text.

use std::collections::{HashMap, HashSet};
use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use thingcall_core::{UnixMillis, Value};

/// The members of an object, in their order; `None` if it is none. Of several of one name the last one counts, as for most who
/// read JSON.
pub(super) fn members(json: &RawValue) -> Option<Vec<(String, &RawValue)>> {
    let mut reader = serde_json::Deserializer::from_str(json.get());
    reader.deserialize_map(Members).ok()
}

/// The same of a whole message.
pub(super) fn object(json: &[u8]) -> Option<Vec<(String, &RawValue)>> {
    let mut reader = serde_json::Deserializer::from_slice(json);
    let members = reader.deserialize_map(Members).ok()?;
    reader.end().ok()?;
    Some(members)
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(last_of_each(members))
    }
}

fn last_of_each<V>(members: Vec<(String, V)>) -> Vec<(String, V)> {
    let last: HashMap<_, _> = members.iter().enumerate().map(|(at, (name, _))| (name.as_str(), at)).collect();
    if last.len() == members.len() {
        return members;
    }
    let last: HashSet<_> = last.into_values().collect();
    let counts = members.into_iter().enumerate().filter(|(at, _)| last.contains(at));
    counts.map(|(_, member)| member).collect()
}

/// A property's value, or what an event brings: alone, or an object of it as `value` and perhaps its `time`, and nothing else.
pub(super) fn timed(id: &str, json: &RawValue) -> Value {
    let (mut value, mut at) = (json, None);
    if let Some(members) = wrapped(json) {
        for (name, member) in members {
            if name == "value" {
                value = member;
            } else {
                at = scalar(member).parse().ok().map(UnixMillis);
            }
        }
    }
    Value { id: id.to_owned(), value: value.get().to_owned(), at }
}

/// The members of what is a value with its time. Neither name may be a feature's, but a member of a struct may have it.
fn wrapped(json: &RawValue) -> Option<Vec<(String, &RawValue)>> {
    if !json.get().starts_with('{') {
        return None;
    }
    let members = members(json)?;
    let named = |wanted: &str| members.iter().any(|(name, _)| name == wanted);
    let alone = members.iter().all(|(name, _)| name == "value" || name == "time");
    (alone && named("value")).then_some(members)
}

/// A text without its quotes, and anything else as it stands there.
pub(super) fn scalar(json: &RawValue) -> String {
    serde_json::from_str(json.get()).unwrap_or_else(|_| json.get().to_owned())
}
