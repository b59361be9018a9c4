//! One call: its time line to scale, why it ended so, what each side saw, and what can be done.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde_json::Value;

use super::{device, end_of, id_of, time_line, why};
use crate::form::Form;
use crate::lang::Lang;
use crate::layout;
use crate::refused::Refused;
use crate::seat::Seat;
use crate::shown::{address, facts, json, list as values, moment, outcome, part, text};

/// The action that makes a call like one that is on record.
const AGAIN: &str = "InvokeThingService";

/// One call: of a MessageId, or all of a RequestId.
pub(crate) async fn show(seat: Seat, Path(id): Path<String>) -> Response {
    page(&seat, &id, None).await.into_response()
}

/// The calls with this id; what the server remembers of one that it does not keep, such as a slow one that succeeded.
async fn found(seat: &Seat, id: &str) -> Result<Vec<Value>, Refused> {
    let kept = seat.ask(&address("/calls", &[("id", id)])).await?;
    let kept = values(&kept, &["calls"]);
    if !kept.is_empty() {
        return Ok(kept.to_vec());
    }
    let remembered = seat.ask(&format!("/calls/{}", part(id))).await.unwrap_or_default();
    Ok(values(&remembered, &[]).to_vec())
}

async fn page(seat: &Seat, id: &str, problem: Option<&Refused>) -> (StatusCode, Markup) {
    let lang = seat.lang;
    let title = format!("{} {id}", lang.say("Call", "调用"));
    let calls = match found(seat, id).await {
        Ok(calls) => calls,
        Err(why) => return (StatusCode::UNPROCESSABLE_ENTITY, layout::refused_page(seat, &title, &why)),
    };
    if calls.is_empty() {
        let text = lang.say(
            "No call with this id is kept or remembered. Calls that succeeded are kept with [records] keep = \"all\".",
            "没有该 ID 的调用记录。如需保留成功的调用，请配置 [records] keep = \"all\"。",
        );
        let why = Refused { code: "404".to_owned(), text: text.to_owned() };
        return (StatusCode::NOT_FOUND, layout::refused_page(seat, &title, &why));
    }
    let status = if problem.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let body = html! {
        @if let Some(problem) = problem { (layout::refused(lang, problem)) }
        @for call in &calls { (whole(seat, call)) }
    };
    (status, layout::page(seat, &title, &body))
}

fn whole(seat: &Seat, call: &Value) -> Markup {
    let lang = seat.lang;
    let end = end_of(call);
    html! {
        article {
            p.end { (outcome(&end)) " " (why::meaning(lang, &end)) " " code { (text(call, "code")) } }
            (reasons(lang, call, &end))
            div.buttons { (doings(seat, call)) }
            (time_line::draw(lang, call))
            (what_it_was(lang, call))
            (each_side(lang, call))
        }
    }
}

/// Why it failed, and what to check.
fn reasons(lang: Lang, call: &Value, end: &str) -> Markup {
    let (told, hint) = (text(call, "text"), text(call, "hint"));
    let checks = why::checks(lang, end);
    html! {
        @if !told.is_empty() { div.problem { p { (told) } } }
        @if !hint.is_empty() || !checks.is_empty() {
            h2 { (lang.say("What to check", "检查项")) }
            ul { @if !hint.is_empty() { li { (hint) } } @for check in checks { li { (check) } } }
        }
        @if let Some(late) = call.get("lateAnswer") {
            div.problem {
                p { (lang.say("The device answered after the end, so many ms late: ", "设备在调用结束后才应答，迟到 (ms)：")) (text(late, "afterEndMs")) }
                (json(late))
            }
        }
    }
}

fn what_it_was(lang: Lang, call: &Value) -> Markup {
    let all = [
        (lang.say("At", "时间"), moment(&text(call, "acceptedAt"))),
        ("RequestId", html! { code { (text(call, "requestId")) } }),
        ("MessageId", html! { code { (text(call, "messageId")) } }),
        (lang.say("Device", "设备"), device(&text(call, "device"))),
        (lang.say("Service", "服务"), html! { code { (text(call, "identifier")) } }),
        (lang.say("API action", "接口"), html! { code { (text(call, "action")) } }),
        (lang.say("Mode", "方式"), html! { (text(call, "mode")) }),
        (lang.say("Key", "密钥"), html! { (text(call, "accessKeyId")) }),
        (lang.say("Way", "通道"), html! { (text(call, "transport")) }),
        (lang.say("Plugin", "插件"), html! { (text(call, "plugin")) }),
        (lang.say("Came as far as", "到达阶段"), html! { (text(call, "stage")) }),
        (lang.say("Executed by the device", "设备是否执行"), html! { (text(call, "executed")) }),
        (lang.say("Instance", "实例"), html! { (text(call, "instance")) }),
    ];
    let empty = html! { code {} }.into_string();
    let known: Vec<_> = all.into_iter().filter(|(_, value)| !value.0.is_empty() && value.0 != empty).collect();
    facts(&known)
}

/// Request and answer, as they were on each side.
fn each_side(lang: Lang, call: &Value) -> Markup {
    let wire = call.get("wire").filter(|wire| !wire.is_null());
    let left = call.get("timesUs").is_some_and(|times| times.get("sent").is_some());
    let topics: Vec<_> = wire.map(|wire| values(wire, &["topics"])).unwrap_or_default().iter().collect();
    html! {
        div.sides {
            section {
                h2 { (lang.say("The caller's side", "调用方")) }
                @match call.get("args") {
                    Some(args) => { h3 { (lang.say("Arguments", "入参")) } (json(args)) }
                    None => { p.none { (lang.say("Arguments are not kept.", "未保留入参。")) } }
                }
                @if let Some(data) = call.get("data") { h3 { (lang.say("Result", "结果")) } (json(data)) }
            }
            section {
                h2 { (lang.say("The device's side", "设备方")) }
                @if let Some(wire) = wire {
                    h3 { @if left { (lang.say("Request", "请求")) } @else { (lang.say("It did not leave. It would have been:", "未发送；本应发送的请求：")) } }
                    @if topics.len() > 1 { p.hint { (lang.say("On one of these topics, by how the device logged in:", "根据设备登录方式，使用以下 Topic 之一：")) } }
                    ul.plain { @for topic in topics { li { code { (topic.as_str().unwrap_or_default()) } } } }
                    pre tabindex="0" { code { (text(wire, "request")) } }
                    @if !text(wire, "replyTopic").is_empty() { p { (lang.say("Answered on ", "应答 Topic：")) code { (text(wire, "replyTopic")) } } }
                } @else {
                    p.none { (lang.say("Nothing went to the device, or its record does not say what.", "没有发送给设备，或记录中没有内容。")) }
                }
                @if !text(call, "replyCode").is_empty() {
                    h3 { (lang.say("Answer", "应答")) } p { "code " code { (text(call, "replyCode")) } }
                    @if let Some(data) = call.get("data") { (json(data)) }
                }
            }
        }
    }
}

/// What can be done with it: cancelled while it waits, called again when it has ended.
fn doings(seat: &Seat, call: &Value) -> Markup {
    let lang = seat.lang;
    let id = part(&id_of(call));
    let open = text(call, "outcome").is_empty();
    html! {
        @if open {
            form method="post" action=(format!("/calls/{id}/cancel")) {
                (layout::token(seat))
                button type="submit" { (lang.say("Cancel this call", "取消该调用")) }
            }
        }
        @if again_params(call).is_some() && !open {
            form method="post" action=(format!("/calls/{id}/again")) {
                (layout::token(seat))
                button type="submit" { (lang.say("Call again", "再次调用")) }
            }
        }
    }
}

/// The parameters of a call like this one; `None` where its record does not have them all.
fn again_params(call: &Value) -> Option<[(&'static str, String); 4]> {
    let device = text(call, "device");
    let (product, name) = device.split_once('/')?;
    let args = call.get("args").filter(|args| args.is_object())?;
    let known = text(call, "action") == AGAIN && !text(call, "identifier").is_empty();
    known.then(|| {
        [
            ("ProductKey", product.to_owned()),
            ("DeviceName", name.to_owned()),
            ("Identifier", text(call, "identifier")),
            ("Args", args.to_string()),
        ]
    })
}

/// Makes a call like this one, as the key that is logged in, and shows the new one.
pub(crate) async fn again(Path(id): Path<String>, form: Form) -> Response {
    let seat = &form.seat;
    let calls = match found(seat, &id).await {
        Ok(calls) => calls,
        Err(why) => return page(seat, &id, Some(&why)).await.into_response(),
    };
    let Some(params) = calls.first().and_then(again_params) else {
        let text = "the record does not have all that the call was made of";
        let why = Refused { code: "422".to_owned(), text: text.to_owned() };
        return page(seat, &id, Some(&why)).await.into_response();
    };
    let params = params.each_ref().map(|(name, value)| (*name, value.as_str()));
    let answer = seat.perform(AGAIN, &params).await;
    layout::page(seat, seat.lang.say("Called again", "再次调用"), &answered(seat, &answer.body, answer.status))
        .into_response()
}

fn answered(seat: &Seat, body: &Value, status: u16) -> Markup {
    let lang = seat.lang;
    let id = text(body, "RequestId");
    html! {
        p { (lang.say("The answer, as its caller gets it:", "调用方收到的应答：")) " HTTP " (status) }
        (json(body))
        p { a href=(format!("/calls/{}", part(&id))) { (lang.say("Its time line", "查看时间线")) } " " span.hint { (lang.say("(if it is kept: those that failed and asynchronous ones are, by default)", "（默认只保留失败和异步的调用）")) } }
    }
}

/// Ends a call that waits.
pub(crate) async fn cancel(Path(id): Path<String>, form: Form) -> Response {
    match form.seat.change(&format!("/calls/{}/cancel", part(&id))).await {
        Ok(_) => Redirect::to(&format!("/calls/{}", part(&id))).into_response(),
        Err(why) => page(&form.seat, &id, Some(&why)).await.into_response(),
    }
}
