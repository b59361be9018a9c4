//! One product: what it is, its thing model, its settings, and what can be done to it.

use axum::extract::{Path, RawQuery};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde_json::Value;

use super::features::{self, View};
use super::{DESCRIPTION_CHARACTERS_MAX, NAME_CHARACTERS_MAX, settings};
use crate::fields::{line, typed, yes};
use crate::form::Form;
use crate::layout;
use crate::refused::Refused;
use crate::seat::Seat;
use crate::shown::{address, asked, facts, number, part, text};

/// What a page says beside the product: a form that comes back, why, and a secret that was asked for.
#[derive(Default)]
struct Said<'a> {
    form: Option<&'a Form>,
    why: Option<&'a Refused>,
    secret: Option<&'a str>,
}

/// One product.
pub(crate) async fn show(seat: Seat, Path(key): Path<String>, RawQuery(query): RawQuery) -> Response {
    let asked = |name| asked(query.as_deref(), name);
    let view = View { module: asked("module"), page: asked("page").parse().unwrap_or(1) };
    shown(&seat, &key, &view, &Said::default()).await
}

/// Its page. One that has something to say of a form says so by its status, too.
async fn shown(seat: &Seat, key: &str, view: &View, said: &Said<'_>) -> Response {
    let lang = seat.lang;
    let product = match seat.performed("QueryProduct", &[("ProductKey", key)]).await {
        Ok(found) => found.get("Data").cloned().unwrap_or_default(),
        Err(why) => {
            let reasons = said.why.into_iter().chain([&why]);
            let body = html! { @for why in reasons { (layout::refused(lang, why)) } };
            return (StatusCode::NOT_FOUND, layout::page(seat, key, &body)).into_response();
        }
    };
    let path = format!("/products/{}", part(key));
    let name = text(&product, "ProductName");
    let body = html! {
        @if let Some(why) = said.why { (layout::refused(lang, why)) }
        (about(seat, key, &product))
        section {
            h2 { (lang.say("Thing model", "物模型")) }
            p {
                a href=(format!("{path}/model")) { (lang.say("Edit, or drop a file", "编辑或拖入文件")) } " · "
                a href=(format!("{path}/versions")) { (lang.say("Versions", "历史版本")) }
            }
            (features::tables(seat, key, view).await)
        }
        @if view.module.is_empty() {
            (settings::section(seat, key, said.form).await)
            (secret_of(seat, &path, &product, said.secret))
            (names(seat, &path, &product, said.form))
            (removal(seat, &path))
        }
    };
    let status = if said.why.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    (status, layout::page(seat, if name.is_empty() { key } else { &name }, &body)).into_response()
}

fn about(seat: &Seat, key: &str, product: &Value) -> Markup {
    let lang = seat.lang;
    let network = match number(product, "NetType") {
        6 => lang.say("cellular", "蜂窝网络"),
        7 => lang.say("Ethernet", "以太网"),
        8 => lang.say("something else", "其他"),
        _ => "Wi-Fi",
    };
    let created = number(product, "GmtCreate").to_string();
    facts(&[
        (lang.say("Product key", "ProductKey"), html! { code { (key) } }),
        (lang.say("Created", "创建时间"), html! { time data-ms=(created) { (created) } }),
        (
            lang.say("Devices", "设备数"),
            html! { a href=(address("/devices", &[("product", key)])) { (text(product, "DeviceCount")) } },
        ),
        (lang.say("Node type", "节点类型"), html! { (lang.say("device", "直连设备")) }),
        (lang.say("Devices prove who they are by", "认证方式"), html! { (lang.say("their secrets", "设备密钥")) }),
        (lang.say("Connected by", "联网方式"), html! { (network) }),
        (lang.say("Description", "描述"), html! { (text(product, "Description")) }),
    ])
}

fn secret_of(seat: &Seat, path: &str, product: &Value, secret: Option<&str>) -> Markup {
    let lang = seat.lang;
    let has_one = !text(product, "ProductSecret").is_empty();
    html! {
        @if has_one || secret.is_some() {
            section {
                h2 { (lang.say("Product secret", "ProductSecret")) }
                p.hint { (lang.say("Devices that come for their own secrets prove this one.", "设备动态注册时使用。")) }
                @if let Some(secret) = secret { p role="status" { code { (secret) } } } @else {
                    form method="post" action=(format!("{path}/secret")) {
                        (layout::token(seat))
                        button type="submit" { (lang.say("Show it", "显示")) }
                    }
                }
            }
        }
    }
}

fn names(seat: &Seat, path: &str, product: &Value, form: Option<&Form>) -> Markup {
    let lang = seat.lang;
    // A form with a name in it is this one.
    let form = form.filter(|form| form.has("name"));
    let (name, description) = (text(product, "ProductName"), text(product, "Description"));
    html! {
        section {
            h2 { (lang.say("Name and description", "名称与描述")) }
            form method="post" action=(format!("{path}/name")) {
                (layout::token(seat))
                div.fields {
                    (line("name", lang.say("Name", "名称"), typed(form, "name", &name), NAME_CHARACTERS_MAX))
                    (line("description", lang.say("Description", "描述"), typed(form, "description", &description), DESCRIPTION_CHARACTERS_MAX))
                }
                button type="submit" { (lang.say("Save", "保存")) }
            }
        }
    }
}

fn removal(seat: &Seat, path: &str) -> Markup {
    let lang = seat.lang;
    let sure = lang.say("Yes, it and its thing model shall be gone", "确认删除该产品及其物模型");
    html! {
        section {
            h2 { (lang.say("Remove", "删除产品")) }
            p.hint { (lang.say("Its devices must be removed before it.", "须先删除其下全部设备。")) }
            form method="post" action=(format!("{path}/remove")) {
                (layout::token(seat))
                (yes("sure", sure))
                button type="submit" { (lang.say("Remove this product", "删除产品")) }
            }
        }
    }
}

/// Gives it another name, and another description.
pub(crate) async fn rename(Path(key): Path<String>, form: Form) -> Response {
    let params =
        [("ProductKey", &*key), ("ProductName", form.field("name")), ("Description", form.field("description"))];
    let params: Vec<_> =
        params.into_iter().filter(|(name, value)| *name != "Description" || !value.is_empty()).collect();
    match form.seat.performed("UpdateProduct", &params).await {
        Ok(_) => Redirect::to(&format!("/products/{}", part(&key))).into_response(),
        Err(why) => {
            let said = Said { form: Some(&form), why: Some(&why), secret: None };
            shown(&form.seat, &key, &View::default(), &said).await
        }
    }
}

/// Changes its settings.
pub(crate) async fn set(Path(key): Path<String>, form: Form) -> Response {
    let path = format!("/products/{}", part(&key));
    match form.seat.change(&address(&format!("{path}/settings"), &settings::changed(&form))).await {
        Ok(_) => Redirect::to(&path).into_response(),
        Err(why) => {
            let said = Said { form: Some(&form), why: Some(&why), secret: None };
            shown(&form.seat, &key, &View::default(), &said).await
        }
    }
}

/// Shows its secret, once.
pub(crate) async fn secret(Path(key): Path<String>, form: Form) -> Response {
    match form.seat.performed("QueryProduct", &[("ProductKey", &key)]).await {
        Ok(found) => {
            let secret = found.get("Data").map(|data| text(data, "ProductSecret")).unwrap_or_default();
            let said = Said { secret: Some(&secret), ..Said::default() };
            shown(&form.seat, &key, &View::default(), &said).await
        }
        Err(why) => shown(&form.seat, &key, &View::default(), &Said { why: Some(&why), ..Said::default() }).await,
    }
}

/// Removes it.
pub(crate) async fn remove(Path(key): Path<String>, form: Form) -> Response {
    let lang = form.seat.lang;
    let done = if form.field("sure") == "yes" {
        form.seat.performed("DeleteProduct", &[("ProductKey", &key)]).await
    } else {
        let text = lang.say("Tick the box beside the button if it shall be gone.", "请勾选确认框后再删除。");
        Err(Refused { code: lang.say("not confirmed", "未确认").to_owned(), text: text.to_owned() })
    };
    match done {
        Ok(_) => Redirect::to("/products").into_response(),
        Err(why) => shown(&form.seat, &key, &View::default(), &Said { why: Some(&why), ..Said::default() }).await,
    }
}
