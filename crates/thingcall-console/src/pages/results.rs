//! Results: what goes to applications. Consumer groups with what waits for them, webhooks, and which products go where.

mod group;
mod tail;
mod webhook;

use axum::extract::RawQuery;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde_json::Value;
use thingcall_core::Target;

use crate::form::Form;
use crate::lang::Lang;
use crate::layout;
use crate::refused::Refused;
use crate::seat::Seat;
use crate::shown::{address, asked, list as values, moment, next, number, part, table, text};

pub(crate) use group::{change as change_group, show as group};
pub(crate) use tail::{follow as follow_tail, show as tail};
pub(crate) use webhook::{retry, show as webhook};

/// How many groups a page has: of each is asked what waits for it.
const GROUPS: u64 = 20;
/// What a product's messages are of: the parameter, the word, and in both languages.
const TOPICS: [(&str, &str, &str, &str); 5] = [
    ("DeviceDataFlag", "device_data", "results, properties, events", "调用结果、属性、事件"),
    ("DeviceStatusChangeFlag", "device_status", "devices that come and go", "设备上下线"),
    ("DeviceLifeCycleFlag", "device_life_cycle", "devices that are made and removed", "设备生命周期"),
    ("ThingHistoryFlag", "thing_history", "what devices report of their past", "历史上报"),
    ("DeviceTagFlag", "device_tag", "tags", "设备标签"),
];

/// The page.
pub(crate) async fn show(seat: Seat, RawQuery(query): RawQuery) -> Markup {
    let page = asked(query.as_deref(), "page").parse().unwrap_or(1u64).max(1);
    all(&seat, page, &asked(query.as_deref(), "after"), None).await
}

async fn all(seat: &Seat, page: u64, after: &str, problem: Option<&Refused>) -> Markup {
    let lang = seat.lang;
    let body = html! {
        @if let Some(problem) = problem { (layout::refused(lang, problem)) }
        p { a href="/results/tail" { (lang.say("Messages, live", "实时消息")) } }
        section { h2 { (lang.say("Consumer groups", "消费组")) } (groups(seat, page).await) }
        section { h2 { (lang.say("Webhooks", "Webhook")) } (webhooks(seat).await) }
        section { h2 { (lang.say("Which products go where", "产品订阅")) } (subscriptions(seat, after).await) }
    };
    layout::page(seat, lang.say("Results", "结果"), &body)
}

async fn groups(seat: &Seat, page: u64) -> Markup {
    let lang = seat.lang;
    let params = [("CurrentPage", &*page.to_string()), ("PageSize", &*GROUPS.to_string())];
    let found = match seat.performed("QueryConsumerGroupList", &params).await {
        Ok(found) => found,
        Err(why) => return layout::refused(lang, &why),
    };
    let mut rows = Vec::new();
    for group in values(&found, &["Data", "ConsumerGroupDTO"]) {
        let id = text(group, "GroupId");
        let state = seat.performed("QueryConsumerGroupStatus", &[("GroupId", &id)]).await;
        rows.push(row(&id, group, state.as_ref().ok()));
    }
    let heads = [
        lang.say("Group", "消费组"),
        lang.say("Name", "名称"),
        lang.say("Wait", "堆积"),
        lang.say("Consumers", "消费者"),
        lang.say("A minute", "每分钟消费"),
        lang.say("Last consumed", "最近消费"),
    ];
    let more = page * GROUPS < number(&found, "Total");
    let behind = more.then(|| address("/results", &[("page", &(page + 1).to_string())]));
    html! {
        (table(lang.say("Consumer groups", "消费组"), &heads, &rows, lang.say("None.", "无。")))
        (next(lang, behind))
        @if seat.key.allows("CreateConsumerGroup", Target::AllGroups) {
            form.inline method="post" action="/results/groups" {
                (layout::token(seat))
                label for="group-name" { (lang.say("A new group, 4 to 30 letters, digits and _", "新消费组名称，4 到 30 个字符")) }
                input id="group-name" name="name" type="text" required maxlength="30";
                button type="submit" { (lang.say("Create", "创建")) }
            }
        }
    }
}

fn row(id: &str, group: &Value, state: Option<&Value>) -> Vec<Markup> {
    let told = |name: &str| state.map(|state| text(state, name)).unwrap_or_default();
    let clients = state.map_or(0, |state| clients(state).len());
    vec![
        html! { a href=(format!("/results/groups/{}", part(id))) { code { (id) } } },
        html! { (text(group, "GroupName")) },
        html! { (told("AccumulationCount")) },
        html! { (clients) },
        html! { (told("ConsumerSpeed")) },
        moment(&told("LastConsumerTime")),
    ]
}

/// The consumers that are connected.
fn clients(state: &Value) -> &[Value] {
    values(state, &["ClientConnectionStatusList", "ConsumerGroupClientConnectionInfo"])
}

async fn webhooks(seat: &Seat) -> Markup {
    let lang = seat.lang;
    let found = match seat.ask("/webhooks").await {
        Ok(found) => found,
        Err(why) => return layout::refused(lang, &why),
    };
    let rows = values(&found, &[]).iter().map(|webhook| {
        let name = text(webhook, "name");
        let url = text(webhook, "url");
        vec![
            html! { a href=(format!("/results/webhooks/{}", part(&name))) { (name) } },
            html! { @if url.is_empty() { (lang.say("not configured any more", "已不在配置中")) } @else { code { (url) } } },
            html! { (text(webhook, "unread")) },
            html! { (text(webhook, "triedAgain")) },
            html! { (text(webhook, "deadLetters")) },
            moment(&text(webhook, "oldestUnreadAt")),
        ]
    });
    let heads = [
        lang.say("Name", "名称"),
        lang.say("Where", "地址"),
        lang.say("Wait", "待发送"),
        lang.say("Of these tried before", "重试中"),
        lang.say("Dead letters", "死信"),
        lang.say("Oldest that waits", "最早待发送"),
    ];
    let none = lang.say("None; [webhooks.NAME] in the configuration makes one.", "无；在配置中添加 [webhooks.NAME]。");
    table(lang.say("Webhooks", "Webhook"), &heads, &rows.collect::<Vec<_>>(), none)
}

async fn subscriptions(seat: &Seat, after: &str) -> Markup {
    let lang = seat.lang;
    let found = match seat.ask(&address("/subscriptions", &[("after", after)])).await {
        Ok(found) => found,
        Err(why) => return layout::refused(lang, &why),
    };
    let rows: Vec<_> = values(&found, &["subscriptions"]).iter().map(|one| subscription(seat, one)).collect();
    let heads = [
        lang.say("Product", "产品"),
        lang.say("Messages", "消息"),
        lang.say("To groups", "消费组"),
        lang.say("End it", "取消"),
    ];
    let last = text(&found, "next");
    let behind = (!last.is_empty()).then(|| address("/results", &[("after", &last)]));
    html! {
        (table(lang.say("Subscriptions", "订阅"), &heads, &rows, lang.say("None: nothing is kept for groups.", "无：没有消息为消费组保留。")))
        (next(lang, behind))
        (subscribing(seat))
    }
}

fn subscription(seat: &Seat, one: &Value) -> Vec<Markup> {
    let product = text(one, "productKey");
    let groups = values(one, &["groups"]).iter().filter_map(Value::as_str);
    let topics = values(one, &["topics"]).iter().filter_map(Value::as_str);
    vec![
        html! { a href=(format!("/products/{}", part(&product))) { code { (product) } } },
        html! { (topics.collect::<Vec<_>>().join(", ")) },
        html! { @for group in groups { a href=(format!("/results/groups/{}", part(group))) { code { (group) } } " " } },
        html! {
            @if seat.key.allows("DeleteSubscribeRelation", Target::Product(&product)) {
                form method="post" action="/results/unsubscribe" {
                    (layout::token(seat))
                    input type="hidden" name="product" value=(product);
                    button type="submit" { (seat.lang.say("End", "取消")) }
                }
            }
        },
    ]
}

fn subscribing(seat: &Seat) -> Markup {
    let lang = seat.lang;
    html! {
        details {
            summary { (lang.say("Say what of a product goes to which groups", "设置产品订阅")) }
            form.stacked method="post" action="/results/subscribe" {
                (layout::token(seat))
                label for="product" { (lang.say("Product key", "ProductKey")) }
                input id="product" name="product" type="text" required;
                @for (flag, word, english, chinese) in TOPICS {
                    label.check { input type="checkbox" name=(flag) value="true" checked[word == "device_data"]; " " (word) ": " (lang.say(english, chinese)) }
                }
                label for="groups" { (lang.say("Ids of groups, with spaces between them", "消费组 ID，以空格分隔")) }
                input id="groups" name="groups" type="text" value="DEFAULT_GROUP" required;
                button type="submit" { (lang.say("Set", "设置")) }
            }
        }
    }
}

/// Makes a group.
pub(crate) async fn create_group(form: Form) -> Response {
    match form.seat.performed("CreateConsumerGroup", &[("GroupName", form.field("name"))]).await {
        Ok(made) => Redirect::to(&format!("/results/groups/{}", part(&text(&made, "GroupId")))).into_response(),
        Err(why) => refused(&form.seat, &why).await,
    }
}

/// Says what of a product goes where.
pub(crate) async fn subscribe(form: Form) -> Response {
    let product = form.field("product");
    let groups: Vec<_> = form.field("groups").split([' ', ',']).filter(|group| !group.is_empty()).collect();
    let names: Vec<_> = (1..=groups.len()).map(|nth| format!("ConsumerGroupIds.{nth}")).collect();
    let mut params = vec![("ProductKey", product), ("Type", "AMQP")];
    params.extend(TOPICS.iter().filter(|(flag, ..)| form.field(flag) == "true").map(|(flag, ..)| (*flag, "true")));
    params.extend(names.iter().map(String::as_str).zip(groups));
    let of = [("ProductKey", product), ("Type", "AMQP")];
    let there = form.seat.performed("QuerySubscribeRelation", &of).await.is_ok();
    let action = if there { "UpdateSubscribeRelation" } else { "CreateSubscribeRelation" };
    done(&form.seat, form.seat.performed(action, &params).await).await
}

/// Ends a product's subscription.
pub(crate) async fn unsubscribe(form: Form) -> Response {
    let of = [("ProductKey", form.field("product")), ("Type", "AMQP")];
    done(&form.seat, form.seat.performed("DeleteSubscribeRelation", &of).await).await
}

async fn done(seat: &Seat, done: Result<Value, Refused>) -> Response {
    match done {
        Ok(_) => Redirect::to("/results").into_response(),
        Err(why) => refused(seat, &why).await,
    }
}

async fn refused(seat: &Seat, why: &Refused) -> Response {
    (StatusCode::UNPROCESSABLE_ENTITY, all(seat, 1, "", Some(why)).await).into_response()
}

/// What waits, in words.
fn waiting(lang: Lang, standing: &Value) -> Markup {
    crate::shown::facts(&[
        (lang.say("Wait", "堆积"), html! { (text(standing, "unread")) }),
        (
            lang.say("Oldest that waits", "最早未读"),
            html! { (moment(&text(standing, "oldestUnreadAt"))) @if text(standing, "oldestUnreadAt").is_empty() { "-" } },
        ),
        (lang.say("Of these given before", "重新投递"), html! { (text(standing, "triedAgain")) }),
        (lang.say("Dead letters", "死信"), html! { (text(standing, "deadLetters")) }),
        (lang.say("Dropped before they were read", "未读即丢弃"), html! { (text(standing, "lost")) }),
    ])
}
