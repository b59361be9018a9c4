//! Why something was not told or done, as a page shows it.

use serde_json::Value;

use crate::operations::Answer;

/// Why something was not told or done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {text}")]
pub(crate) struct Refused {
    /// The code, as callers of the API know it.
    pub(crate) code: String,
    /// What is wrong, and what would be right.
    pub(crate) text: String,
}

impl Refused {
    /// A page that only shows would change something: a fault of ours.
    pub(crate) fn no_form(action: &str) -> Self {
        let text = format!("{action} changes something, and this page only shows; right is a form");
        Self { code: "405".to_owned(), text }
    }

    /// Why an action of the API was refused, if it was.
    pub(crate) fn of_action(answer: &Answer) -> Option<Self> {
        let member = |name: &str| answer.body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        if answer.status == 200 && answer.body.get("Success").and_then(Value::as_bool) != Some(false) {
            return None;
        }
        let text = Some(member("ErrorMessage")).filter(|text| !text.is_empty()).unwrap_or_else(|| member("Message"));
        Some(Self { code: member("Code"), text })
    }

    /// What an action of the API answered, unless it was refused.
    ///
    /// # Errors
    /// The code and the text that a caller of the API would have read.
    pub(crate) fn unless_done(answer: Answer) -> Result<Value, Self> {
        match Self::of_action(&answer) {
            Some(why) => Err(why),
            None => Ok(answer.body),
        }
    }

    /// What the operator's listener told, unless it told nothing.
    ///
    /// # Errors
    /// Its status, and its own words.
    pub(crate) fn unless_told(answer: Answer) -> Result<Value, Self> {
        if (200..300).contains(&answer.status) {
            return Ok(answer.body);
        }
        let text = answer.body.get("error").and_then(Value::as_str).unwrap_or("nothing was told").to_owned();
        Err(Self { code: answer.status.to_string(), text })
    }
}
