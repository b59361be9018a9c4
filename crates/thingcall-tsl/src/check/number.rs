//! Checks numbers by their own text, so that none loses a digit before it is judged.

use std::ops::RangeInclusive;

use crate::data_type::{Bounds, with_point};
use crate::json::Json;
use crate::words::cut;
use crate::{DataType, Violation, ViolationKind as Kind};

use super::{Writer, violation};

/// A whole number within bounds.
pub(super) fn int(data_type: &DataType, bounds: RangeInclusive<i32>, number: &str) -> Result<(), Violation> {
    if whole(data_type, number)?.is_some_and(|value| bounds.contains(&value)) {
        return Ok(());
    }
    Err(out_of_range(data_type, number))
}

/// A whole number that is one of the keys.
pub(super) fn key(data_type: &DataType, keys: &[(i32, String)], number: &str) -> Result<(), Violation> {
    let value = whole(data_type, number)?;
    if keys.iter().any(|(key, _)| Some(*key) == value) || (keys.is_empty() && value.is_some()) {
        return Ok(());
    }
    Err(out_of_range(data_type, number))
}

/// The whole number; `None` if it has more than 32 bits.
fn whole(data_type: &DataType, number: &str) -> Result<Option<i32>, Violation> {
    match number.parse() {
        Ok(value) => Ok(Some(value)),
        Err(_) if number.contains(['.', 'e', 'E']) => {
            let number = cut(number);
            Err(violation(
                Kind::Type,
                format!("is {number}; write a whole number, without point and exponent: the model wants {data_type}"),
            ))
        }
        Err(_) => Ok(None),
    }
}

/// A number within bounds that callers write with a decimal point.
pub(super) fn float(data_type: &DataType, bounds: Bounds, number: &str, writer: Writer) -> Result<(), Violation> {
    if writer.writes_points() && !number.contains('.') {
        let (found, right) = (cut(number), with_point(cut(number)));
        return Err(violation(
            Kind::Type,
            format!("is {found}, without a decimal point; write {right}: the model wants {data_type}"),
        ));
    }
    // JSON's numbers are a part of what Rust reads. What is too large becomes infinite, which is in no bounds.
    match number.parse::<f64>() {
        Ok(value) if bounds.min <= value && value <= bounds.max => Ok(()),
        _ => Err(out_of_range(data_type, number)),
    }
}

/// The number that a text says, if it is short enough to be told.
pub(super) fn said(text: &str) -> Option<&str> {
    matches!(Json::read(text, 0), Ok(Json::Number(number)) if number == cut(text)).then_some(text)
}

fn out_of_range(data_type: &DataType, number: &str) -> Violation {
    let keyed = matches!(data_type, DataType::Bool { .. } | DataType::Enum(_));
    let why = if keyed { "" } else { ", out of range" };
    violation(Kind::Range, format!("is {}{why}; the model wants {data_type}", cut(number)))
}
