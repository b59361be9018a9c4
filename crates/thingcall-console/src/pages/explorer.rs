//! The API explorer: every action with its parameters in a form, its answer, and the request as code.
//!
//! **Invariant:** what is sent is done as the key that is logged in, with its rules, like what an SDK sends; a form is sent by a page of
//! that login alone. Nothing is sent where the code alone is asked for.

mod answered;
mod args;
mod choosing;
mod fields;
mod filled;
mod model;
mod nested;
mod shown_as_code;

use axum::extract::{Path, RawQuery};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use strum::IntoEnumIterator;
use thingcall_core::{ActionGroup, ActionSheet};
use tokio::time::Instant;

use crate::form::Form;
use crate::given::{Given, Value, flat};
use crate::lang::Lang;
use crate::layout;
use crate::refused::Refused;
use crate::seat::Seat;
use crate::shown::asked;

use answered::Answered;
use choosing::Chosen;
use filled::Filled;

/// The list: all actions by what they belong to, or those in whose name or text a word stands.
pub(crate) async fn list(seat: Seat, RawQuery(query): RawQuery) -> Markup {
    let lang = seat.lang;
    let word = asked(query.as_deref(), "q");
    let small = word.to_lowercase();
    let fits = |sheet: &&ActionSheet| {
        let said = lang.say(sheet.about.en, sheet.about.zh);
        sheet.name.to_lowercase().contains(&small) || said.to_lowercase().contains(&small)
    };
    let found: Vec<_> = seat.desk.operations.actions().into_iter().filter(fits).collect();
    let body = html! {
        p.hint { (lang.say(
            "Choose an action, fill in its form and send it: it is done as your access key, and shown as code for each SDK.",
            "选择一个接口，填写参数并发送：以当前 AccessKey 的权限执行，并生成各语言 SDK 的代码。",
        )) }
        form.inline method="get" action="/explorer" role="search" {
            label for="q" { (lang.say("Name or text", "名称或说明")) }
            input id="q" name="q" type="search" value=(word);
            button type="submit" { (lang.say("Show", "查询")) }
        }
        @if found.is_empty() { p.none { (lang.say("No action has this in its name or text.", "没有匹配的接口。")) } }
        @for group in ActionGroup::iter() {
            @let of_it: Vec<_> = found.iter().filter(|sheet| sheet.group == group).collect();
            @if !of_it.is_empty() {
                section {
                    h2 { (group_name(lang, group)) }
                    dl.actions {
                        @for sheet in of_it {
                            dt { a href=(format!("/explorer/{}", sheet.name)) { code { (sheet.name) } } }
                            dd { (lang.say(sheet.about.en, sheet.about.zh)) }
                        }
                    }
                }
            }
        }
    };
    layout::page(&seat, lang.say("API explorer", "接口调试"), &body)
}

fn group_name(lang: Lang, group: ActionGroup) -> &'static str {
    match group {
        ActionGroup::Calls => lang.say("Services and properties", "服务与属性"),
        ActionGroup::Messages => lang.say("Messages", "消息"),
        ActionGroup::FleetCalls => lang.say("Calls of many devices", "设备群调用"),
        ActionGroup::Devices => lang.say("Devices", "设备"),
        ActionGroup::Batches => lang.say("Batches of devices", "批量注册"),
        ActionGroup::History => lang.say("What was reported and called", "历史数据"),
        ActionGroup::Products => lang.say("Products", "产品"),
        ActionGroup::Models => lang.say("Thing models", "物模型"),
        ActionGroup::ConsumerGroups => lang.say("Consumer groups", "消费组"),
        ActionGroup::Subscriptions => lang.say("Subscriptions", "服务端订阅"),
    }
}

fn sheet_of(seat: &Seat, action: &str) -> Option<&'static ActionSheet> {
    seat.desk.operations.actions().into_iter().find(|sheet| sheet.name == action)
}

fn unknown(seat: &Seat, action: &str) -> Response {
    let text = seat.lang.say("There is no such action here.", "没有该接口。").to_owned();
    let why = Refused { code: "InvalidAction.NotFound".to_owned(), text };
    (StatusCode::NOT_FOUND, layout::refused_page(seat, action, &why)).into_response()
}

/// An action with its form.
pub(crate) async fn show(
    seat: Seat,
    headers: HeaderMap,
    Path(action): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let Some(sheet) = sheet_of(&seat, &action) else { return unknown(&seat, &action) };
    let filled = Filled::asked(query.as_deref());
    let chosen = Chosen::of(&seat, sheet, &filled).await;
    let given = fields::examples(sheet, &filled);
    let page =
        whole(&seat, &headers, &Shown { sheet, filled: &filled, chosen: &chosen, given: &given, answered: None });
    page.into_response()
}

/// Sends what a form has, or shows it as code.
pub(crate) async fn send(headers: HeaderMap, Path(action): Path<String>, form: Form) -> Response {
    let Some(sheet) = sheet_of(&form.seat, &action) else { return unknown(&form.seat, &action) };
    let filled = Filled::sent(&form);
    let seat = &form.seat;
    let chosen = Chosen::of(seat, sheet, &filled).await;
    let given = fields::read(sheet, &filled, &chosen);
    let answered = if filled.text("do") == "code" { None } else { Some(perform(seat, sheet, &given).await) };
    let shown = Shown { sheet, filled: &filled, chosen: &chosen, given: &given, answered: answered.as_ref() };
    whole(seat, &headers, &shown).into_response()
}

async fn perform(seat: &Seat, sheet: &ActionSheet, given: &[Given]) -> Answered {
    let params = flat(given);
    let params: Vec<_> = params.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let began = Instant::now();
    let answer = seat.perform(sheet.name, &params).await;
    Answered { answer, took: began.elapsed() }
}

/// What a page of an action shows.
struct Shown<'a> {
    sheet: &'static ActionSheet,
    filled: &'a Filled,
    chosen: &'a Chosen,
    given: &'a [Given],
    answered: Option<&'a Answered>,
}

fn whole(seat: &Seat, headers: &HeaderMap, shown: &Shown<'_>) -> Markup {
    let (lang, sheet) = (seat.lang, shown.sheet);
    let path = format!("/explorer/{}", sheet.name);
    let mut given = shown.given.to_vec();
    // What the page sends needs none; whoever asks from outside must say it.
    let instance = seat.desk.operations.instance().id;
    given.extend(instance.map(|id| Given { name: "IotInstanceId", value: Value::Text(id) }));
    let body = html! {
        p { (lang.say(sheet.about.en, sheet.about.zh)) }
        @if let Some(answered) = shown.answered { (answered::section(lang, answered)) }
        (choosing::section(lang, &path, shown.chosen, shown.filled))
        section {
            h2 { (lang.say("Request", "请求")) }
            form.action method="post" action=(path) {
                (layout::token(seat))
                (fields::all(lang, sheet, shown.filled, shown.chosen))
                div.buttons {
                    button.main type="submit" name="do" value="send" { (lang.say("Send", "发送")) }
                    button type="submit" name="do" value="code" { (lang.say("Show the code alone", "仅生成代码")) }
                }
            }
        }
        (signing(seat, sheet, &given))
        (shown_as_code::section(seat, headers, (sheet, &given), shown.chosen))
    };
    layout::page(seat, sheet.name, &body)
}

/// The way to how this request is signed, step by step. A text of several lines has no place among lines of parameters.
fn signing(seat: &Seat, sheet: &ActionSheet, given: &[Given]) -> Markup {
    let lang = seat.lang;
    let params = flat(given);
    if params.iter().any(|(_, text)| text.contains(['\r', '\n'])) {
        return html! {};
    }
    let lines: Vec<_> = params.iter().map(|(name, text)| format!("{name}={text}")).collect();
    html! {
        section {
            h2 { (lang.say("Signed, step by step", "逐步签名")) }
            form method="post" action="/signature/steps" {
                (layout::token(seat))
                input type="hidden" name="action" value=(sheet.name);
                input type="hidden" name="method" value="POST";
                textarea name="params" hidden { (lines.join("\n")) }
                p.hint { (lang.say(
                    "Canonical request, string to sign, signature and the request as curl, for this action with these values.",
                    "规范化请求、待签名字符串、签名以及 curl 命令。",
                )) }
                div.buttons {
                    button type="submit" name="style" value="acs3" { "ACS3-HMAC-SHA256" }
                    button type="submit" name="style" value="v1" { "HMAC-SHA1 (RPC V1)" }
                }
            }
        }
    }
}
