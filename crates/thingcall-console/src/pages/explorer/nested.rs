//! Fields for values that a thing model describes: ranges, names of numbers, structures and lists.
//!
//! **Invariant:** the names of fields are those under which `args` looks values up.

use maud::{Markup, html};

use super::args::Look;
use super::model::{Input, Kind, ROWS, Range};
use crate::lang::Lang;

/// Fields for all of these.
pub(super) fn all(lang: Lang, inputs: &[Input], name: &str, look: Look<'_>) -> Markup {
    html! { @for input in inputs { (one(lang, input, &format!("{name}.{}", input.id), look)) } }
}

fn one(lang: Lang, input: &Input, name: &str, look: Look<'_>) -> Markup {
    match &input.kind {
        Kind::Struct(members) => html! {
            fieldset { legend { (title(input)) } (all(lang, members, name, look)) }
        },
        Kind::Array { size, of } => array(lang, (input, size, of), name, look),
        Kind::Int(_) | Kind::Decimal(_) | Kind::Text { .. } | Kind::Named(_) | Kind::Date | Kind::Json(_) => html! {
            div.field {
                label for=(name) { (title(input)) }
                (field(lang, &input.kind, name, look(name)))
                (hint(lang, &input.kind))
            }
        },
    }
}

fn title(input: &Input) -> Markup {
    html! { code { (input.id) } @if !input.name.is_empty() && input.name != input.id { " " (input.name) } }
}

fn field(lang: Lang, kind: &Kind, name: &str, value: &str) -> Markup {
    match kind {
        Kind::Int(range) => number(range, "1", name, value),
        Kind::Decimal(range) => number(range, "any", name, value),
        Kind::Text { length } => {
            html! { input id=(name) name=(name) type="text" value=(value) maxlength=[length.parse::<u32>().ok()]; }
        }
        Kind::Named(words) => html! {
            select id=(name) name=(name) {
                option value="" { (lang.say("left out", "不传")) }
                @for (number, word) in words {
                    option value=(number) selected[number == value] { (number) " · " (word) }
                }
            }
        },
        Kind::Date => html! { input id=(name) name=(name) type="datetime-local" step="0.001" value=(value); },
        Kind::Json(_) | Kind::Struct(_) | Kind::Array { .. } => {
            html! { textarea id=(name) name=(name) rows="2" spellcheck="false" { (value) } }
        }
    }
}

fn number(range: &Range, step: &str, name: &str, value: &str) -> Markup {
    let edge = |edge: &str| Some(edge.to_owned()).filter(|edge| edge.parse::<f64>().is_ok());
    html! {
        input id=(name) name=(name) type="number" step=(step) min=[edge(&range.min)] max=[edge(&range.max)] value=(value);
    }
}

fn hint(lang: Lang, kind: &Kind) -> Markup {
    let of_range = |what: &str, Range { min, max, unit }: &Range| {
        let span = if min.is_empty() && max.is_empty() { String::new() } else { format!(" {min} … {max}") };
        format!("{what}{span} {unit}").trim_end().to_owned()
    };
    let text = match kind {
        Kind::Int(range) => of_range("int", range),
        Kind::Decimal(range) => of_range(lang.say("with its point", "小数"), range),
        Kind::Text { length } if length.is_empty() => "text".to_owned(),
        Kind::Text { length } => format!("text ≤ {length}"),
        Kind::Date => "UTC".to_owned(),
        Kind::Json(word) => format!("{word} JSON"),
        Kind::Named(_) | Kind::Struct(_) | Kind::Array { .. } => return html! {},
    };
    html! { span.hint { (text) } }
}

/// A list: a line for each value, or some rows for structures; and JSON in place of them.
fn array(lang: Lang, (input, size, of): (&Input, &str, &Kind), name: &str, look: Look<'_>) -> Markup {
    let json = format!("{name}.json");
    html! {
        fieldset {
            legend { (title(input)) span.hint { " array ≤ " (size) } }
            @if let Some(members) = of.members() {
                @for row in 0..ROWS {
                    fieldset { legend { (row) } (all(lang, members, &format!("{name}.{row}"), look)) }
                }
            } @else {
                div.field {
                    label for=(name) { (lang.say("One value a line", "每行一个值")) }
                    textarea id=(name) name=(name) rows="3" spellcheck="false" { (look(name)) }
                    (hint(lang, of))
                    @if let Kind::Named(words) = of {
                        span.hint { @for (number, word) in words { (number) " · " (word) "  " } }
                    }
                }
            }
            div.field {
                label for=(json) { (lang.say("Or all of it as JSON", "或整体写成 JSON")) }
                textarea id=(json) name=(json) rows="2" spellcheck="false" { (look(&json)) }
            }
        }
    }
}
