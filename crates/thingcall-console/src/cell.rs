//! What stands in a field of a table: the same in a page that is loaded, and in a row that comes to it later.
//!
//! **Invariant:** whatever it holds is text for whoever shows it: `maud` escapes it, and the script sets it as text.

use maud::{Markup, html};
use serde_json::{Value, json};

use thingcall_core::UnixMillis;

use crate::shown;

/// A field of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cell {
    /// Words.
    Text(String),
    /// A name or a value of a program.
    Code(String),
    /// A moment, as this server writes it.
    Moment(String),
    /// A moment.
    At(UnixMillis),
    /// How something ended.
    Outcome(String),
    /// A name that leads to a path of this server.
    Link {
        /// What is shown.
        text: String,
        /// Where it leads.
        path: String,
    },
}

impl Cell {
    /// As part of a page.
    pub(crate) fn markup(&self) -> Markup {
        match self {
            Self::Text(text) => html! { (text) },
            Self::Code(text) => html! { code { (text) } },
            Self::Moment(text) => shown::moment(text),
            Self::At(UnixMillis(millis)) => html! { time data-ms=(millis) { (millis) } },
            Self::Outcome(word) => shown::outcome(word),
            Self::Link { text, path } => html! { a href=(path) { code { (text) } } },
        }
    }

    /// As the script of a page reads it.
    pub(crate) fn json(&self) -> Value {
        match self {
            Self::Text(text) => json!({ "text": text }),
            Self::Code(text) => json!({ "as": "code", "text": text }),
            Self::Moment(text) => json!({ "as": "time", "text": text }),
            Self::At(UnixMillis(millis)) => json!({ "as": "millis", "text": millis.to_string() }),
            Self::Outcome(word) => json!({ "as": shown::kind_of(word), "text": word }),
            Self::Link { text, path } => json!({ "as": "link", "text": text, "path": path }),
        }
    }
}
