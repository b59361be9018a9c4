//! Checks values against data types.
//!
//! **Invariant:** a value is walked once, and nothing is allocated unless it does not fit. How deep the walk goes is
//! bounded by the types, which nest within limits.

use std::borrow::Cow;

use crate::data_type::with_point;
use crate::json::{Json, Members};
use crate::words::{cut, in_item, in_member, list, nearest, quoted};
use crate::{DataType, Field, Violation, ViolationKind as Kind};

mod number;

/// Who wrote what is checked: callers are held to the model's letter, devices not quite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writer {
    /// A caller: a float has a decimal point, a bool is 0 or 1.
    Caller,
    /// A caller who may leave inputs out.
    BriefCaller,
    /// One who sets properties: as a caller who may leave things out, and a float needs no decimal point, since Alibaba's
    /// reference asks for none here.
    Setter,
    /// A device: JavaScript writes 1 for 1.0, and `true` is understood.
    Device,
    /// A device that reports: it names what it has, and only names and types count.
    Reporter,
}

impl Writer {
    const fn is_device(self) -> bool {
        matches!(self, Self::Device | Self::Reporter)
    }

    /// Whether a float must have a decimal point.
    const fn writes_points(self) -> bool {
        matches!(self, Self::Caller | Self::BriefCaller)
    }
}

/// Whether a text is one object whose members are these fields. Where it is not, [`fields`] says why.
pub(crate) fn fits(fields: &[Field], text: &str, depth_max: usize, writer: Writer) -> bool {
    let mut seen = 0u128;
    let fit = Json::all_members(text, depth_max, |at, name, json| {
        let Some((index, field)) = find(fields, name, at) else { return false };
        let twice = seen & (1 << index) != 0;
        seen |= 1 << index;
        !twice && value(&field.data_type, json, writer).is_ok()
    });
    fit && missing_in(fields, seen, writer).is_none()
}

/// Checks members against the fields they are meant to be. A path begins after the object.
pub(crate) fn fields(fields: &[Field], members: &Members<'_>, writer: Writer) -> Result<(), Violation> {
    // A bit for each field that was seen. A service has at most 100, a struct 50.
    let mut seen = 0u128;
    for (at, (name, json)) in members.iter().enumerate() {
        let (index, field) = find(fields, name, at).ok_or_else(|| unknown(fields, name))?;
        seen |= 1 << index;
        value(&field.data_type, json, writer).map_err(|violation| inside(violation, |path| in_member(path, name)))?;
    }
    match missing_in(fields, seen, writer) {
        None => Ok(()),
        Some(field) => Err(missing(field, writer)),
    }
}

/// A field that must be there and was not seen.
fn missing_in(fields: &[Field], seen: u128, writer: Writer) -> Option<&Field> {
    if matches!(writer, Writer::BriefCaller | Writer::Setter | Writer::Reporter) {
        return None;
    }
    fields.iter().enumerate().find(|(index, field)| field.required && seen & (1 << index) == 0).map(|(_, field)| field)
}

/// The field of this name, and where it stands. Looks first where it stands if members keep the model's order.
fn find<'f>(fields: &'f [Field], name: &str, likely: usize) -> Option<(usize, &'f Field)> {
    match fields.get(likely) {
        Some(field) if field.id.as_str() == name => Some((likely, field)),
        _ => fields.iter().enumerate().find(|(_, field)| field.id.as_str() == name),
    }
}

/// Checks one value.
pub(crate) fn value(data_type: &DataType, json: &Json<'_>, writer: Writer) -> Result<(), Violation> {
    match exact(data_type, json, writer) {
        Err(Violation { kind: Kind::Range | Kind::Length, .. }) if writer == Writer::Reporter => Ok(()),
        checked => checked,
    }
}

fn exact(data_type: &DataType, json: &Json<'_>, writer: Writer) -> Result<(), Violation> {
    match (data_type, json) {
        (DataType::Any, _) => Ok(()),
        (DataType::Int { min, max }, Json::Number(number)) => number::int(data_type, *min..=*max, number),
        (DataType::Float(bounds) | DataType::Double(bounds), Json::Number(number)) => {
            number::float(data_type, *bounds, number, writer)
        }
        (DataType::Bool { .. }, Json::Number(number)) => number::int(data_type, 0..=1, number),
        (DataType::Bool { .. }, Json::Bool(_)) if writer.is_device() => Ok(()),
        (DataType::Bool { .. }, Json::Bool(yes)) => {
            Err(violation(Kind::Type, format!("is {yes}; write {}: the model wants {data_type}", u8::from(*yes))))
        }
        (DataType::Enum(keys), Json::Number(number)) => number::key(data_type, keys, number),
        (DataType::Text { bytes_max }, Json::Text(text)) => length(text.len(), *bytes_max, "bytes"),
        (DataType::Date, Json::Text(text)) => date(text),
        (DataType::Array { items_max, item }, Json::Array(items)) => {
            length(items.len(), *items_max, "items")?;
            items.iter().enumerate().try_for_each(|(index, json)| {
                value(item, json, writer).map_err(|violation| inside(violation, |path| in_item(path, index)))
            })
        }
        (DataType::Struct(members), Json::Object(_)) if members.is_empty() => Ok(()),
        (DataType::Struct(members), Json::Object(json)) => fields(members, json, writer),
        _ => Err(wrong_type(data_type, json)),
    }
}

fn length(found: usize, max: usize, unit: &str) -> Result<(), Violation> {
    if found <= max {
        return Ok(());
    }
    Err(violation(Kind::Length, format!("has {found} {unit}; the model allows at most {max}")))
}

/// Any count of milliseconds that fits 64 bits, as a text.
fn date(text: &str) -> Result<(), Violation> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<i64>().is_ok() {
        return Ok(());
    }
    let found = quoted(text);
    Err(violation(Kind::Type, format!("is the text {found}; the model wants {}, such as {DATE}", DataType::Date)))
}

/// An example of a date.
pub(crate) const DATE: &str = "\"1700000000000\"";

fn wrong_type(data_type: &DataType, json: &Json<'_>) -> Violation {
    let right = cure(data_type, json).map_or(String::new(), |cure| format!("write {cure}: "));
    violation(Kind::Type, format!("is {}; {right}the model wants {data_type}", json.kind()))
}

/// What was probably meant by a value of the wrong type.
fn cure(data_type: &DataType, json: &Json<'_>) -> Option<String> {
    match (data_type, json) {
        (DataType::Date, Json::Number(number)) => Some(format!("\"{}\"", cut(number))),
        (DataType::Text { .. }, Json::Number(number)) => Some(format!("\"{}\", in quotes", cut(number))),
        (DataType::Enum(keys), Json::Text(text)) if keys.iter().any(|(_, name)| name == text) => {
            keys.iter().find(|(_, name)| name == text).map(|(key, _)| key.to_string())
        }
        (DataType::Float(_) | DataType::Double(_), Json::Text(text)) => {
            number::said(text).map(|number| format!("{}, without quotes", with_point(number)))
        }
        (DataType::Int { .. } | DataType::Bool { .. } | DataType::Enum(_), Json::Text(text)) => {
            number::said(text).map(|number| format!("{number}, without quotes"))
        }
        _ => None,
    }
}

fn missing(field: &Field, writer: Writer) -> Violation {
    let optional = match writer {
        Writer::Caller | Writer::BriefCaller | Writer::Setter => ", or mark it \"required\": false in the thing model",
        Writer::Device | Writer::Reporter => "",
    };
    let mut missing = violation(Kind::Missing, format!("is missing; give it as {}{optional}", field.data_type));
    in_member(&mut missing.path, field.id.as_str());
    missing
}

fn unknown(fields: &[Field], name: &str) -> Violation {
    let names = || fields.iter().map(|field| field.id.as_str());
    let text = match nearest(name, names()) {
        _ if fields.is_empty() => "is not in the thing model, which has nothing here; write {}".to_owned(),
        Some(near) => {
            format!(
                "is not in the thing model; did you mean {near}? It has {}",
                list(names().map(Cow::from), Some(near))
            )
        }
        None => format!("is not in the thing model, which has {}", list(names().map(Cow::from), None)),
    };
    let mut unknown = violation(Kind::Unknown, text);
    in_member(&mut unknown.path, name);
    unknown
}

fn violation(kind: Kind, text: String) -> Violation {
    Violation { kind, path: String::new(), text }
}

fn inside(mut violation: Violation, step: impl FnOnce(&mut String)) -> Violation {
    step(&mut violation.path);
    violation
}

#[cfg(test)]
mod tests;
