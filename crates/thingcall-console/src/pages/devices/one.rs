//! One device: what it is, what it reported, its calls, what happens to it, and what can be done to it.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use serde_json::Value;
use thingcall_core::Target;

use super::{connect, path_of, status, tags};
use crate::fields::yes;
use crate::layout;
use crate::operations::DeviceLogin;
use crate::pages::device_log;
use crate::refused::Refused;
use crate::seat::Seat;
use crate::shown::{address, facts, json, list as values, moment, outcome, part, table, text};

/// What a page says beside the device: why something was not done, and what it logs in with where that was asked for.
#[derive(Default)]
pub(super) struct Said<'a> {
    pub(super) why: Option<&'a Refused>,
    pub(super) login: Option<&'a DeviceLogin>,
}

/// One device.
pub(crate) async fn show(seat: Seat, Path((product, name)): Path<(String, String)>) -> Response {
    shown(&seat, (&product, &name), &Said::default()).await
}

/// Its page. One that has something to say of a form says so by its status, too.
pub(super) async fn shown(seat: &Seat, (product, name): (&str, &str), said: &Said<'_>) -> Response {
    let of = [("ProductKey", product), ("DeviceName", name)];
    let path = path_of(product, name);
    let known = seat.ask_about("QueryDeviceDetail", Target::Device { product, name }, &path).await;
    let device = match known {
        Ok(device) => device,
        Err(why) => {
            let reasons = said.why.into_iter().chain([&why]);
            let body = html! { @for why in reasons { (layout::refused(seat.lang, why)) } };
            return (StatusCode::NOT_FOUND, layout::page(seat, name, &body)).into_response();
        }
    };
    let body = html! {
        @if let Some(why) = said.why { (layout::refused(seat.lang, why)) }
        (about(seat, product, &device))
        (doing(seat, &path, (product, name), &device))
        (connect::section(seat, &path, (product, name), said.login))
        (properties(seat, &of).await)
        (device_log::section(seat, product, name))
        (dropped(seat, &path).await)
        (calls(seat, product, name).await)
        (tags::section(seat, &path, &of).await)
        (removal(seat, &path))
    };
    let code = if said.why.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    (code, layout::page(seat, name, &body)).into_response()
}

fn about(seat: &Seat, product: &str, device: &Value) -> Markup {
    let lang = seat.lang;
    facts(&[
        (lang.say("Product", "产品"), html! { a href=(format!("/products/{}", part(product))) { code { (product) } } }),
        ("IotId", html! { code { (text(device, "iotId")) } }),
        (lang.say("Nickname", "备注名"), html! { (text(device, "nickname")) }),
        (lang.say("Status", "状态"), html! { (status(lang, &text(device, "status").to_lowercase())) }),
        (lang.say("Last seen", "最近活动"), moment(&text(device, "lastSeenAt"))),
        (lang.say("From address", "来源地址"), html! { code { (text(device, "address")) } }),
        (lang.say("Came from", "来源通道"), html! { (text(device, "cameFrom")) }),
        (lang.say("Way that is set", "指定通道"), html! { (text(device, "transport")) }),
        (lang.say("Topic of synchronous calls", "同步调用 Topic"), html! { (text(device, "syncTopic")) }),
        (lang.say("First connected", "激活时间"), moment(&text(device, "activatedAt"))),
        (lang.say("Created", "创建时间"), moment(&text(device, "createdAt"))),
    ])
}

fn doing(seat: &Seat, path: &str, (product, name): (&str, &str), device: &Value) -> Markup {
    let lang = seat.lang;
    let (what, label) = match text(device, "status").as_str() {
        "DISABLE" => ("enable", lang.say("Enable", "启用")),
        _ => {
            ("disable", lang.say("Disable: end its connection, and let it connect no more", "禁用：断开并禁止再次连接"))
        }
    };
    let explorer = address("/explorer/InvokeThingService", &[("product", product), ("device", name)]);
    html! {
        div.buttons {
            a.button href=(explorer) { (lang.say("Call a service", "调用服务")) }
            form method="post" action=(format!("{path}/{what}")) {
                (layout::token(seat))
                button type="submit" { (label) }
            }
        }
    }
}

fn removal(seat: &Seat, path: &str) -> Markup {
    let lang = seat.lang;
    let sure = lang.say("Yes, it and what waits for it shall be gone", "确认删除该设备及其待处理内容");
    html! {
        section {
            h2 { (lang.say("Remove", "删除设备")) }
            form method="post" action=(format!("{path}/remove")) {
                (layout::token(seat))
                (yes("sure", sure))
                button type="submit" { (lang.say("Remove this device", "删除设备")) }
            }
        }
    }
}

/// The last values that it reported.
async fn properties(seat: &Seat, of: &[(&str, &str)]) -> Markup {
    let lang = seat.lang;
    let found = match seat.performed("QueryDevicePropertyStatus", of).await {
        Ok(found) => found,
        Err(why) => return layout::refused(lang, &why),
    };
    let rows = values(&found, &["Data", "List", "PropertyStatusInfo"]).iter().map(|property| {
        let unit = text(property, "Unit");
        vec![
            html! { code { (text(property, "Identifier")) } },
            html! { (text(property, "Name")) },
            html! { (text(property, "Value")) " " (unit) },
            html! { time data-ms=(text(property, "Time")) { (text(property, "Time")) } },
        ]
    });
    let heads = [
        lang.say("Property", "属性"),
        lang.say("Name", "名称"),
        lang.say("Last value", "最新值"),
        lang.say("Reported", "上报时间"),
    ];
    let none = lang.say("Its model has no properties, or none was reported.", "物模型没有属性或尚未上报。");
    html! {
        section { h2 { (lang.say("Properties", "属性")) } (table(lang.say("Last values", "最新值"), &heads, &rows.collect::<Vec<_>>(), none)) }
    }
}

/// Its latest calls.
async fn calls(seat: &Seat, product: &str, name: &str) -> Markup {
    let lang = seat.lang;
    let device = format!("{product}/{name}");
    let found = match seat.ask(&address("/calls", &[("device", &device), ("limit", "20")])).await {
        Ok(found) => found,
        Err(why) => return layout::refused(lang, &why),
    };
    let rows = values(&found, &["calls"]).iter().map(|call| {
        let id = Some(text(call, "messageId")).filter(|id| !id.is_empty()).unwrap_or_else(|| text(call, "requestId"));
        let end = Some(text(call, "outcome")).filter(|word| !word.is_empty()).unwrap_or_else(|| text(call, "state"));
        vec![
            moment(&text(call, "acceptedAt")),
            html! { a href=(format!("/calls/{}", part(&id))) { code { (id) } } },
            html! { code { (text(call, "identifier")) } },
            outcome(&end),
        ]
    });
    let heads = [lang.say("At", "时间"), "ID", lang.say("Service", "服务"), lang.say("Outcome", "结果")];
    html! {
        section {
            h2 { (lang.say("Calls", "调用")) }
            (table(lang.say("Latest calls", "最近调用"), &heads, &rows.collect::<Vec<_>>(), lang.say("None is kept.", "没有记录。")))
            p { a href=(address("/calls", &[("device", &device)])) { (lang.say("All calls of this device", "该设备的全部调用")) } }
        }
    }
}

/// What it sent last that led to nothing.
async fn dropped(seat: &Seat, path: &str) -> Markup {
    match seat.ask(&format!("{path}/dropped")).await {
        Ok(last) => html! {
            section {
                h2 { (seat.lang.say("Last message that led to nothing", "最近一条无效消息")) }
                (json(&last))
            }
        },
        Err(_) => html! {},
    }
}
