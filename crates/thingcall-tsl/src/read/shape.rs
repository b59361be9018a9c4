//! Whether a file is a thing model at all, and what it is instead.

use crate::json::Json;
use crate::limits::MODEL_FILE_DEPTH_MAX;
use crate::problem::Collected;
use crate::words::{in_item, in_member};

use super::node::Node;

/// A thing model has one of these. A custom module's file has its id besides.
const PARTS: [&str; 4] = ["properties", "events", "services", "functionBlocks"];
/// What `ThingModelJson`, the notation of other actions of the platform, calls inputs, outputs and specs.
const OTHER_NOTATION: [&str; 4] = ["inputParams", "outputParams", "dataSpecs", "dataSpecsList"];
/// How deep an answer may hold the model that it wraps.
const WRAPPED_DEPTH_MAX: usize = 6;

/// Whether the file is a thing model. If not, tells what it is.
pub(super) fn is_model(root: &Node<'_>, problems: &mut Collected) -> bool {
    if problems.taken_before {
        return true;
    }
    if let Some(place) = has_parts(root.json).then(|| other_notation(root.json, WRAPPED_DEPTH_MAX)).flatten() {
        problems.add(&format!("${place}"), "this is ThingModelJson", "export the TSL instead");
        return false;
    }
    if has_parts(root.json) || root.member("functionBlockId").is_some() {
        return true;
    }
    match wrapped(root.json, WRAPPED_DEPTH_MAX) {
        Some(Wrapped { path, as_text, tsl }) => {
            let path = path.strip_prefix('.').unwrap_or(&path);
            let how = if as_text { " as a text" } else { "" };
            let right = match tsl {
                true => format!("save what is in {path} as a file, for example with: jq -r .{path}"),
                false => "that is ThingModelJson; export the TSL instead".to_owned(),
            };
            problems.add("$", format!("is no thing model: it is an answer that holds one{how} in {path}"), right);
        }
        None => {
            let right = "give a thing model (TSL) as the console exports it";
            problems.add("$", format!("is no thing model: it has none of {}", PARTS.join(", ")), right);
        }
    }
    false
}

fn has_parts(json: &Json<'_>) -> bool {
    let Json::Object(members) = json else { return false };
    members.iter().any(|(key, value)| PARTS.contains(&&**key) && *value != Json::Null)
}

/// Where the first word of the other notation stands.
fn other_notation(json: &Json<'_>, levels: usize) -> Option<String> {
    let levels = levels.checked_sub(1)?;
    match json {
        Json::Object(members) => members.iter().find_map(|(key, value)| {
            let mut path = match OTHER_NOTATION.contains(&&**key) {
                true => String::new(),
                false => other_notation(value, levels)?,
            };
            in_member(&mut path, key);
            Some(path)
        }),
        Json::Array(items) => items.iter().enumerate().find_map(|(index, item)| {
            let mut path = other_notation(item, levels)?;
            in_item(&mut path, index);
            Some(path)
        }),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Text(_) => None,
    }
}

/// A model inside something else.
struct Wrapped {
    path: String,
    /// It is a text that holds JSON.
    as_text: bool,
    /// It is a TSL, not the other notation.
    tsl: bool,
}

fn wrapped(json: &Json<'_>, levels: usize) -> Option<Wrapped> {
    let levels = levels.checked_sub(1)?;
    match json {
        Json::Object(members) => members.iter().find_map(|(key, value)| {
            let mut found = model_in(value).or_else(|| wrapped(value, levels))?;
            in_member(&mut found.path, key);
            Some(found)
        }),
        Json::Array(items) => items.iter().enumerate().find_map(|(index, item)| {
            let mut found = model_in(item).or_else(|| wrapped(item, levels))?;
            in_item(&mut found.path, index);
            Some(found)
        }),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Text(_) => None,
    }
}

fn model_in(value: &Json<'_>) -> Option<Wrapped> {
    let found = |json: &Json<'_>, as_text| Wrapped {
        path: String::new(),
        as_text,
        tsl: other_notation(json, WRAPPED_DEPTH_MAX).is_none(),
    };
    if has_parts(value) {
        return Some(found(value, false));
    }
    let Json::Text(text) = value else { return None };
    let inner = Json::read(text, MODEL_FILE_DEPTH_MAX).ok().filter(has_parts)?;
    Some(found(&inner, true))
}
