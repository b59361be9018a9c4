//! Arguments as the device should get them, from what applications write instead.
//!
//! **Invariant:** only what is written changes, never what is meant; and what comes out is checked again.

use std::borrow::Cow;

use crate::json::{Json, Members, separated, string};
use crate::{DataType, Field};

/// The object as JSON.
pub(crate) fn object(members: &Members<'_>) -> String {
    let mut out = String::new();
    write_object(&[], members, &mut out);
    out
}

/// The object as JSON, with whole numbers where the fields are such: Java's maps turn 10 into 10.0.
pub(crate) fn args(fields: &[Field], members: &Members<'_>) -> String {
    let mut out = String::new();
    write_object(fields, members, &mut out);
    out
}

/// The object as JSON, of members that a type may be known of by name.
pub(crate) fn members<'m>(members: &Members<'_>, type_of: impl Fn(&str) -> Option<&'m DataType>) -> String {
    let mut out = String::from("{");
    separated(members, &mut out, |(key, value), out| {
        string(key, out);
        out.push(':');
        write(type_of(key), value, out);
    });
    out.push('}');
    out
}

fn write_object(fields: &[Field], members: &Members<'_>, out: &mut String) {
    out.push('{');
    separated(members, out, |(key, value), out| {
        string(key, out);
        out.push(':');
        let field = fields.iter().find(|field| field.id.as_str() == key);
        write(field.map(|field| &field.data_type), value, out);
    });
    out.push('}');
}

fn write(data_type: Option<&DataType>, value: &Json<'_>, out: &mut String) {
    match (data_type, value) {
        (Some(DataType::Int { .. } | DataType::Bool { .. } | DataType::Enum(_)), Json::Number(number)) => {
            out.push_str(&whole(number));
        }
        (Some(DataType::Array { item, .. }), Json::Array(items)) => {
            out.push('[');
            separated(items, out, |value, out| write(Some(item), value, out));
            out.push(']');
        }
        (Some(DataType::Struct(fields)), Json::Object(members)) => write_object(fields, members, out),
        _ => value.write(out),
    }
}

/// The number without its point and exponent, where it has nothing behind them.
fn whole(number: &str) -> Cow<'_, str> {
    let said = || number.contains(['.', 'e', 'E']).then(|| number.parse::<f64>().ok())?;
    match said() {
        // What is larger fits no data type, and has digits that a float does not keep.
        Some(value) if value.fract() == 0.0 && value.abs() <= f64::from(u32::MAX) => {
            // -0.0 is 0.
            format!("{:.0}", value + 0.0).into()
        }
        _ => number.into(),
    }
}
