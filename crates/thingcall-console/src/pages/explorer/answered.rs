//! What an action answered, as a page shows it.

use std::time::Duration;

use maud::{Markup, html};
use serde_json::Value;

use crate::lang::Lang;
use crate::operations::Answer;
use crate::shown::{facts, part, text};

/// So much of an answer is shown.
const SHOWN_BYTES_MAX: usize = 48 * 1024;

/// An answer, and how long it took.
pub(super) struct Answered {
    pub(super) answer: Answer,
    pub(super) took: Duration,
}

/// The answer.
pub(super) fn section(lang: Lang, answered: &Answered) -> Markup {
    let Answered { answer, took } = answered;
    let body = &answer.body;
    let done = answer.status == 200 && body.get("Success").and_then(Value::as_bool) != Some(false);
    let millis = took.as_secs_f64() * 1000.0;
    let data = body.get("Data").unwrap_or(&Value::Null);
    let message_id = [text(data, "MessageId"), text(body, "MessageId")].into_iter().find(|id| !id.is_empty());
    let result = data.get("Result").and_then(Value::as_str).and_then(|json| serde_json::from_str(json).ok());
    html! {
        section #answer {
            h2 { (lang.say("Answer", "响应")) }
            (facts(&[
                (lang.say("Outcome", "结果"), html! {
                    span.outcome.(if done { "good" } else { "bad" }) {
                        (if done { lang.say("done", "成功") } else { lang.say("failed", "失败") })
                    }
                    " " code { (text(body, "Code")) }
                }),
                ("HTTP", html! { (answer.status) }),
                (lang.say("Took", "耗时"), html! { (format!("{millis:.1}")) " ms" }),
                ("RequestId", call(&text(body, "RequestId"))),
                ("MessageId", html! { @if let Some(id) = message_id { (call(&id)) } }),
            ]))
            @if done {
                p.hint { (lang.say(
                    "Calls that succeeded have a page only with [records] keep = \"all\"; those that failed and asynchronous ones always.",
                    "成功的调用仅在 [records] keep = \"all\" 时保留页面；失败和异步的调用始终保留。",
                )) }
            }
            (pretty(lang, body))
            @if let Some(result) = result {
                h3 { "Data.Result" }
                (pretty(lang, &result))
            }
        }
    }
}

/// The way to the page of a call.
fn call(id: &str) -> Markup {
    html! { @if !id.is_empty() { a href=(format!("/calls/{}", part(id))) { code { (id) } } } }
}

fn pretty(lang: Lang, value: &Value) -> Markup {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    let end = text.floor_char_boundary(SHOWN_BYTES_MAX);
    let (shown, rest) = text.split_at(end);
    html! {
        pre tabindex="0" { code { (shown) } }
        @if !rest.is_empty() {
            p.hint { (lang.say("The rest is not shown; bytes: ", "其余内容未显示，字节数：")) (rest.len()) }
        }
    }
}
