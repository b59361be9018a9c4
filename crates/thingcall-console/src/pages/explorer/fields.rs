//! A form for the parameters of an action, and what it says once it was filled in.
//!
//! **Invariant:** a field is named `p.` and its parameter, one of a thing model `in.` and its identifier; a blank one is not sent.

use maud::{Markup, html};
use thingcall_core::{ActionSheet, Need, ParamKind, ParamSheet};

use super::args;
use super::choosing::Chosen;
use super::filled::Filled;
use super::nested;
use crate::given::{Given, Value};
use crate::lang::Lang;

/// How many structures of a list have fields.
const ROWS: usize = 3;
/// What the fields of a model are of.
const OF: &str = "of";

/// The field of a parameter, and where it has several, those of its members.
fn name_of(param: &ParamSheet) -> String {
    format!("p.{}", param.name)
}

/// Whether a thing model's fields stand for this parameter.
fn is_modelled(param: &ParamSheet) -> bool {
    param.kind == ParamKind::Json && ["Args", "Items"].contains(&param.name)
}

/// The parameters that a filled form gives.
pub(super) fn read(sheet: &ActionSheet, filled: &Filled, chosen: &Chosen) -> Vec<Given> {
    sheet.params.iter().filter_map(|param| one(param, filled, chosen)).collect()
}

fn one(param: &ParamSheet, filled: &Filled, chosen: &Chosen) -> Option<Given> {
    let name = name_of(param);
    let given = filled.text(&name);
    match param.kind {
        ParamKind::Texts { .. } => {
            let lines = given.lines().map(str::trim).filter(|line| !line.is_empty());
            let lines: Vec<_> = lines.map(str::to_owned).collect();
            (!lines.is_empty()).then_some(Given { name: param.name, value: Value::Texts(lines) })
        }
        ParamKind::Structures { members, .. } => {
            let rows = (0..ROWS).map(|row| {
                let of_row = members
                    .iter()
                    .map(|member| (member.name, filled.text(&format!("{name}.{row}.{}", member.name)).to_owned()));
                of_row.filter(|(_, text)| !text.is_empty()).collect::<Vec<_>>()
            });
            let rows: Vec<_> = rows.filter(|row| !row.is_empty()).collect();
            (!rows.is_empty()).then_some(Given { name: param.name, value: Value::Structures(rows) })
        }
        ParamKind::Json if is_modelled(param) && given.trim().is_empty() && filled.text(OF) == chosen.of_what() => {
            let inputs = chosen.inputs()?;
            Some(Given { name: param.name, value: Value::Text(args::object(inputs, "in", &|name| filled.text(name))) })
        }
        ParamKind::Text { .. }
        | ParamKind::Whole { .. }
        | ParamKind::Millis
        | ParamKind::Flag
        | ParamKind::Choice(_)
        | ParamKind::Json
        | ParamKind::Base64 { .. } => (!given.is_empty()).then(|| Given::one(param, given)),
    }
}

/// What a form that nobody filled in stands for: what must be there, by its examples.
pub(super) fn examples(sheet: &ActionSheet, filled: &Filled) -> Vec<Given> {
    let preset = |param: &ParamSheet| match param.name {
        "ProductKey" => filled.text("product"),
        "DeviceName" => filled.text("device"),
        "Identifier" => filled.text("service"),
        _ => "",
    };
    let mut others_given = false;
    let mut all = Vec::new();
    for param in sheet.params {
        let said = preset(param);
        let needed = match param.need {
            Need::Always => true,
            // The first of those of which one must be there.
            Need::Unless(others) if others.contains(&param.name) => !std::mem::replace(&mut others_given, true),
            Need::Unless(_) => true,
            Need::Never => false,
        };
        if !said.is_empty() {
            all.push(Given::one(param, said));
        } else if needed {
            all.push(Given::example(param));
        }
    }
    all
}

/// The fields of all parameters.
pub(super) fn all(lang: Lang, sheet: &ActionSheet, filled: &Filled, chosen: &Chosen) -> Markup {
    html! {
        @for param in sheet.params {
            @if is_modelled(param) && chosen.inputs().is_some() {
                (of_model(lang, param, filled, chosen))
            } @else {
                (of_param(lang, param, filled, chosen))
            }
        }
    }
}

/// The fields that the thing model has for this parameter, and the parameter itself for whoever writes it.
fn of_model(lang: Lang, param: &ParamSheet, filled: &Filled, chosen: &Chosen) -> Markup {
    let name = name_of(param);
    let written = filled.text(&name);
    html! {
        input type="hidden" name=(OF) value=(chosen.of_what());
        fieldset {
            legend { code { (param.name) } " · " (chosen.of_what()) }
            @if let Some(inputs) = chosen.inputs() {
                (nested::all(lang, inputs, "in", &|name| filled.text(name)))
            }
            details open[!written.is_empty()] {
                summary { (lang.say("As JSON, in place of the fields", "直接填写 JSON（优先于上方字段）")) }
                div.field {
                    label for=(name) { code { (param.name) } }
                    textarea id=(name) name=(name) rows="4" spellcheck="false" placeholder=(param.example) { (written) }
                }
            }
        }
    }
}

fn of_param(lang: Lang, param: &ParamSheet, filled: &Filled, chosen: &Chosen) -> Markup {
    let name = name_of(param);
    let given = filled.text(&name);
    let value = if given.is_empty() && !filled.is_sent() { chosen.preset(param.name) } else { given };
    html! {
        div.field {
            label for=(name) { code { (param.name) } (need(lang, param)) }
            (field(lang, param, &name, (value, filled)))
            span.hint { (lang.say(param.about.en, param.about.zh)) }
        }
    }
}

fn need(lang: Lang, param: &ParamSheet) -> Markup {
    html! {
        span.hint {
            @match param.need {
                Need::Always => { " " (lang.say("required", "必填")) }
                Need::Unless(others) if others.contains(&param.name) => {
                    " " (lang.say("at least one of these", "至少填一个"))
                }
                Need::Unless(others) => { " " (lang.say("or", "或")) " " (others.join(", ")) }
                Need::Never => {}
            }
        }
    }
}

fn field(lang: Lang, param: &ParamSheet, name: &str, (value, filled): (&str, &Filled)) -> Markup {
    let required = param.need == Need::Always;
    match param.kind {
        ParamKind::Text { characters_max } => html! {
            input id=(name) name=(name) type="text" value=(value) required[required] maxlength=[characters_max]
                placeholder=(param.example);
        },
        ParamKind::Whole { min, max } => html! {
            input id=(name) name=(name) type="number" step="1" value=(value) required[required] min=(min)
                max=[Some(max).filter(|max| *max < i64::MAX)] placeholder=(param.example);
        },
        ParamKind::Millis => html! {
            input id=(name) name=(name) type="number" step="1" min="0" value=(value) required[required] placeholder=(param.example);
        },
        ParamKind::Flag => choice(lang, name, value, &[("true", "true"), ("false", "false")]),
        ParamKind::Choice(words) => {
            let words: Vec<_> = words.iter().map(|(word, about)| (*word, lang.say(about.en, about.zh))).collect();
            choice(lang, name, value, &words)
        }
        ParamKind::Json => html! {
            textarea id=(name) name=(name) rows="4" spellcheck="false" required[required] placeholder=(param.example) { (value) }
        },
        ParamKind::Base64 { .. } => html! {
            textarea id=(name) name=(name) rows="2" spellcheck="false" required[required] placeholder=(param.example) { (value) }
        },
        ParamKind::Texts { .. } => html! {
            textarea id=(name) name=(name) rows="3" spellcheck="false" required[required]
                placeholder=(lang.say("one a line", "每行一个")) { (value) }
        },
        ParamKind::Structures { members, .. } => html! {
            @for row in 0..ROWS {
                div.inline {
                    @for member in members {
                        @let name = format!("{name}.{row}.{}", member.name);
                        label for=(name) { code { (member.name) } }
                        input id=(name) name=(name) type="text" value=(filled.text(&name)) placeholder=(member.example);
                    }
                }
            }
        },
    }
}

fn choice(lang: Lang, name: &str, value: &str, words: &[(&str, &str)]) -> Markup {
    html! {
        select id=(name) name=(name) {
            option value="" { (lang.say("left out", "不传")) }
            @for (word, about) in words {
                option value=(word) selected[*word == value] { (word) @if word != about { " · " (about) } }
            }
        }
    }
}
