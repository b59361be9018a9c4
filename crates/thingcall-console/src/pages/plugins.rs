//! Plugins: what is loaded, what was refused and why, and what can be done about it.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde_json::Value;

use crate::form::Form;
use crate::layout;
use crate::refused::Refused;
use crate::seat::Seat;
use crate::shown::{list as values, part, text};

/// What can be done to one, as the operator's listener names it.
const CHANGES: [(&str, &str, &str); 3] =
    [("reload", "Reload", "重新加载"), ("rollback", "Roll back", "回滚"), ("forget", "Forget", "忘记记录")];

/// The list.
pub(crate) async fn list(seat: Seat) -> Markup {
    listed(&seat, None).await
}

async fn listed(seat: &Seat, problem: Option<&Refused>) -> Markup {
    let lang = seat.lang;
    let title = lang.say("Plugins", "插件");
    let found = match seat.ask("/plugins").await {
        Ok(found) => found,
        Err(why) => {
            let reasons = problem.into_iter().chain([&why]);
            return layout::page(seat, title, &html! { @for why in reasons { (layout::refused(lang, why)) } });
        }
    };
    let plugins = values(&found, &[]);
    let body = html! {
        @if let Some(problem) = problem { (layout::refused(lang, problem)) }
        @if plugins.is_empty() {
            p.none { (lang.say("No plugin is there: every call goes to its device as it is.", "没有插件：调用直接发送到设备。")) }
        }
        @for plugin in plugins { (one(seat, plugin)) }
    };
    layout::page(seat, title, &body)
}

fn one(seat: &Seat, plugin: &Value) -> Markup {
    let lang = seat.lang;
    let (name, error) = (text(plugin, "name"), text(plugin, "error"));
    let words = |name: &str| values(plugin, &[name]).iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ");
    let facts = [
        (lang.say("Status", "状态"), html! { (text(plugin, "status")) }),
        (lang.say("Version", "版本"), html! { (text(plugin, "version")) }),
        (lang.say("Generation", "代"), html! { (text(plugin, "generation")) }),
        (lang.say("Handles", "处理"), html! { code { (words("claims")) } }),
        (lang.say("Translates", "编解码"), html! { code { (words("codecs")) } }),
        (lang.say("Calls in flight", "进行中的调用"), html! { (text(plugin, "callsInFlight")) }),
        (lang.say("Circuit", "熔断"), html! { (circuit(seat, plugin)) }),
        (lang.say("File", "文件"), html! { code { (text(plugin, "file")) } }),
    ];
    html! {
        article {
            h2 { @if name.is_empty() { (text(plugin, "file")) } @else { (name) } }
            @if !error.is_empty() { div.problem { (error) } }
            (crate::shown::facts(&facts))
            @if !name.is_empty() {
                div.buttons {
                    @for (what, english, chinese) in CHANGES {
                        form method="post" action=(format!("/plugins/{}/{what}", part(&name))) {
                            (layout::token(seat))
                            button type="submit" { (lang.say(english, chinese)) }
                        }
                    }
                }
            }
        }
    }
}

fn circuit<'a>(seat: &Seat, plugin: &Value) -> &'a str {
    if plugin.get("circuitOpen").and_then(Value::as_bool) == Some(true) {
        seat.lang.say("open: its code blocks, and its calls fail", "已熔断：代码阻塞，调用失败")
    } else {
        seat.lang.say("closed", "正常")
    }
}

/// Has something done to one.
pub(crate) async fn change(Path((name, what)): Path<(String, String)>, form: Form) -> Response {
    if !CHANGES.iter().any(|(known, ..)| *known == what) {
        let why = Refused { code: "404".to_owned(), text: format!("{what:?} is nothing that can be done to a plugin") };
        return (StatusCode::NOT_FOUND, listed(&form.seat, Some(&why)).await).into_response();
    }
    match form.seat.change(&format!("/plugins/{}/{what}", part(&name))).await {
        Ok(_) => Redirect::to("/plugins").into_response(),
        Err(why) => (StatusCode::UNPROCESSABLE_ENTITY, listed(&form.seat, Some(&why)).await).into_response(),
    }
}
