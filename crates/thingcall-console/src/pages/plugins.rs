//! Plugins: what is loaded, what was refused, why and how that is mended, and what can be done about it.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde_json::Value;

use crate::figures::Figures;
use crate::form::Form;
use crate::layout;
use crate::refused::Refused;
use crate::seat::Seat;
use crate::shown::{facts, list as values, number, part, text};

mod mend;
mod times;
mod trial;

pub(crate) use trial::{ask as trial, run as try_out};

/// What can be done to one, as pages and the operator's listener name it.
const CHANGES: [(&str, &str); 4] =
    [("reload", "reload"), ("force", "reload?force=true"), ("rollback", "rollback"), ("forget", "forget")];

/// What a page says beside the plugins.
enum Said<'a> {
    Nothing,
    /// Why something was not done.
    Refused(&'a Refused),
    /// What a look through the folder found.
    Rescanned(&'a [Value]),
}

/// The list.
pub(crate) async fn list(seat: Seat) -> Markup {
    listed(&seat, Said::Nothing).await
}

async fn listed(seat: &Seat, said: Said<'_>) -> Markup {
    let lang = seat.lang;
    let title = lang.say("Plugins", "插件");
    let found = match seat.ask("/plugins").await {
        Ok(found) => found,
        Err(why) => return layout::page(seat, title, &html! { (beside(seat, &said)) (layout::refused(lang, &why)) }),
    };
    let figures = Figures::read(&seat.desk.operations.metrics());
    let plugins = values(&found, &[]);
    let body = html! {
        (beside(seat, &said))
        @if plugins.is_empty() {
            p.none { (lang.say("No plugin is there: every call goes to its device as it is.", "没有插件：调用直接发送到设备。")) }
        }
        @for plugin in plugins { (one(seat, plugin, &figures)) }
        section {
            h2 { (lang.say("The folder", "插件目录")) }
            p.hint { (lang.say(
                "The server sees new files by itself. This looks once more, also where a file was refused.",
                "服务器会自动发现新文件；此操作立即重新扫描，包括曾被拒绝的文件。",
            )) }
            form method="post" action="/plugins/rescan" {
                (layout::token(seat))
                button type="submit" { (lang.say("Look through the folder", "重新扫描")) }
            }
        }
    };
    layout::page(seat, title, &body)
}

fn beside(seat: &Seat, said: &Said<'_>) -> Markup {
    let lang = seat.lang;
    match said {
        Said::Nothing => html! {},
        Said::Refused(why) => layout::refused(lang, why),
        Said::Rescanned(files) => html! {
            div.told role="status" {
                @if files.is_empty() { p { (lang.say("Nothing is new or changed.", "没有新增或变更的文件。")) } }
                ul.plain {
                    @for file in *files {
                        li {
                            code { (text(file, "file")) } " "
                            @if file.get("error").is_some() { (lang.say("is refused: ", "被拒绝：")) (text(file, "error")) } @else {
                                (lang.say("is loaded as generation ", "已加载，代数 ")) (text(file, "generation"))
                            }
                        }
                    }
                }
            }
        },
    }
}

fn one(seat: &Seat, plugin: &Value, figures: &Figures) -> Markup {
    let lang = seat.lang;
    let (name, error) = (text(plugin, "name"), text(plugin, "error"));
    let words = |name: &str| values(plugin, &[name]).iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ");
    let sha256: String = text(plugin, "sha256").chars().take(12).collect();
    let said = |it: String| Some(it).filter(|it| !it.is_empty()).map(|it| html! { (it) });
    let code = |it: String| Some(it).filter(|it| !it.is_empty()).map(|it| html! { code { (it) } });
    let about = [
        (lang.say("Status", "状态"), Some(html! { (status(seat, plugin)) })),
        (lang.say("Version", "版本"), said(text(plugin, "version"))),
        (lang.say("Generation", "代"), said(text(plugin, "generation"))),
        (lang.say("Handles", "处理"), code(words("claims"))),
        (lang.say("Translates for", "编解码"), code(words("codecs"))),
        (lang.say("Order in front of others", "顺序"), said(text(plugin, "order"))),
        (lang.say("Calls in flight", "进行中的调用"), said(text(plugin, "callsInFlight"))),
        (lang.say("Circuit", "熔断"), Some(html! { (circuit(seat, plugin)) })),
        (lang.say("File", "文件"), code(text(plugin, "file"))),
        ("SHA-256", code(sha256)),
    ];
    let about: Vec<_> = about.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    let is_active = text(plugin, "status") == "active";
    html! {
        article {
            h2 { @if name.is_empty() { (text(plugin, "file")) } @else { (name) } }
            @if !error.is_empty() {
                div.problem {
                    strong { @if is_active { (lang.say("Its newer file is refused", "新文件被拒绝")) } @else { (lang.say("It is refused", "被拒绝")) } }
                    p { (error) }
                    p { (lang.say("To mend it: ", "处理方法：")) (mend::of(lang, &error)) }
                }
            }
            @if let Some(ended) = plugin.get("endedServer") { (ended_server(seat, ended)) }
            (facts(&about))
            @if !name.is_empty() {
                (times::of(lang, figures, &name))
                (changes(seat, &name, is_active))
            }
        }
    }
}

fn changes(seat: &Seat, name: &str, is_active: bool) -> Markup {
    let lang = seat.lang;
    let path = format!("/plugins/{}", part(name));
    let button = |what: &str, words: &str| {
        html! {
            form method="post" action=(format!("{path}/{what}")) {
                (layout::token(seat))
                button type="submit" { (words) }
            }
        }
    };
    html! {
        div.buttons {
            @if is_active { a.button href=(format!("{path}/try")) { (lang.say("Try a call without a device", "无设备试调用")) } }
            (button("reload", lang.say("Reload", "重新加载")))
            (button("rollback", lang.say("Roll back to the file before", "回滚到上一个文件")))
            @if !is_active { (button("forget", lang.say("Forget it: its claims are free", "忘记：释放其声明"))) }
        }
        details {
            summary { (lang.say("Reload by force", "强制加载")) }
            p.hint { (lang.say(
                "Loads the file also if it ended the server three times in a row while it was loaded. It may end the server once more.",
                "即使该文件在加载时曾连续三次导致服务器退出，也再次加载；可能再次导致服务器退出。",
            )) }
            (button("force", lang.say("Reload all the same", "仍然加载")))
        }
    }
}

fn status<'a>(seat: &Seat, plugin: &'a Value) -> std::borrow::Cow<'a, str> {
    let lang = seat.lang;
    match plugin.get("status").and_then(Value::as_str).unwrap_or_default() {
        "active" => lang.say("active: it takes calls", "运行中").into(),
        "starting" => lang.say("starting: its calls fail until it has", "启动中：其调用暂时失败").into(),
        "refused" => lang.say("refused: what it handles fails", "被拒绝：其处理的调用失败").into(),
        "disabled" => lang.say("disabled in its section", "已在配置中停用").into(),
        other => other.to_owned().into(),
    }
}

fn circuit<'a>(seat: &Seat, plugin: &Value) -> &'a str {
    if plugin.get("circuitOpen").and_then(Value::as_bool) == Some(true) {
        seat.lang.say("open: its code blocks, and its calls fail", "已熔断：代码阻塞，调用失败")
    } else {
        seat.lang.say("closed", "正常")
    }
}

fn ended_server(seat: &Seat, ended: &Value) -> Markup {
    let lang = seat.lang;
    let by = Some(text(ended, "by")).filter(|by| !by.is_empty());
    let (message, at) = (text(ended, "messageId"), text(ended, "at"));
    html! {
        div.problem {
            strong { (lang.say("It ended the server", "曾导致服务器退出")) }
            p {
                (number(ended, "times")) " × · " (lang.say("the last time ", "最近一次 ")) (crate::shown::moment(&at))
                @if let Some(by) = by { " · " (by) }
                @if !message.is_empty() { " · " (lang.say("in call ", "调用 ")) a href=(format!("/calls/{}", part(&message))) { code { (message) } } }
                @else if ended.get("atLoad").and_then(Value::as_bool) == Some(true) { " · " (lang.say("while it was loaded", "加载期间")) }
            }
        }
    }
}

/// Has something done to one.
pub(crate) async fn change(Path((name, what)): Path<(String, String)>, form: Form) -> Response {
    let Some((_, asked)) = CHANGES.iter().find(|(known, _)| *known == what) else {
        let why = Refused { code: "404".to_owned(), text: format!("{what:?} is nothing that can be done to a plugin") };
        return (StatusCode::NOT_FOUND, listed(&form.seat, Said::Refused(&why)).await).into_response();
    };
    match form.seat.change(&format!("/plugins/{}/{asked}", part(&name))).await {
        Ok(_) => Redirect::to("/plugins").into_response(),
        Err(why) => {
            let page = listed(&form.seat, Said::Refused(&why)).await;
            (StatusCode::UNPROCESSABLE_ENTITY, page).into_response()
        }
    }
}

/// Looks through the folder, and says what became of each file.
pub(crate) async fn rescan(form: Form) -> Response {
    match form.seat.change("/plugins/rescan").await {
        Ok(files) => listed(&form.seat, Said::Rescanned(values(&files, &[]))).await.into_response(),
        Err(why) => {
            let page = listed(&form.seat, Said::Refused(&why)).await;
            (StatusCode::UNPROCESSABLE_ENTITY, page).into_response()
        }
    }
}
