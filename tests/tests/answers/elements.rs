//! Bodies as the elements of XML: all values are texts, and of each name there is a list.

use serde_json::{Value, json};

/// A body of JSON so, without what differs between two requests.
pub(crate) fn of_body(body: &Value) -> Value {
    without_request(of(body))
}

/// The same of elements that there are already.
pub(crate) fn without_request(mut elements: Value) -> Value {
    if let Some(elements) = elements.as_object_mut() {
        elements.remove("RequestId");
    }
    elements
}

/// Their names alone.
pub(crate) fn names(elements: &Value) -> Value {
    match elements {
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), names(value))).collect(),
        Value::Array(parts) => parts.iter().map(names).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => json!(""),
    }
}

/// Whether all of one is in the other.
pub(crate) fn is_within(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => {
            part.iter().all(|(name, value)| whole.get(name).is_some_and(|whole| is_within(value, whole)))
        }
        (Value::Array(part), Value::Array(whole)) => {
            part.len() == whole.len() && part.iter().zip(whole).all(|(part, whole)| is_within(part, whole))
        }
        (part, whole) => part == whole,
    }
}

fn of(value: &Value) -> Value {
    match value {
        Value::Null => json!(""),
        Value::Bool(_) | Value::Number(_) => json!(value.to_string()),
        Value::String(text) => json!(text),
        Value::Array(parts) => parts.iter().map(of).collect(),
        Value::Object(members) => {
            let mut named = serde_json::Map::new();
            for (name, value) in members {
                let parts = match value.as_array() {
                    Some(parts) if parts.is_empty() => continue,
                    Some(_) => of(value),
                    None => json!([of(value)]),
                };
                named.insert(name.clone(), parts);
            }
            if named.is_empty() { json!("") } else { named.into() }
        }
    }
}
