//! Writes a tree as JSON again, numbers by their own text.

use std::fmt::Write as _;

use super::Json;

impl Json<'_> {
    /// Adds the value to a text.
    pub(crate) fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(yes) => out.push_str(if *yes { "true" } else { "false" }),
            Self::Number(number) => out.push_str(number),
            Self::Text(text) => string(text, out),
            Self::Array(items) => {
                out.push('[');
                separated(items, out, |item, out| item.write(out));
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                separated(members, out, |(key, value), out| {
                    string(key, out);
                    out.push(':');
                    value.write(out);
                });
                out.push('}');
            }
        }
    }
}

/// Adds each, with a comma between.
pub(crate) fn separated<'i, T: 'i>(
    items: impl IntoIterator<Item = &'i T>,
    out: &mut String,
    mut each: impl FnMut(&'i T, &mut String),
) {
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        each(item, out);
    }
}

/// Adds a text in double quotes.
pub(crate) fn string(text: &str, out: &mut String) {
    out.push('"');
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\0'..='\x1f' => {
                // Writing to memory cannot fail.
                write!(out, "\\u{:04x}", u32::from(char)).ok();
            }
            _ => out.push(char),
        }
    }
    out.push('"');
}
