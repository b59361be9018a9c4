//! One consumer group: what waits for it, who consumes, and what goes to it.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde_json::Value;
use thingcall_core::{Target, UnixMillis};

use super::{clients, waiting};
use crate::form::Form;
use crate::layout;
use crate::refused::Refused;
use crate::seat::Seat;
use crate::shown::{address, at, list as values, part, table, text};

/// The page.
pub(crate) async fn show(seat: Seat, Path(id): Path<String>) -> Response {
    one(&seat, &id, None).await.into_response()
}

async fn one(seat: &Seat, id: &str, problem: Option<&Refused>) -> (StatusCode, Markup) {
    let lang = seat.lang;
    let group = match seat.performed("QueryConsumerGroupByGroupId", &[("GroupId", id)]).await {
        Ok(found) => found.get("Data").cloned().unwrap_or_default(),
        Err(why) => return (StatusCode::NOT_FOUND, layout::refused_page(seat, id, problem.unwrap_or(&why))),
    };
    let name = text(&group, "GroupName");
    let state = seat.performed("QueryConsumerGroupStatus", &[("GroupId", id)]).await;
    let standing = seat.ask(&format!("/groups/{}", part(id))).await;
    let status = if problem.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let body = html! {
        @if let Some(problem) = problem { (layout::refused(lang, problem)) }
        p { code { (id) } }
        @match &standing { Ok(standing) => { (waiting(lang, standing)) } Err(why) => { (layout::refused(lang, why)) } }
        @match &state { Ok(state) => { (consumers(seat, state)) } Err(why) => { (layout::refused(lang, why)) } }
        (products(seat, id).await)
        (changes(seat, id, &name))
    };
    (status, layout::page(seat, &format!("{} {name}", lang.say("Consumer group", "消费组")), &body))
}

fn consumers(seat: &Seat, state: &Value) -> Markup {
    let lang = seat.lang;
    let rows = clients(state).iter().map(|client| {
        let since = client.get("OnlineTime").and_then(Value::as_i64).map(UnixMillis);
        vec![
            html! { code { (text(client, "ClientId")) } },
            html! { (text(client, "ClientIpPort")) },
            html! { @if let Some(since) = since { (at(since)) } },
            html! { (text(client, "RealTimeConsumeCountPerMinute")) },
            html! { (text(client, "AccumulatedConsumeCountPerMinute")) },
        ]
    });
    let rows: Vec<_> = rows.collect();
    let heads = [
        lang.say("Client", "客户端"),
        lang.say("From", "地址"),
        lang.say("Since", "上线时间"),
        lang.say("New ones a minute", "实时消费/分钟"),
        lang.say("Older ones a minute", "堆积消费/分钟"),
    ];
    let caption = lang.say("Consumers that are connected", "在线消费者");
    html! { section { h2 { (caption) } (table(caption, &heads, &rows, lang.say("None is connected.", "没有在线消费者。"))) } }
}

async fn products(seat: &Seat, id: &str) -> Markup {
    let lang = seat.lang;
    let Ok(found) = seat.ask(&address("/subscriptions", &[("group", id)])).await else { return html! {} };
    let all: Vec<_> = values(&found, &["subscriptions"]).iter().map(|one| text(one, "productKey")).collect();
    html! {
        section {
            h2 { (lang.say("Products whose messages come here", "订阅的产品")) }
            @if all.is_empty() { p.none { (lang.say("None.", "无。")) } }
            ul.plain { @for product in &all { li { a href=(format!("/products/{}", part(product))) { code { (product) } } } } }
            @if !text(&found, "next").is_empty() { p.hint { (lang.say("and more", "还有更多")) } }
        }
    }
}

fn changes(seat: &Seat, id: &str, name: &str) -> Markup {
    let lang = seat.lang;
    let may = |action: &str| seat.key.allows(action, Target::Group(id));
    let path = |what: &str| format!("/results/groups/{}/{what}", part(id));
    html! {
        @if may("UpdateConsumerGroup") {
            form.inline method="post" action=(path("rename")) {
                (layout::token(seat))
                label for="name" { (lang.say("Name", "名称")) }
                input id="name" name="name" type="text" value=(name) required maxlength="30";
                button type="submit" { (lang.say("Rename", "重命名")) }
            }
        }
        @if may("ResetConsumerGroupPosition") {
            form.inline method="post" action=(path("skip")) {
                (layout::token(seat))
                label.check { input type="checkbox" name="sure" value="yes" required; " " (lang.say("Drop what waits", "丢弃堆积的消息")) }
                button type="submit" { (lang.say("Drop", "丢弃")) }
            }
        }
        @if may("DeleteConsumerGroup") {
            form.inline method="post" action=(path("remove")) {
                (layout::token(seat))
                label.check { input type="checkbox" name="sure" value="yes" required; " " (lang.say("Remove this group", "删除此消费组")) }
                button type="submit" { (lang.say("Remove", "删除")) }
            }
        }
    }
}

/// Has something done to a group.
pub(crate) async fn change(Path((id, what)): Path<(String, String)>, form: Form) -> Response {
    let (seat, of, sure) = (&form.seat, ("GroupId", id.as_str()), form.field("sure") == "yes");
    let done = match what.as_str() {
        "rename" => seat.performed("UpdateConsumerGroup", &[of, ("NewGroupName", form.field("name"))]).await,
        "skip" if sure => seat.performed("ResetConsumerGroupPosition", &[of]).await,
        "remove" if sure => seat.performed("DeleteConsumerGroup", &[of]).await,
        other => {
            let text = format!("{other:?} is nothing that is done to a group so");
            Err(Refused { code: "404".to_owned(), text })
        }
    };
    match done {
        Ok(_) if what == "remove" => Redirect::to("/results").into_response(),
        Ok(_) => Redirect::to(&format!("/results/groups/{}", part(&id))).into_response(),
        Err(why) => one(seat, &id, Some(&why)).await.into_response(),
    }
}
