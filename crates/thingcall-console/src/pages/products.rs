//! Products: the list, and a new one. What is shown of one is below.

use axum::extract::RawQuery;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde_json::Value;

use crate::fields::{choice, line, typed};
use crate::form::Form;
use crate::layout;
use crate::refused::Refused;
use crate::seat::Seat;
use crate::shown::{address, asked, list as values, next, number, part, table, text};

mod differences;
mod draft;
mod features;
mod marks;
mod one;
mod settings;
mod typed;
mod versions;

pub(crate) use draft::{check, edit, save};
pub(crate) use one::{remove, rename, secret, set, show};
pub(crate) use versions::{all as versions, file, one as version, publish, restore};

/// How many products a page has.
const PAGE: usize = 50;
/// How many the API tells at once.
const ASKED: usize = 200;
/// How far a search goes: that many times so many.
const SEARCHED_PAGES_MAX: usize = 50;
/// The longest name and the longest description, as the API takes them.
const NAME_CHARACTERS_MAX: usize = 30;
const DESCRIPTION_CHARACTERS_MAX: usize = 100;

/// The list.
pub(crate) async fn list(seat: Seat, RawQuery(query): RawQuery) -> Markup {
    let page = asked(query.as_deref(), "page").parse().unwrap_or(1usize).clamp(1, usize::MAX / PAGE);
    let search = asked(query.as_deref(), "search");
    listed(&seat, (&search, page), None).await
}

/// The list, with the form of a product that was not made, and why.
async fn listed(seat: &Seat, (search, page): (&str, usize), not_made: Option<(&Form, &Refused)>) -> Markup {
    let lang = seat.lang;
    let title = lang.say("Products", "产品");
    let found = match found(seat, search, page).await {
        Ok(found) => found,
        Err(why) => {
            let reasons = not_made.map(|(_, why)| why).into_iter().chain([&why]);
            return layout::page(seat, title, &html! { @for why in reasons { (layout::refused(lang, why)) } });
        }
    };
    let rows: Vec<_> = found.products.iter().map(row).collect();
    let heads = [
        lang.say("Product key", "ProductKey"),
        lang.say("Name", "名称"),
        lang.say("Devices", "设备数"),
        lang.say("Data format", "数据格式"),
    ];
    let behind = found.more.then(|| address("/products", &[("search", search), ("page", &(page + 1).to_string())]));
    let none = match search {
        "" => lang.say("No product yet. Make the first one below.", "暂无产品，可在下方创建。"),
        _ => lang.say("No product has that in its name or key.", "没有名称或 ProductKey 包含该内容的产品。"),
    };
    let caption = match found.total {
        Some(total) => format!("{} ({total})", lang.say("All products", "全部产品")),
        None => lang.say("Products that were found", "搜索结果").to_owned(),
    };
    let body = html! {
        @if let Some((_, why)) = not_made { (layout::refused(lang, why)) }
        (look(seat, search))
        (table(&caption, &heads, &rows, none))
        (next(lang, behind))
        (new_product(seat, not_made.map(|(form, _)| form)))
    };
    layout::page(seat, title, &body)
}

/// A page of products.
struct Found {
    products: Vec<Value>,
    /// How many there are; not counted where one searches.
    total: Option<u64>,
    more: bool,
}

async fn found(seat: &Seat, search: &str, page: usize) -> Result<Found, Refused> {
    if search.is_empty() {
        let (products, total) = told(seat, page, PAGE).await?;
        return Ok(Found { products, total: Some(total), more: (page * PAGE) as u64 <= total.saturating_sub(1) });
    }
    let wanted = search.to_lowercase();
    let fits = |product: &Value| {
        ["ProductName", "ProductKey"].iter().any(|name| text(product, name).to_lowercase().contains(&wanted))
    };
    let mut products = Vec::new();
    for nth in 1..=SEARCHED_PAGES_MAX {
        let (some, total) = told(seat, nth, ASKED).await?;
        products.extend(some.into_iter().filter(fits));
        if products.len() > page * PAGE || (nth * ASKED) as u64 >= total {
            break;
        }
    }
    let more = products.len() > page * PAGE;
    let products = products.into_iter().skip((page - 1) * PAGE).take(PAGE).collect();
    Ok(Found { products, total: None, more })
}

async fn told(seat: &Seat, page: usize, size: usize) -> Result<(Vec<Value>, u64), Refused> {
    let (current, size) = (page.to_string(), size.to_string());
    let found = seat.performed("QueryProductList", &[("CurrentPage", &current), ("PageSize", &size)]).await?;
    let data = found.get("Data").unwrap_or(&Value::Null);
    Ok((values(data, &["List", "ProductInfo"]).to_vec(), number(data, "Total")))
}

fn row(product: &Value) -> Vec<Markup> {
    let key = text(product, "ProductKey");
    let format = if number(product, "DataFormat") == 0 { "custom" } else { "alink" };
    vec![
        html! { a href=(format!("/products/{}", part(&key))) { code { (key) } } },
        html! { (text(product, "ProductName")) },
        html! { (text(product, "DeviceCount")) },
        html! { (format) },
    ]
}

fn look(seat: &Seat, search: &str) -> Markup {
    let lang = seat.lang;
    html! {
        form.inline method="get" action="/products" role="search" {
            label for="search" { (lang.say("Name or key", "名称或 ProductKey")) }
            input id="search" name="search" type="search" value=(search) maxlength="64";
            button type="submit" { (lang.say("Search", "搜索")) }
        }
    }
}

fn new_product(seat: &Seat, form: Option<&Form>) -> Markup {
    let lang = seat.lang;
    let formats = [
        ("1", "Alink JSON", "Alink JSON"),
        ("0", "Bytes of its own, which a plugin translates", "透传/自定义（由插件编解码）"),
    ];
    let checks = [
        ("1", "Arguments must fit the thing model", "按物模型校验参数"),
        ("2", "Nothing is checked, every call is asynchronous", "免校验（全部异步调用）"),
    ];
    html! {
        section {
            h2 { (lang.say("New product", "创建产品")) }
            form method="post" action="/products" {
                (layout::token(seat))
                div.fields {
                    (line("name", lang.say("Name", "名称"), typed(form, "name", ""), NAME_CHARACTERS_MAX))
                    (line("description", lang.say("Description", "描述"), typed(form, "description", ""), DESCRIPTION_CHARACTERS_MAX))
                    (choice(lang, "format", lang.say("What its devices speak", "数据格式"), &formats, typed(form, "format", "1")))
                    (choice(lang, "check", lang.say("How calls are checked", "数据校验级别"), &checks, typed(form, "check", "1")))
                    (choice(lang, "network", lang.say("Connected by", "联网方式"), &NETWORKS, typed(form, "network", "WIFI")))
                }
                p.hint { (lang.say(
                    "Its devices are devices, not gateways, and prove who they are by their secrets. All else is set on its page.",
                    "节点类型为直连设备（不支持网关子设备），认证方式为设备密钥；其余设置在产品页面中修改。",
                )) }
                button type="submit" { (lang.say("Create", "创建")) }
            }
        }
    }
}

/// What devices are connected by, as CreateProduct names it.
const NETWORKS: [(&str, &str, &str); 4] = [
    ("WIFI", "Wi-Fi", "Wi-Fi"),
    ("CELLULAR", "Cellular", "蜂窝网络"),
    ("ETHERNET", "Ethernet", "以太网"),
    ("OTHER", "Something else", "其他"),
];

/// Makes a product.
pub(crate) async fn create(form: Form) -> Response {
    let params = [
        ("ProductName", form.field("name")),
        ("NodeType", "0"),
        ("DataFormat", form.field("format")),
        ("ValidateType", form.field("check")),
        ("NetType", form.field("network")),
        ("Description", form.field("description")),
        ("AliyunCommodityCode", "iothub_senior"),
    ];
    let params: Vec<_> =
        params.into_iter().filter(|(name, value)| *name == "ProductName" || !value.is_empty()).collect();
    match form.seat.performed("CreateProduct", &params).await {
        Ok(made) => {
            let key = made.get("Data").map(|data| text(data, "ProductKey")).unwrap_or_default();
            Redirect::to(&format!("/products/{}", part(&key))).into_response()
        }
        Err(why) => {
            let page = listed(&form.seat, ("", 1), Some((&form, &why))).await;
            (StatusCode::UNPROCESSABLE_ENTITY, page).into_response()
        }
    }
}
