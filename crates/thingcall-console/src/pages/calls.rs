//! Calls: those that are kept, by what one looks for, and one with its time line to scale.

use axum::extract::{Path, RawQuery};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde_json::Value;

use crate::form::Form;
use crate::lang::Lang;
use crate::layout;
use crate::refused::Refused;
use crate::seat::Seat;
use crate::shown::{address, asked, facts, json, list as values, moment, next, outcome, part, table, text};

/// How many calls a page has.
const PAGE: &str = "100";
/// What calls are looked for by, with the names of the operator's listener.
const FILTERS: [(&str, &str, &str); 5] = [
    ("device", "Device (PRODUCTKEY/DEVICENAME)", "设备 (PRODUCTKEY/DEVICENAME)"),
    ("service", "Service", "服务"),
    ("outcome", "Outcome", "结果"),
    ("key", "Access key", "AccessKey"),
    ("since", "Since, such as 1h", "时间范围，如 1h"),
];

/// The list.
pub(crate) async fn list(seat: Seat, RawQuery(query): RawQuery) -> Response {
    let lang = seat.lang;
    let title = lang.say("Calls", "调用");
    let id = asked(query.as_deref(), "id");
    if !id.is_empty() {
        return Redirect::to(&format!("/calls/{}", part(&id))).into_response();
    }
    let given = FILTERS.map(|(name, ..)| (name, asked(query.as_deref(), name)));
    let before = asked(query.as_deref(), "before");
    let mut pairs: Vec<_> = given.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let form = filter(lang, &given);
    pairs.extend([("limit", PAGE), ("before", &before)]);
    let body = match seat.ask(&address("/calls", &pairs)).await {
        Err(why) => html! { (form) (layout::refused(lang, &why)) },
        Ok(found) => {
            let rows: Vec<_> = values(&found, &["calls"]).iter().map(row).collect();
            let after = text(&found, "next");
            pairs.retain(|(name, _)| !["limit", "before"].contains(name));
            pairs.push(("before", &after));
            let behind = (!after.is_empty()).then(|| address("/calls", &pairs));
            let heads = [
                lang.say("At", "时间"),
                "ID",
                lang.say("Device", "设备"),
                lang.say("Service", "服务"),
                lang.say("Outcome", "结果"),
                "ms",
                lang.say("Key", "密钥"),
            ];
            let none = lang.say(
                "No such call is kept. By default those are kept that failed or were asynchronous; [records] keep = \"all\" keeps every one.",
                "没有匹配的调用记录。默认只保留失败和异步的调用；配置 [records] keep = \"all\" 可保留全部。",
            );
            html! { (form) (table(title, &heads, &rows, none)) (next(lang, behind)) }
        }
    };
    layout::page(&seat, title, &body).into_response()
}

fn filter(lang: Lang, given: &[(&str, String)]) -> Markup {
    html! {
        form.inline method="get" action="/calls" role="search" {
            label for="id" { (lang.say("RequestId or MessageId", "RequestId 或 MessageId")) }
            input id="id" name="id" type="text";
            @for ((name, english, chinese), (_, value)) in FILTERS.iter().zip(given) {
                label for=(name) { (lang.say(english, chinese)) }
                input id=(name) name=(name) type="text" value=(value);
            }
            button type="submit" { (lang.say("Show", "查询")) }
        }
    }
}

fn id_of(call: &Value) -> String {
    Some(text(call, "messageId")).filter(|id| !id.is_empty()).unwrap_or_else(|| text(call, "requestId"))
}

fn end_of(call: &Value) -> String {
    Some(text(call, "outcome")).filter(|word| !word.is_empty()).unwrap_or_else(|| text(call, "state"))
}

fn row(call: &Value) -> Vec<Markup> {
    let id = id_of(call);
    let device = text(call, "device");
    vec![
        moment(&text(call, "acceptedAt")),
        html! { a href=(format!("/calls/{}", part(&id))) { code { (id) } } },
        match device.split_once('/') {
            Some((product, name)) => {
                html! { a href=(format!("/devices/{}/{}", part(product), part(name))) { (device) } }
            }
            None => html! { (device) },
        },
        html! { code { (text(call, "identifier")) } },
        outcome(&end_of(call)),
        html! { (text(call, "elapsedMs")) },
        html! { (text(call, "accessKeyId")) },
    ]
}

/// One call: of a MessageId, or all of a RequestId.
pub(crate) async fn show(seat: Seat, Path(id): Path<String>) -> Response {
    let page = one(&seat, &id, None).await;
    page.into_response()
}

async fn one(seat: &Seat, id: &str, problem: Option<&Refused>) -> (StatusCode, Markup) {
    let lang = seat.lang;
    let title = format!("{} {id}", lang.say("Call", "调用"));
    let kept = match seat.ask(&address("/calls", &[("id", id)])).await {
        Ok(kept) => kept,
        Err(why) => return (StatusCode::UNPROCESSABLE_ENTITY, layout::refused_page(seat, &title, &why)),
    };
    // What the server remembers and does not keep, such as a slow call that succeeded.
    let remembered = seat.ask(&format!("/calls/{}", part(id))).await.unwrap_or_default();
    let kept = values(&kept, &["calls"]);
    let calls: Vec<_> = if kept.is_empty() { values(&remembered, &[]).iter().collect() } else { kept.iter().collect() };
    if calls.is_empty() {
        let text = lang.say(
            "No call with this id is kept or remembered. Calls that succeeded are kept with [records] keep = \"all\".",
            "没有该 ID 的调用记录。如需保留成功的调用，请配置 [records] keep = \"all\"。",
        );
        let why = Refused { code: "404".to_owned(), text: text.to_owned() };
        return (StatusCode::NOT_FOUND, layout::refused_page(seat, &title, &why));
    }
    let body = html! {
        @if let Some(problem) = problem { (layout::refused(lang, problem)) }
        @for call in calls { (whole(seat, call)) }
    };
    (StatusCode::OK, layout::page(seat, &title, &body))
}

fn whole(seat: &Seat, call: &Value) -> Markup {
    let lang = seat.lang;
    let (failure, hint) = (text(call, "text"), text(call, "hint"));
    let open = text(call, "outcome").is_empty();
    html! {
        article {
            p { (outcome(&end_of(call))) " " code { (text(call, "code")) } }
            @if !failure.is_empty() {
                div.problem { p { (failure) } @if !hint.is_empty() { p { strong { (lang.say("What to check: ", "检查：")) } (hint) } } }
            }
            (facts(&[
                (lang.say("At", "时间"), moment(&text(call, "acceptedAt"))),
                ("RequestId", html! { code { (text(call, "requestId")) } }),
                ("MessageId", html! { code { (text(call, "messageId")) } }),
                (lang.say("Device", "设备"), html! { (text(call, "device")) }),
                (lang.say("Service", "服务"), html! { code { (text(call, "identifier")) } }),
                (lang.say("Mode", "方式"), html! { (text(call, "mode")) }),
                (lang.say("Key", "密钥"), html! { (text(call, "accessKeyId")) }),
                (lang.say("Way", "通道"), html! { (text(call, "transport")) }),
                (lang.say("Plugin", "插件"), html! { (text(call, "plugin")) }),
                (lang.say("Executed by the device", "设备是否执行"), html! { (text(call, "executed")) }),
            ]))
            @if open { (cancelling(seat, &id_of(call))) }
            (time_line(lang, call))
            @if let Some(args) = call.get("args") { h2 { (lang.say("Arguments", "入参")) } (json(args)) }
            @if let Some(data) = call.get("data") { h2 { (lang.say("Answer", "返回")) " " (text(call, "replyCode")) } (json(data)) }
        }
    }
}

/// Steps as the records have them, in words.
fn step_in_words(lang: Lang, step: &str) -> &str {
    match step {
        "checked" => lang.say("checked", "已校验"),
        "handler_began" => lang.say("given to the plugin", "交给插件"),
        "sent" => lang.say("sent", "已发送"),
        "acked" => lang.say("acknowledged", "已确认"),
        "answered" => lang.say("answered by the device", "设备已应答"),
        "handler_ended" => lang.say("the plugin was done", "插件完成"),
        "told" => lang.say("told", "已返回"),
        other => other,
    }
}

/// The steps to scale: each a bar from where the one before ended.
fn time_line(lang: Lang, call: &Value) -> Markup {
    let Some(times) = call.get("timesUs").and_then(Value::as_object) else { return html! {} };
    let mut steps: Vec<_> = times.iter().filter_map(|(step, at)| Some((step.as_str(), at.as_u64()?))).collect();
    steps.sort_by_key(|(_, at)| *at);
    let Some(whole) = steps.last().map(|(_, at)| (*at).max(1)) else { return html! {} };
    let mut before = 0;
    let bars: Vec<_> = steps
        .into_iter()
        .map(|(step, at)| {
            let bar = (step, before, at);
            before = at;
            bar
        })
        .collect();
    let millis = |micros: u64| format!("{}.{:03} ms", micros / 1000, micros % 1000);
    let scaled = |micros: u64| format!("{}.{:02}", micros * 1000 / whole, micros * 100_000 / whole % 100);
    html! {
        h2 { (lang.say("Time line", "时间线")) }
        div.wide tabindex="0" role="region" aria-label=(lang.say("Time line", "时间线")) {
            table.line {
                thead { tr { th scope="col" { (lang.say("Step", "步骤")) } th scope="col" { (lang.say("At", "时刻")) } th scope="col" { (lang.say("Took", "耗时")) } th scope="col" { (lang.say("Share of the whole", "占比")) } } }
                tbody {
                    @for (step, from, to) in bars {
                        tr {
                            td { (step_in_words(lang, step)) }
                            td { (millis(to)) }
                            td { (millis(to - from)) }
                            td {
                                svg viewBox="0 0 1000 16" preserveAspectRatio="none" role="img" aria-label=(format!("{} %", (to - from) * 100 / whole)) {
                                    rect x=(scaled(from)) y="2" height="12" width=(scaled((to - from).max(whole / 500))) {}
                                }
                                span { ((to - from) * 100 / whole) " %" }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn cancelling(seat: &Seat, id: &str) -> Markup {
    html! {
        form method="post" action=(format!("/calls/{}/cancel", part(id))) {
            (layout::token(seat))
            button type="submit" { (seat.lang.say("Cancel this call", "取消该调用")) }
        }
    }
}

/// Ends a call that waits.
pub(crate) async fn cancel(Path(id): Path<String>, form: Form) -> Response {
    match form.seat.change(&format!("/calls/{}/cancel", part(&id))).await {
        Ok(_) => Redirect::to(&format!("/calls/{}", part(&id))).into_response(),
        Err(why) => one(&form.seat, &id, Some(&why)).await.into_response(),
    }
}
