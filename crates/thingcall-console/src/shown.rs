//! Parts that several pages show: tables, pages of a list, values of an answer.

use std::time::{Duration, UNIX_EPOCH};

use humantime::format_rfc3339_millis;
use maud::{Markup, html};
use serde_json::Value;
use thingcall_core::UnixMillis;

use crate::lang::Lang;

/// A member's text; numbers and flags as they are written.
pub(crate) fn text(value: &Value, name: &str) -> String {
    match value.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }
}

/// The members of a list, if it is one.
pub(crate) fn list<'a>(value: &'a Value, path: &[&str]) -> &'a [Value] {
    let found = path.iter().try_fold(value, |value, name| value.get(name));
    found.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A number.
pub(crate) fn number(value: &Value, name: &str) -> u64 {
    value.get(name).and_then(Value::as_u64).unwrap_or(0)
}

/// A table; it may be wider than the page, and then scrolls by itself.
pub(crate) fn table(caption: &str, heads: &[&str], rows: &[Vec<Markup>], none: &str) -> Markup {
    if rows.is_empty() {
        return html! { p.none { (none) } };
    }
    html! {
        div.wide tabindex="0" role="region" aria-label=(caption) {
            table {
                caption { (caption) }
                thead { tr { @for head in heads { th scope="col" { (head) } } } }
                tbody { @for row in rows { tr { @for cell in row { td { (cell) } } } } }
            }
        }
    }
}

/// Names and values.
pub(crate) fn facts(facts: &[(&str, Markup)]) -> Markup {
    html! { dl.facts { @for (name, value) in facts { div { dt { (name) } dd { (value) } } } } }
}

/// JSON as people read it.
pub(crate) fn json(value: &Value) -> Markup {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    html! { pre tabindex="0" { code { (text) } } }
}

/// A moment, to the millisecond as it is given, which the browser shows in its own zone.
pub(crate) fn moment(text: &str) -> Markup {
    html! { @if !text.is_empty() { time datetime=(text) { (text) } } }
}

/// A moment of this server's.
pub(crate) fn at(at: UnixMillis) -> Markup {
    let text = u64::try_from(at.0).ok().map(|at| UNIX_EPOCH + Duration::from_millis(at));
    let text = text.map(|at| format_rfc3339_millis(at).to_string()).unwrap_or_default();
    moment(&text)
}

/// How a call ended, as a word with a colour of its own and a meaning without it.
pub(crate) fn outcome(word: &str) -> Markup {
    html! { span.outcome.(kind_of(word)) { (word) } }
}

/// Whether such an end is good, bad, or none yet.
pub(crate) fn kind_of(word: &str) -> &'static str {
    match word {
        "ok" | "answered" | "done" => "good",
        "" | "accepted" | "sent" | "delivered" | "waiting" => "open",
        _ => "bad",
    }
}

/// An address with a query.
pub(crate) fn address(path: &str, pairs: &[(&str, &str)]) -> String {
    let pairs = pairs.iter().filter(|(_, value)| !value.is_empty());
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// A part of a path.
pub(crate) fn part(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

/// The way to the next page, if there is one.
pub(crate) fn next(lang: Lang, address: Option<String>) -> Markup {
    html! { @if let Some(address) = address { p.next { a href=(address) rel="next" { (lang.say("Next page", "下一页")) } } } }
}

/// A member of a query.
pub(crate) fn asked(query: Option<&str>, name: &str) -> String {
    let mut pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    pairs.find(|(other, _)| other == name).map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
}
