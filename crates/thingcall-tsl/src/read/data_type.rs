//! Reads data types: `{"type": .., "specs": ..}`, and the fields that have them and that structs are made of.

use std::collections::BTreeSet;
use std::str::FromStr;

use thingcall_core::Identifier;

use crate::data_type::Bounds;
use crate::json::Json;
use crate::limits::{ARRAY_ITEMS_MAX, DATA_TYPE_DEPTH_MAX, ENUM_KEYS_MAX, STRUCT_MEMBERS_MAX, TEXT_BYTES_MAX};
use crate::problem::Collected;
use crate::words::{nearest, quoted};
use crate::{DataType, Field};

use super::node::Node;

const TYPES: [&str; 9] = ["int", "float", "double", "text", "date", "bool", "enum", "array", "struct"];
/// What an array may hold, as Alibaba has it.
const ITEM_TYPES: [&str; 5] = ["int", "float", "double", "text", "struct"];

/// The data type that `node` is; it stands inside `depth` others.
pub(super) fn data_type(node: &Node<'_>, depth: usize, problems: &mut Collected) -> Option<DataType> {
    node.known(&["type", "specs"], problems);
    let name_node = node.required("type", "the name of a data type", problems)?;
    let name = name_node.text(problems)?;
    if !TYPES.contains(&name) {
        let right = match nearest(name, TYPES.into_iter()) {
            Some(near) => format!("did you mean {near}? Data types are {}", TYPES.join(", ")),
            None => format!("data types are {}", TYPES.join(", ")),
        };
        problems.add(&name_node.place, format!("is {}", quoted(name)), right);
        return None;
    }
    if matches!(name, "array" | "struct") && depth >= DATA_TYPE_DEPTH_MAX {
        let right = format!("data types nest at most {DATA_TYPE_DEPTH_MAX} deep");
        problems.add(&node.place, "nests too deep", right);
        return None;
    }
    if name == "struct" {
        return structure(node, depth, problems);
    }
    let specs = specs(node, problems)?;
    if !matches!(name, "bool" | "enum") {
        let known = ["min", "max", "step", "unit", "unitName", "length", "size", "item"];
        specs.known(&known, problems);
    }
    Some(match name {
        "int" => int(&specs, problems),
        "float" => DataType::Float(bounds::<f32>(&specs, Bounds::FLOAT, problems)),
        "double" => DataType::Double(bounds::<f64>(&specs, Bounds::DOUBLE, problems)),
        "text" => {
            DataType::Text { bytes_max: size(&specs, "length", TEXT_BYTES_MAX, problems).unwrap_or(TEXT_BYTES_MAX) }
        }
        "bool" => boolean(&specs, problems),
        "enum" => DataType::Enum(keys(&specs, problems)),
        "array" => array(&specs, depth, problems)?,
        _ => DataType::Date,
    })
}

/// The specs; an empty object stands in where there are none.
fn specs<'j>(node: &Node<'j>, problems: &mut Collected) -> Option<Node<'j>> {
    static NONE: Json<'static> = Json::Object(Vec::new());
    let specs = node.member("specs").unwrap_or_else(|| Node { place: format!("{}.specs", node.place), json: &NONE });
    if let Json::Object(_) = specs.json {
        return Some(specs);
    }
    problems.add(&specs.place, format!("is {}", specs.json.kind()), "write an object: {...}");
    None
}

fn int(specs: &Node<'_>, problems: &mut Collected) -> DataType {
    let what = "write a whole number of 32 bits, such as \"0\"";
    let min = number(specs, "min", what, problems).unwrap_or(i32::MIN);
    let max = number(specs, "max", what, problems).unwrap_or(i32::MAX);
    in_order(specs, min <= max, problems);
    DataType::Int { min, max }
}

/// The bounds of numbers that fit a `T`.
fn bounds<T: FromStr + Into<f64>>(specs: &Node<'_>, all: Bounds, problems: &mut Collected) -> Bounds {
    let mut bound = |name, unsaid: f64| {
        let what = "write a decimal number that the type can hold, such as \"0.5\"";
        // Read as a `T` to see whether it fits, and as a double to keep what was meant: 0.1 as a float is not 0.1.
        let fits: Option<T> = number(specs, name, what, problems);
        let Some(fits) = fits.map(Into::into) else { return unsaid };
        if fits.is_finite() {
            let said = specs.member(name).and_then(|node| node.scalar()?.parse().ok());
            return match said {
                Some(said) if name == "min" && is_javas_min_value(said) => unsaid,
                Some(said) => said.clamp(all.min, all.max),
                None => unsaid,
            };
        }
        problems.add(&format!("{}.{name}", specs.place), "is no number the type can hold", what);
        unsaid
    };
    let bounds = Bounds { min: bound("min", all.min), max: bound("max", all.max) };
    in_order(specs, bounds.min <= bounds.max, problems);
    bounds
}

/// The console's default for the lowest double is -4.9E-324: Java's `MIN_VALUE`, which is the smallest above 0, where the
/// lowest was meant. C's `FLT_MIN` is such a word too.
fn is_javas_min_value(said: f64) -> bool {
    said != 0.0 && said.abs() <= f64::from(f32::MIN_POSITIVE)
}

fn in_order(specs: &Node<'_>, in_order: bool, problems: &mut Collected) {
    if !in_order {
        problems.add(&specs.place, "has a min above its max", "write min <= max");
    }
}

/// The number of this name; `None` if it is not said, and a problem if it is none.
fn number<T: FromStr>(specs: &Node<'_>, name: &str, right: &str, problems: &mut Collected) -> Option<T> {
    let node = specs.member(name)?;
    let said = node.scalar();
    if said == Some("") {
        return None;
    }
    let number = said.and_then(|said| said.parse().ok().or_else(|| without_zeros(said)?.parse().ok()));
    if number.is_none() {
        problems.add(&node.place, format!("is {}", node.json.kind()), right);
    }
    number
}

/// `10` of `10.0`, as Java's maps write whole numbers.
fn without_zeros(number: &str) -> Option<&str> {
    let (whole, zeros) = number.split_once('.')?;
    zeros.bytes().all(|byte| byte == b'0').then_some(whole)
}

/// The size of this name, from 1 to `max`.
fn size(specs: &Node<'_>, name: &str, max: usize, problems: &mut Collected) -> Option<usize> {
    let right = format!("write a whole number from 1 to {max}, such as \"{max}\"");
    let size = number(specs, name, &right, problems)?;
    if !(1..=max).contains(&size) {
        problems.add(&format!("{}.{name}", specs.place), format!("is {size}"), right);
    }
    Some(size)
}

fn boolean(specs: &Node<'_>, problems: &mut Collected) -> DataType {
    let mut names = [String::new(), String::new()];
    for (key, name) in keys_of(specs, problems) {
        match usize::try_from(key).ok().and_then(|key| names.get_mut(key)) {
            Some(place) => *place = name,
            None => problems.add(&specs.place, format!("has the key {key}"), "the keys of a bool are 0 and 1"),
        }
    }
    let [no, yes] = names;
    DataType::Bool { no, yes }
}

fn keys(specs: &Node<'_>, problems: &mut Collected) -> Vec<(i32, String)> {
    let keys = keys_of(specs, problems);
    let count = if let Json::Object(members) = specs.json { members.len() } else { 0 };
    if count == 0 {
        let right = "write them, such as {\"0\": \"off\", \"1\": \"on\"}";
        problems.warn(&specs.place, "has no keys, so any whole number is taken", right);
    }
    if count > ENUM_KEYS_MAX {
        let right = format!("write 1 to {ENUM_KEYS_MAX}, such as {{\"0\": \"off\", \"1\": \"on\"}}");
        problems.add(&specs.place, format!("has {count} keys"), right);
    }
    keys
}

/// Whole numbers and what they mean, no more than an enum may have.
fn keys_of(specs: &Node<'_>, problems: &mut Collected) -> Vec<(i32, String)> {
    let Json::Object(members) = specs.json else { return Vec::new() };
    let mut keys: Vec<(i32, String)> = Vec::new();
    for (text, name) in members.iter().take(ENUM_KEYS_MAX) {
        match text.parse::<i32>() {
            Ok(key) if keys.iter().any(|(other, _)| *other == key) => {
                problems.add(&specs.place, format!("has the key {key} twice"), "write each key once");
            }
            Ok(key) => keys.push((key, if let Json::Text(name) = name { name.to_string() } else { String::new() })),
            Err(_) => {
                let right = "keys are whole numbers of 32 bits, such as \"0\"";
                problems.add(&specs.place, format!("has the key {}", quoted(text)), right);
            }
        }
    }
    keys
}

fn array(specs: &Node<'_>, depth: usize, problems: &mut Collected) -> Option<DataType> {
    if specs.member("size").is_none() {
        let right = format!("write how many items there may be, from \"1\" to \"{ARRAY_ITEMS_MAX}\"");
        problems.warn(&specs.place, format!("has no size, so {ARRAY_ITEMS_MAX} items are taken"), right);
    }
    let items_max = size(specs, "size", ARRAY_ITEMS_MAX, problems).unwrap_or(ARRAY_ITEMS_MAX);
    let right = "the items' type, such as {\"type\": \"int\"}";
    if specs.member("item").is_none() {
        problems.warn(&specs.place, "has no item, so items of any kind are taken", format!("write {right}"));
        return Some(DataType::Array { items_max, item: Box::new(DataType::Any) });
    }
    let item = specs.required("item", right, problems)?;
    let item_type = data_type(&item, depth + 1, problems)?;
    let name = item.member("type").and_then(|name| name.scalar()).unwrap_or_default();
    if !ITEM_TYPES.contains(&name) {
        problems.add(&item.place, format!("has the type {name}"), format!("items are {}", ITEM_TYPES.join(", ")));
    }
    Some(DataType::Array { items_max, item: Box::new(item_type) })
}

fn structure(node: &Node<'_>, depth: usize, problems: &mut Collected) -> Option<DataType> {
    if node.member("specs").is_none() {
        problems.warn(&node.place, "has no specs, so any object is taken", "write an array of members");
        return Some(DataType::Struct(Vec::new()));
    }
    let specs = node.required("specs", "an array of members", problems)?;
    let mut members = specs.items(problems);
    if !(1..=STRUCT_MEMBERS_MAX).contains(&members.len()) {
        let right = format!("a struct has 1 to {STRUCT_MEMBERS_MAX}");
        problems.add(&specs.place, format!("has {} members", members.len()), right);
    }
    members.truncate(STRUCT_MEMBERS_MAX);
    Some(DataType::Struct(fields(members, depth + 1, problems)))
}

/// An identifier that none of the others has; it becomes one of them.
pub(super) fn identifier(
    node: &Node<'_>,
    others: &mut BTreeSet<Identifier>,
    problems: &mut Collected,
) -> Option<Identifier> {
    let node = node.required("identifier", "1 to 50 of A-Z a-z 0-9 _", problems)?;
    let text = node.text(problems)?;
    match Identifier::try_from(text) {
        Ok(id) if others.contains(&id) => {
            problems.add(&node.place, format!("is {id} again"), "use each identifier once");
            None
        }
        Ok(id) => {
            others.insert(id.clone());
            Some(id)
        }
        Err(wrong) => {
            let right = if text.contains(':') {
                "write the part after the colon, in the file of the module that stands before it".to_owned()
            } else {
                format!("an {} is {}", wrong.what, wrong.rule)
            };
            problems.add(&node.place, format!("is {:?}", wrong.text), right);
            None
        }
    }
}

/// Parameters, results or members of a struct; they stand inside `depth` data types.
pub(super) fn fields(nodes: Vec<Node<'_>>, depth: usize, problems: &mut Collected) -> Vec<Field> {
    let mut ids = BTreeSet::new();
    nodes.iter().filter_map(|node| field(node, &mut ids, depth, problems)).collect()
}

fn field(node: &Node<'_>, others: &mut BTreeSet<Identifier>, depth: usize, problems: &mut Collected) -> Option<Field> {
    node.known(&["identifier", "name", "dataType", "required", "desc", "custom"], problems);
    let id = identifier(node, others, problems);
    let data_type = node
        .required("dataType", "a data type, such as {\"type\": \"int\"}", problems)
        .and_then(|node| data_type(&node, depth, problems));
    let required = required(node, problems);
    Some(Field { id: id?, name: name(node), data_type: data_type?, required })
}

fn required(node: &Node<'_>, problems: &mut Collected) -> bool {
    let Some(node) = node.member("required") else { return true };
    if let Json::Bool(required) = node.json {
        return *required;
    }
    problems.add(&node.place, format!("is {}", node.json.kind()), "write true or false");
    true
}

pub(super) fn name(node: &Node<'_>) -> String {
    node.member("name").and_then(|name| name.scalar()).unwrap_or_default().to_owned()
}
