//! What a value may be, in words, from a thing model as QueryThingModel tells it.

use maud::{Markup, html};
use serde_json::Value;

use crate::lang::Lang;
use crate::shown::{list, text};

/// How many keys of an enum, and members of a struct, are shown; the others are counted.
const SHOWN_MAX: usize = 16;
/// How deep types are shown.
const DEPTH_MAX: usize = 4;

/// Each with its identifier and its type.
pub(super) fn elements(lang: Lang, elements: &[Value]) -> Markup {
    html! {
        @if elements.is_empty() { span.hint { "–" } } @else {
            ul.plain {
                @for element in elements {
                    li { code { (text(element, "identifier")) } " " (data_type(lang, element, "dataType", 0)) }
                }
            }
        }
    }
}

/// A type: its word and its bounds, keys or members.
pub(super) fn of(lang: Lang, element: &Value) -> Markup {
    data_type(lang, element, "dataType", 0)
}

fn data_type(lang: Lang, element: &Value, member: &str, depth: usize) -> Markup {
    let word = text(element, member).to_lowercase();
    let specs = element.get("dataSpecs").unwrap_or(&Value::Null);
    let named = list(element, &["dataSpecsList"]);
    if depth > DEPTH_MAX {
        return html! { (word) " …" };
    }
    match word.as_str() {
        "bool" | "enum" => html! { (word) ": " (keys(lang, named)) },
        "struct" => html! {
            (word)
            ul.members {
                @for child in named.iter().take(SHOWN_MAX) {
                    li { code { (text(child, "identifier")) } " " (data_type(lang, child, "childDataType", depth + 1)) }
                }
                (more(lang, named.len()))
            }
        },
        "array" => html! {
            (word) @if let Some(size) = said(specs, "size") { " ≤ " (size) }
            " × " (data_type(lang, specs, "childDataType", depth + 1))
        },
        "text" => {
            html! { (word) @if let Some(length) = said(specs, "length") { " ≤ " (length) " " (lang.say("bytes", "字节")) } }
        }
        _ => html! { (word) (range(lang, specs)) },
    }
}

/// The bounds, step and unit of a number.
fn range(lang: Lang, specs: &Value) -> Markup {
    let (min, max) = (said(specs, "min"), said(specs, "max"));
    html! {
        @if min.is_some() || max.is_some() { " " (min.as_deref().unwrap_or("")) " … " (max.as_deref().unwrap_or("")) }
        @if let Some(step) = said(specs, "step") { ", " (lang.say("step", "步长")) " " (step) }
        @if let Some(unit) = said(specs, "unit") { ", " (unit) }
    }
}

fn keys(lang: Lang, named: &[Value]) -> Markup {
    html! {
        @for (nth, key) in named.iter().take(SHOWN_MAX).enumerate() {
            @if nth > 0 { ", " }
            (text(key, "value")) " = " (text(key, "name"))
        }
        (more(lang, named.len()))
    }
}

fn more(lang: Lang, count: usize) -> Markup {
    html! { @if count > SHOWN_MAX { " " span.hint { "+" (count - SHOWN_MAX) " " (lang.say("more", "项")) } } }
}

fn said(specs: &Value, name: &str) -> Option<String> {
    Some(text(specs, name)).filter(|text| !text.is_empty())
}
