//! Devices: those of a product, and one with what is known of it.

use axum::extract::{Path, RawQuery};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use serde_json::Value;

use crate::layout;
use crate::pages::device_log;
use crate::seat::Seat;
use crate::shown::{address, asked, facts, json, list as values, next, outcome, part, table, text};

/// How many devices a page has, as the API gives them.
const PAGE: &str = "50";

/// The devices of a product, page by page.
pub(crate) async fn list(seat: Seat, RawQuery(query): RawQuery) -> Markup {
    let lang = seat.lang;
    let title = lang.say("Devices", "设备");
    let [product, name, token] = ["product", "name", "after"].map(|it| asked(query.as_deref(), it));
    let search = search(&seat, &product, &name);
    if product.is_empty() {
        return layout::page(&seat, title, &search);
    }
    let found = if name.is_empty() {
        let params =
            [("ProductKey", product.as_str()), ("PageSize", PAGE), ("CurrentPage", "1"), ("NextToken", &token)];
        let params: Vec<_> = params.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        seat.performed("QueryDevice", &params).await.map(|found| {
            let next = text(&found, "NextToken");
            (values(&found, &["Data", "DeviceInfo"]).to_vec(), text(&found, "Total"), next)
        })
    } else {
        let params = [("ProductKey", product.as_str()), ("DeviceName.1", name.as_str())];
        seat.performed("BatchQueryDeviceDetail", &params).await.map(|found| {
            let found = values(&found, &["Data", "Data"]).to_vec();
            (found.clone(), found.len().to_string(), String::new())
        })
    };
    let body = match found {
        Err(why) => html! { (search) (layout::refused(lang, &why)) },
        Ok((devices, total, after)) => {
            let rows: Vec<_> = devices.iter().map(|device| row(&product, device)).collect();
            let heads = [lang.say("Name", "名称"), lang.say("Status", "状态"), lang.say("Created", "创建时间")];
            let behind = (!after.is_empty()).then(|| address("/devices", &[("product", &product), ("after", &after)]));
            let caption = format!("{} ({total})", lang.say("Devices", "设备"));
            html! { (search) (table(&caption, &heads, &rows, lang.say("No device.", "没有设备。"))) (next(lang, behind)) }
        }
    };
    layout::page(&seat, title, &body)
}

fn search(seat: &Seat, product: &str, name: &str) -> Markup {
    let lang = seat.lang;
    html! {
        form.inline method="get" action="/devices" role="search" {
            label for="product" { (lang.say("Product key", "ProductKey")) }
            input id="product" name="product" type="text" value=(product) required;
            label for="name" { (lang.say("Device name (all if left out)", "DeviceName（可留空）")) }
            input id="name" name="name" type="text" value=(name);
            button type="submit" { (lang.say("Show", "查询")) }
        }
    }
}

fn row(product: &str, device: &Value) -> Vec<Markup> {
    let name = text(device, "DeviceName");
    let status =
        Some(text(device, "DeviceStatus")).filter(|word| !word.is_empty()).unwrap_or_else(|| text(device, "Status"));
    vec![
        html! { a href=(format!("/devices/{}/{}", part(product), part(&name))) { code { (name) } } },
        html! { (status.to_lowercase()) },
        html! { (text(device, "GmtCreate")) },
    ]
}

/// One device.
pub(crate) async fn show(seat: Seat, Path((product, name)): Path<(String, String)>) -> Response {
    let lang = seat.lang;
    let of = [("ProductKey", product.as_str()), ("DeviceName", name.as_str())];
    let device = match seat.performed("QueryDeviceDetail", &of).await {
        Ok(found) => found.get("Data").cloned().unwrap_or_default(),
        Err(why) => return (StatusCode::NOT_FOUND, layout::refused_page(&seat, &name, &why)).into_response(),
    };
    let body = html! {
        (facts(&[
            (lang.say("Product", "产品"), html! { a href=(format!("/products/{}", part(&product))) { code { (product) } } }),
            ("IotId", html! { code { (text(&device, "IotId")) } }),
            (lang.say("Status", "状态"), html! { (text(&device, "Status").to_lowercase()) }),
            (lang.say("Last online", "最后上线"), html! { (text(&device, "UtcOnline")) }),
            (lang.say("Activated", "激活时间"), html! { (text(&device, "UtcActive")) }),
        ]))
        (properties(&seat, &of).await)
        (calls(&seat, &product, &name).await)
        (device_log::section(&seat, &product, &name))
        (dropped(&seat, &product, &name).await)
    };
    layout::page(&seat, &name, &body).into_response()
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
            crate::shown::moment(&text(call, "acceptedAt")),
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
async fn dropped(seat: &Seat, product: &str, name: &str) -> Markup {
    let path = format!("/devices/{}/{}/dropped", part(product), part(name));
    match seat.ask(&path).await {
        Ok(last) => html! {
            section {
                h2 { (seat.lang.say("Last message that led to nothing", "最近一条无效消息")) }
                (json(&last))
            }
        },
        Err(_) => html! {},
    }
}
