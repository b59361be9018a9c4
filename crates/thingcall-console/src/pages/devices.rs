//! Devices: those of a product, looked for by name and status, and new ones. What is shown of one is below.

use axum::extract::RawQuery;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use serde_json::Value;
use thingcall_core::Target;

use crate::fields::{line, typed};
use crate::form::Form;
use crate::lang::Lang;
use crate::layout;
use crate::refused::Refused;
use crate::seat::Seat;
use crate::shown::{address, asked, list as values, moment, next, number, part, table, text};

mod change;
mod connect;
mod enlist;
mod one;
mod tags;

pub(crate) use change::change;
pub(crate) use enlist::add_list;
pub(crate) use one::show;

/// How many devices a page has.
const PAGE: &str = "50";
/// The longest name and the longest nickname.
const NAME_CHARACTERS_MAX: usize = 32;
const NICKNAME_CHARACTERS_MAX: usize = 64;

/// The statuses that one can look for.
const STATUSES: [&str; 4] = ["online", "offline", "unactive", "disable"];

/// What is looked for.
struct Search {
    product: String,
    name: String,
    status: String,
    after: String,
}

/// The devices of a product, page by page.
pub(crate) async fn list(seat: Seat, RawQuery(query): RawQuery) -> Markup {
    let asked = |name| asked(query.as_deref(), name);
    let search =
        Search { product: asked("product"), name: asked("name"), status: asked("status"), after: asked("after") };
    listed(&seat, &search, None).await
}

/// The same, with the form of a device that was not made, and why.
async fn listed(seat: &Seat, search: &Search, not_made: Option<(&Form, &Refused)>) -> Markup {
    let lang = seat.lang;
    let found = if search.product.is_empty() { Ok(None) } else { found(seat, search).await.map(Some) };
    let body = html! {
        @if let Some((_, why)) = not_made { (layout::refused(lang, why)) }
        (look(lang, search))
        @match &found {
            Err(why) => (layout::refused(lang, why)),
            Ok(None) => (products(seat).await),
            Ok(Some(found)) => {
                (rows(lang, search, found))
                (new_device(seat, &search.product, not_made.map(|(form, _)| form)))
                (enlist::form(seat, &search.product, ""))
            }
        }
    };
    layout::page(seat, lang.say("Devices", "设备"), &body)
}

/// The products whose devices can be looked at.
async fn products(seat: &Seat) -> Markup {
    let lang = seat.lang;
    let found = match seat.performed("QueryProductList", &[("CurrentPage", "1"), ("PageSize", PAGE)]).await {
        Ok(found) => found,
        // Whoever may not list them may know one.
        Err(_) => return html! { p.hint { (lang.say("Name a product.", "请填写 ProductKey。")) } },
    };
    let rows = values(&found, &["Data", "List", "ProductInfo"]).iter().map(|product| {
        let key = text(product, "ProductKey");
        vec![
            html! { a href=(address("/devices", &[("product", &key)])) { code { (key) } } },
            html! { (text(product, "ProductName")) },
            html! { (text(product, "DeviceCount")) },
        ]
    });
    let heads = [lang.say("Product key", "ProductKey"), lang.say("Name", "名称"), lang.say("Devices", "设备数")];
    html! {
        (table(lang.say("Choose a product", "选择产品"), &heads, &rows.collect::<Vec<_>>(), lang.say("There is no product yet.", "还没有产品。")))
        p { a href="/products" { (lang.say("All products, and a new one", "全部产品及新建产品")) } }
    }
}

async fn found(seat: &Seat, search: &Search) -> Result<Value, Refused> {
    let pairs = [
        ("product", search.product.as_str()),
        ("name", &search.name),
        ("status", &search.status),
        ("after", &search.after),
        ("limit", PAGE),
    ];
    seat.ask_about("QueryDevice", Target::Product(&search.product), &address("/devices", &pairs)).await
}

fn look(lang: Lang, search: &Search) -> Markup {
    html! {
        form.inline method="get" action="/devices" role="search" {
            label for="product" { (lang.say("Product key", "ProductKey")) }
            input id="product" name="product" type="text" value=(search.product) required autocomplete="off";
            label for="name" { (lang.say("Name begins with", "名称前缀")) }
            input id="name" name="name" type="search" value=(search.name) maxlength=(NAME_CHARACTERS_MAX);
            label for="status" { (lang.say("Status", "状态")) }
            select id="status" name="status" {
                option value="" { (lang.say("any", "全部")) }
                @for word in STATUSES { option value=(word) selected[search.status == word] { (status(lang, word)) } }
            }
            button type="submit" { (lang.say("Search", "搜索")) }
        }
    }
}

/// A status in words.
fn status(lang: Lang, word: &str) -> &str {
    match word {
        "online" => lang.say("online", "在线"),
        "offline" => lang.say("offline", "离线"),
        "unactive" => lang.say("never connected", "未激活"),
        "disable" => lang.say("disabled", "已禁用"),
        "unknown" => lang.say("unknown", "未知"),
        other => other,
    }
}

fn rows(lang: Lang, search: &Search, found: &Value) -> Markup {
    let Search { product, name, status: wanted, .. } = search;
    let counts = found.get("counts").unwrap_or(&Value::Null);
    let rows: Vec<_> = values(found, &["devices"]).iter().map(|device| row(lang, product, device)).collect();
    let heads = [
        lang.say("Name", "名称"),
        lang.say("Nickname", "备注名"),
        lang.say("Status", "状态"),
        lang.say("Last seen", "最近活动"),
        lang.say("Way", "通道"),
        lang.say("Created", "创建时间"),
    ];
    let after = text(found, "next");
    let behind = || address("/devices", &[("product", product), ("name", name), ("status", wanted), ("after", &after)]);
    let none = match after.is_empty() {
        true => lang.say("No device was found.", "未找到设备。"),
        false => lang.say("None was found so far; go on to the next page.", "目前尚未找到，请继续下一页。"),
    };
    html! {
        p.hint {
            (lang.say("All: ", "全部：")) (number(counts, "all"))
            @for word in STATUSES { " · " (status(lang, word)) ": " (number(counts, word)) }
        }
        (table(lang.say("Devices that were found", "查询结果"), &heads, &rows, none))
        (next(lang, (!after.is_empty()).then(behind)))
    }
}

fn row(lang: Lang, product: &str, device: &Value) -> Vec<Markup> {
    let name = text(device, "deviceName");
    let way = Some(text(device, "transport")).filter(|way| !way.is_empty()).unwrap_or_else(|| text(device, "cameFrom"));
    vec![
        html! { a href=(path_of(product, &name)) { code { (name) } } },
        html! { (text(device, "nickname")) },
        html! { (status(lang, &text(device, "status").to_lowercase())) },
        moment(&text(device, "lastSeenAt")),
        html! { (way) },
        moment(&text(device, "createdAt")),
    ]
}

/// The path of a device's page.
fn path_of(product: &str, name: &str) -> String {
    format!("/devices/{}/{}", part(product), part(name))
}

fn new_device(seat: &Seat, product: &str, form: Option<&Form>) -> Markup {
    let lang = seat.lang;
    let name = lang.say("Name (one is made up if left out)", "名称（留空则自动生成）");
    html! {
        section {
            h2 { (lang.say("New device", "添加设备")) }
            form method="post" action="/devices" {
                (layout::token(seat))
                input type="hidden" name="product" value=(product);
                div.fields {
                    (line("new_name", name, typed(form, "new_name", ""), NAME_CHARACTERS_MAX))
                    (line("nickname", lang.say("Nickname", "备注名"), typed(form, "nickname", ""), NICKNAME_CHARACTERS_MAX))
                }
                button type="submit" { (lang.say("Register", "注册")) }
            }
        }
    }
}

/// Registers one, and shows its page with its secret, this once.
pub(crate) async fn add(form: Form) -> Response {
    let params = [
        ("ProductKey", form.field("product")),
        ("DeviceName", form.field("new_name")),
        ("Nickname", form.field("nickname")),
    ];
    let params: Vec<_> = params.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    match form.seat.performed("RegisterDevice", &params).await {
        Ok(found) => {
            let name = found.get("Data").map(|data| text(data, "DeviceName")).unwrap_or_default();
            change::with_secret(&form.seat, form.field("product"), &name).await
        }
        Err(why) => {
            let search = Search {
                product: form.field("product").to_owned(),
                name: String::new(),
                status: String::new(),
                after: String::new(),
            };
            (StatusCode::UNPROCESSABLE_ENTITY, listed(&form.seat, &search, Some((&form, &why))).await).into_response()
        }
    }
}
