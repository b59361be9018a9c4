//! Problems of a module's file, each at its place in the text.

use maud::{Markup, html};
use serde_json::Value;

use crate::json_text::{Place, find};
use crate::lang::Lang;
use crate::shown::{list, number, text};

/// How many problems are shown with the lines around them.
const EXCERPTS_MAX: usize = 40;
/// How many lines stand before and behind the one with the problem.
const AROUND: usize = 2;
/// How much of a line is shown.
const LINE_CHARACTERS_MAX: usize = 120;

/// What is wrong, in the order of the text.
pub(super) fn problems(lang: Lang, file: &str, told: &Value) -> Markup {
    let all = list(told, &["problems"]);
    let more = number(told, "more");
    html! {
        section.problem role="alert" {
            h2 { (lang.say("Nothing was saved. Problems: ", "未保存。错误数：")) (all.len() as u64 + more) }
            ol.marks { @for (nth, problem) in all.iter().enumerate() { li { (mark(lang, file, problem, nth < EXCERPTS_MAX)) } } }
            @if more > 0 { p { "+" (more) " " (lang.say("more", "处")) } }
        }
    }
}

/// What is taken, and perhaps not as it was meant.
pub(super) fn warnings(lang: Lang, file: &str, told: &Value) -> Markup {
    let all = list(told, &["warnings"]);
    html! {
        @if !all.is_empty() {
            details.warnings {
                summary { (all.len()) (lang.say(" things are perhaps not as they were meant", " 处可能与预期不符")) }
                ol.marks { @for problem in all.iter().take(EXCERPTS_MAX) { li { (mark(lang, file, problem, false)) } } }
            }
        }
    }
}

fn mark(lang: Lang, file: &str, problem: &Value, with_excerpt: bool) -> Markup {
    let words = text(problem, "place");
    let own = problem.get("own").and_then(Value::as_bool) == Some(true);
    let place = if own { find(file, &words) } else { None };
    html! {
        @match place {
            Some(Place { line, column }) => {
                a href="#text" data-line=(line) data-column=(column) {
                    (lang.say("line ", "第 ")) (line) (lang.say(", column ", " 行，第 ")) (column) (lang.say("", " 列"))
                }
                @if words.starts_with('$') { " · " code { (words) } }
            }
            None => code { (words) },
        }
        p { (text(problem, "problem")) "; " (text(problem, "right")) }
        @if let (Some(place), true) = (place, with_excerpt) { (excerpt(file, place)) }
    }
}

/// The lines around a place.
fn excerpt(file: &str, Place { line, column }: Place) -> Markup {
    let first = line.saturating_sub(AROUND + 1);
    let lines = file.lines().enumerate().skip(first).take(line + AROUND - first);
    // Of a long line, that part.
    let skipped = (column + LINE_CHARACTERS_MAX / 2).saturating_sub(LINE_CHARACTERS_MAX);
    html! {
        pre.excerpt tabindex="0" {
            @for (nth, text) in lines {
                @let (here, shown) = (nth + 1 == line, cut(text, skipped));
                @if here { mark { (nth + 1) "  " (shown) } } @else { (nth + 1) "  " (shown) }
                "\n"
                @if here { (" ".repeat((nth + 1).to_string().len() + 1 + column - skipped)) "^\n" }
            }
        }
    }
}

fn cut(line: &str, skipped: usize) -> String {
    line.chars().skip(skipped).take(LINE_CHARACTERS_MAX).collect()
}

#[cfg(test)]
mod tests;
