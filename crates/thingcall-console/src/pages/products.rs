//! Products: the list, a new one, and one with its thing model as a table.

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
use crate::shown::{address, asked, facts, list as values, next, number, part, table, text};

/// How many products a page has.
const PAGE: u64 = 50;

/// The list.
pub(crate) async fn list(seat: Seat, RawQuery(query): RawQuery) -> Markup {
    let page = asked(query.as_deref(), "page").parse().unwrap_or(1u64).max(1);
    listed(&seat, page, None).await
}

async fn listed(seat: &Seat, page: u64, problem: Option<&Refused>) -> Markup {
    let lang = seat.lang;
    let title = lang.say("Products", "产品");
    let (current, size) = (page.to_string(), PAGE.to_string());
    let found = seat.performed("QueryProductList", &[("CurrentPage", &current), ("PageSize", &size)]).await;
    let found = match found {
        Ok(found) => found,
        Err(why) => return layout::refused_page(seat, title, &why),
    };
    let data = found.get("Data").unwrap_or(&Value::Null);
    let rows: Vec<_> = values(data, &["List", "ProductInfo"]).iter().map(row).collect();
    let heads = [
        lang.say("Product key", "ProductKey"),
        lang.say("Name", "名称"),
        lang.say("Devices", "设备数"),
        lang.say("Data format", "数据格式"),
    ];
    let behind =
        (page * PAGE < number(data, "Total")).then(|| address("/products", &[("page", &(page + 1).to_string())]));
    let none = lang.say("No product yet. Make the first one below.", "暂无产品，可在下方创建。");
    let body = html! {
        @if let Some(problem) = problem { (layout::refused(lang, problem)) }
        (table(lang.say("All products", "全部产品"), &heads, &rows, none))
        (next(lang, behind))
        (new_product(seat))
    };
    layout::page(seat, title, &body)
}

fn row(product: &Value) -> Vec<Markup> {
    let key = text(product, "ProductKey");
    let format = if number(product, "DataFormat") == 0 { "raw" } else { "alink" };
    vec![
        html! { a href=(format!("/products/{}", part(&key))) { code { (key) } } },
        html! { (text(product, "ProductName")) },
        html! { (text(product, "DeviceCount")) },
        html! { (format) },
    ]
}

fn new_product(seat: &Seat) -> Markup {
    let lang = seat.lang;
    html! {
        section {
            h2 { (lang.say("New product", "创建产品")) }
            form.inline method="post" action="/products" {
                (layout::token(seat))
                label for="name" { (lang.say("Name", "名称")) }
                input id="name" name="name" type="text" required maxlength="30";
                button type="submit" { (lang.say("Create", "创建")) }
            }
        }
    }
}

/// Makes a product.
pub(crate) async fn create(form: Form) -> Response {
    let params = [
        ("ProductName", form.field("name")),
        ("NodeType", "0"),
        ("DataFormat", "1"),
        ("AliyunCommodityCode", "iothub_senior"),
    ];
    match form.seat.performed("CreateProduct", &params).await {
        Ok(made) => {
            let key = made.get("Data").map(|data| text(data, "ProductKey")).unwrap_or_default();
            Redirect::to(&format!("/products/{}", part(&key))).into_response()
        }
        Err(why) => (StatusCode::UNPROCESSABLE_ENTITY, listed(&form.seat, 1, Some(&why)).await).into_response(),
    }
}

/// One product.
pub(crate) async fn show(seat: Seat, Path(key): Path<String>) -> Response {
    let lang = seat.lang;
    let product = match seat.performed("QueryProduct", &[("ProductKey", &key)]).await {
        Ok(found) => found.get("Data").cloned().unwrap_or_default(),
        Err(why) => return (StatusCode::NOT_FOUND, layout::refused_page(&seat, &key, &why)).into_response(),
    };
    let name = text(&product, "ProductName");
    let body = html! {
        (facts(&[
            (lang.say("Product key", "ProductKey"), html! { code { (key) } }),
            (lang.say("Created", "创建时间"), html! { (text(&product, "GmtCreate")) }),
            (lang.say("Devices", "设备数"), html! { a href=(address("/devices", &[("product", &key)])) { (text(&product, "DeviceCount")) } }),
        ]))
        (model(&seat, &key).await)
    };
    layout::page(&seat, if name.is_empty() { &key } else { &name }, &body).into_response()
}

/// The thing model, a table for each module.
async fn model(seat: &Seat, key: &str) -> Markup {
    let lang = seat.lang;
    let tsl = match seat.performed("QueryThingModel", &[("ProductKey", key)]).await {
        Ok(found) => found.get("Data").map(|data| text(data, "ThingModelJson")).unwrap_or_default(),
        Err(why) => return layout::refused(lang, &why),
    };
    let tsl: Value = serde_json::from_str(&tsl).unwrap_or_default();
    html! {
        section {
            h2 { (lang.say("Thing model", "物模型")) }
            (kind(lang, &tsl, "services", ("Services", "服务")))
            (kind(lang, &tsl, "properties", ("Properties", "属性")))
            (kind(lang, &tsl, "events", ("Events", "事件")))
            details { summary { (lang.say("As JSON", "JSON 原文")) } (crate::shown::json(&tsl)) }
        }
    }
}

fn kind(lang: Lang, tsl: &Value, name: &str, (english, chinese): (&str, &str)) -> Markup {
    let rows: Vec<_> = values(tsl, &[name]).iter().map(feature).collect();
    let heads = [
        lang.say("Identifier", "标识符"),
        lang.say("Name", "名称"),
        lang.say("Kind", "类型"),
        lang.say("Data", "数据"),
    ];
    html! { (table(lang.say(english, chinese), &heads, &rows, "")) }
}

fn feature(feature: &Value) -> Vec<Markup> {
    let kinds = ["callType", "accessMode", "type"].map(|name| text(feature, name));
    let kind = kinds.into_iter().find(|kind| !kind.is_empty()).unwrap_or_default();
    let fields = |name: &str| values(feature, &[name]).iter().map(field).collect::<Vec<_>>().join(", ");
    let data = match feature.get("dataType") {
        Some(_) => field(feature),
        None => format!("({}) → ({})", fields("inputData"), fields("outputData")),
    };
    vec![
        html! { code { (text(feature, "identifier")) } },
        html! { (text(feature, "name")) },
        html! { (kind) },
        html! { code { (data) } },
    ]
}

/// A value and its type with its range.
fn field(field: &Value) -> String {
    let Some(kind) = field.get("dataType") else { return text(field, "identifier") };
    let specs = kind.get("specs").unwrap_or(&Value::Null);
    let (min, max) = (text(specs, "min"), text(specs, "max"));
    let range = if min.is_empty() && max.is_empty() { String::new() } else { format!(" {min}..{max}") };
    format!("{}: {}{range}", text(field, "identifier"), text(kind, "type"))
}
