//! The versions of a product's thing model: what each would change, back to one, and a number for the newest; and a module's file to
//! keep.

use axum::extract::{Path, RawQuery};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde_json::Value;

use super::differences;
use super::features::DEFAULT;
use crate::fields::{line, typed, yes};
use crate::form::Form;
use crate::layout;
use crate::refused::Refused;
use crate::seat::Seat;
use crate::shown::{address, asked, list, part, table, text};

/// The longest number and the longest description of a version, as the API takes them.
const NUMBER_CHARACTERS_MAX: usize = 16;
const DESCRIPTION_CHARACTERS_MAX: usize = 100;

/// The list.
pub(crate) async fn all(seat: Seat, Path(key): Path<String>) -> Response {
    listed(&seat, &key, None).await
}

/// The list, with the form of what was not published, and why.
async fn listed(seat: &Seat, key: &str, not_done: Option<(&Form, &Refused)>) -> Response {
    let lang = seat.lang;
    let title = lang.say("Versions of the thing model", "物模型历史版本");
    let found = match seat.performed("ListThingModelVersion", &[("ProductKey", key)]).await {
        Ok(found) => found,
        Err(why) => {
            let reasons = not_done.map(|(_, why)| why).into_iter().chain([&why]);
            let body = html! { @for why in reasons { (layout::refused(lang, why)) } };
            return (StatusCode::NOT_FOUND, layout::page(seat, title, &body)).into_response();
        }
    };
    let path = format!("/products/{}", part(key));
    let row = |(nth, version): (usize, &Value)| {
        let (number, at) = (text(version, "ModelVersion"), text(version, "GmtCreate"));
        vec![
            html! { a href=(format!("{path}/versions/{}", part(&number))) { code { (number) } } },
            html! { time data-ms=(at) { (at) } },
            html! { (text(version, "Description")) },
            html! { @if nth == 0 { span.well { (lang.say("in force", "当前生效")) } } },
        ]
    };
    let rows: Vec<_> = list(&found, &["Data", "ModelVersions"]).iter().enumerate().map(row).collect();
    let heads = [
        lang.say("Version", "版本"),
        lang.say("Set, or published", "设置或发布时间"),
        lang.say("Description", "描述"),
        lang.say("State", "状态"),
    ];
    let none = lang.say("It has no thing model yet.", "尚无物模型。");
    let body = html! {
        @if let Some((_, why)) = not_done { (layout::refused(lang, why)) }
        p { a href=(path) { "← " code { (key) } } }
        p.hint { (lang.say(
            "The ten latest that were published are kept, and the ten latest others.",
            "保留最近十个已发布的版本以及最近十个其他版本。",
        )) }
        (table(title, &heads, &rows, none))
        @if !rows.is_empty() { (publication(seat, &path, not_done.map(|(form, _)| form))) }
    };
    let status = if not_done.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    (status, layout::page(seat, title, &body)).into_response()
}

fn publication(seat: &Seat, path: &str, form: Option<&Form>) -> Markup {
    let lang = seat.lang;
    html! {
        section {
            h2 { (lang.say("Publish the one in force", "发布当前生效的版本")) }
            p.hint { (lang.say(
                "It gets a number and a description, once, and is kept among the published ones.",
                "为其指定版本号与描述（仅一次），并保留在已发布的版本中。",
            )) }
            form method="post" action=(format!("{path}/versions")) {
                (layout::token(seat))
                div.fields {
                    (line("number", lang.say("Number, such as 1.2.0 (its time if left out)", "版本号，如 1.2.0（留空则用时间）"), typed(form, "number", ""), NUMBER_CHARACTERS_MAX))
                    (line("description", lang.say("Description", "描述"), typed(form, "description", ""), DESCRIPTION_CHARACTERS_MAX))
                }
                button type="submit" { (lang.say("Publish", "发布")) }
            }
        }
    }
}

/// Publishes the one in force.
pub(crate) async fn publish(Path(key): Path<String>, form: Form) -> Response {
    let params =
        [("ProductKey", &*key), ("ModelVersion", form.field("number")), ("Description", form.field("description"))];
    let params: Vec<_> = params.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    match form.seat.performed("PublishThingModel", &params).await {
        Ok(_) => Redirect::to(&format!("/products/{}/versions", part(&key))).into_response(),
        Err(why) => listed(&form.seat, &key, Some((&form, &why))).await,
    }
}

/// One: what it would change.
pub(crate) async fn one(seat: Seat, Path((key, version)): Path<(String, String)>) -> Response {
    shown(&seat, (&key, &version), None).await
}

async fn shown(seat: &Seat, (key, version): (&str, &str), not_done: Option<&Refused>) -> Response {
    let lang = seat.lang;
    let title = format!("{} {version}", lang.say("Version", "版本"));
    let compared = seat.desk.operations.compare_model(seat.key.clone(), key, version).await;
    let told = match Refused::unless_done(compared) {
        Ok(told) => told,
        Err(why) => {
            let body = html! { @for why in not_done.into_iter().chain([&why]) { (layout::refused(lang, why)) } };
            return (StatusCode::NOT_FOUND, layout::page(seat, &title, &body)).into_response();
        }
    };
    let path = format!("/products/{}", part(key));
    let body = html! {
        @if let Some(why) = not_done { (layout::refused(lang, why)) }
        p { a href=(format!("{path}/versions")) { "← " (lang.say("All versions", "全部版本")) } }
        h2 { (lang.say("What it would change if it were in force", "若恢复该版本将产生的变化")) }
        (differences::shown(lang, &told))
        @if !list(&told, &["differences"]).is_empty() {
            form method="post" action=(format!("{path}/versions/{}/restore", part(version))) {
                (layout::token(seat))
                input type="hidden" name="base" value=(text(&told, "base"));
                (yes("sure", lang.say("I have seen what it changes", "我已查看全部变化")))
                button type="submit" { (lang.say("Restore it: it is in force at once", "恢复该版本并立即生效")) }
            }
        }
        (files(seat, &path, (key, version)).await)
    };
    let status = if not_done.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    (status, layout::page(seat, &title, &body)).into_response()
}

/// The files of its modules.
async fn files(seat: &Seat, path: &str, (key, version): (&str, &str)) -> Markup {
    let lang = seat.lang;
    let found = seat.performed("QueryThingModel", &[("ProductKey", key), ("ModelVersion", version)]).await;
    let told =
        found.ok().and_then(|found| serde_json::from_str::<Value>(&text(found.get("Data")?, "ThingModelJson")).ok());
    let named = told.map(|told| {
        let blocks = list(&told, &["functionBlocks"]).iter();
        blocks.map(|block| text(block, "functionBlockId")).collect::<Vec<_>>()
    });
    let modules = [DEFAULT.to_owned()].into_iter().chain(named.unwrap_or_default());
    html! {
        h2 { (lang.say("Its files", "导出文件")) }
        ul.plain {
            @for module in modules {
                li { a href=(address(&format!("{path}/model/file"), &[("module", &module), ("version", version)])) download {
                    @if module == DEFAULT { (lang.say("Default module", "默认模块")) } @else { code { (module) } }
                } }
            }
        }
    }
}

/// Puts it in force again.
pub(crate) async fn restore(Path((key, version)): Path<(String, String)>, form: Form) -> Response {
    let seat = &form.seat;
    if form.field("sure") != "yes" {
        let text = seat.lang.say("Tick the box beside the button if it shall be so.", "请先勾选确认框。");
        let why = Refused { code: seat.lang.say("not confirmed", "未确认").to_owned(), text: text.to_owned() };
        return shown(seat, (&key, &version), Some(&why)).await;
    }
    let target = format!("ProductKey={key} ModelVersion={version}");
    let work = seat.desk.operations.restore_model(seat.key.clone(), &key, &version, form.field("base"));
    match seat.noting("RestoreThingModel", target, async { Refused::unless_done(work.await) }).await {
        Ok(_) => Redirect::to(&format!("/products/{}", part(&key))).into_response(),
        Err(why) => shown(seat, (&key, &version), Some(&why)).await,
    }
}

/// A module's file, as it was set, to keep.
pub(crate) async fn file(seat: Seat, Path(key): Path<String>, RawQuery(query): RawQuery) -> Response {
    let [module, version] = ["module", "version"].map(|name| asked(query.as_deref(), name));
    let module = if module == DEFAULT { "" } else { &module };
    let params = [("ProductKey", key.as_str()), ("FunctionBlockId", module), ("ModelVersion", &version)];
    let params: Vec<_> = params.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    match seat.performed("GetThingModelTsl", &params).await {
        Ok(found) => {
            let file = found.get("Data").map(|data| text(data, "TslStr")).unwrap_or_default();
            (headers(&[&key, module, &version]), file).into_response()
        }
        Err(why) => (StatusCode::NOT_FOUND, layout::refused_page(&seat, &key, &why)).into_response(),
    }
}

/// Of a file that is kept, not shown, under a name of these parts.
fn headers(parts: &[&str]) -> [(HeaderName, String); 2] {
    let plain = |part: &&str| {
        part.chars().filter(|char| char.is_ascii_alphanumeric() || "._-".contains(*char)).collect::<String>()
    };
    let name = parts.iter().map(plain).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-");
    [
        (CONTENT_TYPE, "application/json; charset=utf-8".to_owned()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"{name}.json\"")),
    ]
}
