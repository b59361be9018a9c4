//! Values of a form as the JSON of a call.
//!
//! **Invariants:** a number of a float or double has its point, however it was typed. What was left blank is left out. What is not of its kind
//! is sent as the text it is, so that the server says what is wrong with it.

use super::model::{Input, Kind, ROWS};

/// Where a value of a form is looked up by the name of its field.
pub(super) type Look<'a> = &'a dyn Fn(&str) -> &'a str;

/// The object of all that was filled in.
pub(super) fn object(inputs: &[Input], name: &str, look: Look<'_>) -> String {
    members(inputs, name, look).unwrap_or_else(|| "{}".to_owned())
}

fn members(inputs: &[Input], name: &str, look: Look<'_>) -> Option<String> {
    let written = inputs.iter().filter_map(|input| {
        let value = value(&input.kind, &format!("{name}.{}", input.id), look)?;
        Some(format!("{}:{value}", quoted(&input.id)))
    });
    let written: Vec<_> = written.collect();
    (!written.is_empty()).then(|| format!("{{{}}}", written.join(",")))
}

fn value(kind: &Kind, name: &str, look: Look<'_>) -> Option<String> {
    match kind {
        Kind::Struct(inputs) => members(inputs, name, look),
        Kind::Array { of, .. } => array(of, name, look),
        Kind::Int(_) | Kind::Decimal(_) | Kind::Text { .. } | Kind::Named(_) | Kind::Date | Kind::Json(_) => {
            Some(look(name)).filter(|text| !text.trim().is_empty()).map(|text| plain(kind, text))
        }
    }
}

/// What is written as JSON wins; else each line is a value, and each filled row a structure.
fn array(of: &Kind, name: &str, look: Look<'_>) -> Option<String> {
    let json = look(&format!("{name}.json"));
    if !json.trim().is_empty() {
        return Some(as_json(json));
    }
    let values: Vec<_> = match of {
        Kind::Struct(inputs) => (0..ROWS).filter_map(|row| members(inputs, &format!("{name}.{row}"), look)).collect(),
        Kind::Array { .. }
        | Kind::Int(_)
        | Kind::Decimal(_)
        | Kind::Text { .. }
        | Kind::Named(_)
        | Kind::Date
        | Kind::Json(_) => {
            look(name).lines().filter(|line| !line.trim().is_empty()).map(|line| plain(of, line)).collect()
        }
    };
    (!values.is_empty()).then(|| format!("[{}]", values.join(",")))
}

/// A value that is no list and no structure.
pub(super) fn plain(kind: &Kind, text: &str) -> String {
    match kind {
        Kind::Int(_) | Kind::Named(_) => whole(text).unwrap_or_else(|| quoted(text)),
        Kind::Decimal(_) => decimal(text).unwrap_or_else(|| quoted(text)),
        Kind::Date => quoted(&moment(text).unwrap_or_else(|| text.trim().to_owned())),
        Kind::Text { .. } => quoted(text),
        Kind::Json(_) | Kind::Struct(_) | Kind::Array { .. } => as_json(text),
    }
}

/// JSON as it was written; what is none, as a text.
fn as_json(text: &str) -> String {
    let text = text.trim();
    serde_json::from_str::<&serde_json::value::RawValue>(text).map_or_else(|_| quoted(text), |_| text.to_owned())
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn whole(text: &str) -> Option<String> {
    text.trim().parse::<i128>().ok().map(|number| number.to_string())
}

/// A number with its point: the digits are those that were typed.
fn decimal(text: &str) -> Option<String> {
    let text = text.trim();
    let (sign, digits) = match text.strip_prefix(['-', '+']) {
        Some(rest) => (if text.starts_with('-') { "-" } else { "" }, rest),
        None => ("", text),
    };
    let (before, after) = digits.split_once('.').unwrap_or((digits, ""));
    let are_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if digits.bytes().any(|byte| byte.is_ascii_digit()) && are_digits(before) && are_digits(after) {
        let before = before.trim_start_matches('0');
        let [before, after] = [before, after].map(|part| if part.is_empty() { "0" } else { part });
        return Some(format!("{sign}{before}.{after}"));
    }
    // With an exponent.
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite())?;
    let written = number.to_string();
    Some(if written.contains('.') { written } else { written + ".0" })
}

/// The milliseconds of a date and a time of day in UTC, as browsers write them: `2026-01-02T03:04`, with seconds or without.
fn moment(text: &str) -> Option<String> {
    let (date, time) = text.trim().split_once('T')?;
    let mut date = date.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let mut time = time.splitn(3, ':');
    let (hour, minute) = (time.next()?.parse::<i64>().ok()?, time.next()?.parse::<i64>().ok()?);
    let seconds = time.next().unwrap_or("0");
    let (second, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
    let second = second.parse::<i64>().ok()?;
    let millis: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    let fits = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..60).contains(&second);
    let days = fits.then(|| days(year, month, day))?;
    Some((((days * 24 + hour) * 60 + minute) * 60_000 + second * 1000 + millis).to_string())
}

/// The days from the first of 1970 on. Years begin in March here, so that the leap day is the last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year * 365 + year / 4 - year / 100 + year / 400 + of_year - 719_468
}

#[cfg(test)]
mod tests;
