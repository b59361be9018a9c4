//! What a question holds: a form, a query or a JSON object, as names and texts.
//!
//! **Invariant:** a name stands once, every value is text as it was sent. A question that says one thing twice, or
//! holds bytes that are no text, is not read at all: nobody may guess which of the two the broker meant.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::Value;

/// More than brokers send; there is no question with so many.
const FIELDS_MAX: usize = 32;

/// Stands in decoded text where the bytes were none.
const NO_TEXT: char = char::REPLACEMENT_CHARACTER;

/// How a question is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A form, or a query.
    Text,
    /// A JSON object.
    Json,
}

/// Why a question cannot be read; for the log and the asker.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("more than {FIELDS_MAX} fields")]
    TooMany,
    #[error("a field that is given twice")]
    Twice,
    #[error("a field that is no text")]
    NoText,
    #[error("no JSON object of texts")]
    Json,
    #[error("no field {0}")]
    Missing(&'static str),
}

/// The fields of one question.
#[derive(Default)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads a form or a query.
    pub(crate) fn of_form(bytes: &[u8]) -> Result<Self, Unreadable> {
        let mut fields = Self::default();
        for (name, value) in form_urlencoded::parse(bytes) {
            fields.insert(name.into_owned(), value.into_owned())?;
        }
        Ok(fields)
    }

    /// Reads a JSON object. Numbers and truth values count as their text, `null` as an absent field.
    pub(crate) fn of_json(bytes: &[u8]) -> Result<Self, Unreadable> {
        let Object(members) = serde_json::from_slice(bytes).map_err(|_error| Unreadable::Json)?;
        let mut fields = Self::default();
        for (name, value) in members {
            let text = match value {
                Value::Null => continue,
                Value::String(text) => text,
                Value::Number(number) => number.to_string(),
                Value::Bool(value) => value.to_string(),
                Value::Array(_) | Value::Object(_) => return Err(Unreadable::Json),
            };
            fields.insert(name, text)?;
        }
        Ok(fields)
    }

    fn insert(&mut self, name: String, value: String) -> Result<(), Unreadable> {
        if self.0.len() == FIELDS_MAX {
            return Err(Unreadable::TooMany);
        }
        if name.contains(NO_TEXT) || value.contains(NO_TEXT) {
            return Err(Unreadable::NoText);
        }
        if self.get(&name).is_some() {
            return Err(Unreadable::Twice);
        }
        self.0.push((name, value));
        Ok(())
    }

    /// The field's text.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The text of a field without which the question has no answer.
    pub(crate) fn need(&self, name: &'static str) -> Result<&str, Unreadable> {
        self.get(name).ok_or(Unreadable::Missing(name))
    }
}

/// The members of a JSON object in their order, the same name twice included.
struct Object(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    if members.len() > FIELDS_MAX {
                        return Err(A::Error::custom("too many members"));
                    }
                    members.push(member);
                }
                Ok(Object(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests;
