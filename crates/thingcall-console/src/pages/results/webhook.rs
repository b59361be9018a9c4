//! One webhook: what waits for it, and its dead letters, which can be sent again.

use axum::extract::{Path, RawQuery};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde_json::Value;

use super::waiting;
use crate::form::Form;
use crate::layout;
use crate::refused::Refused;
use crate::role::Role;
use crate::seat::Seat;
use crate::shown::{address, asked, list as values, moment, next, part, table, text};

/// The page.
pub(crate) async fn show(seat: Seat, Path(name): Path<String>, RawQuery(query): RawQuery) -> Response {
    one(&seat, &name, &asked(query.as_deref(), "after"), None).await.into_response()
}

async fn one(seat: &Seat, name: &str, after: &str, problem: Option<&Refused>) -> (StatusCode, Markup) {
    let lang = seat.lang;
    let title = format!("Webhook {name}");
    let dead = seat.ask(&address(&format!("/webhooks/{}/dead", part(name)), &[("after", after)])).await;
    let (dead, all) = match (dead, seat.ask("/webhooks").await) {
        (Ok(dead), Ok(all)) => (dead, all),
        (Err(why), _) | (_, Err(why)) => {
            return (StatusCode::NOT_FOUND, layout::refused_page(seat, &title, problem.unwrap_or(&why)));
        }
    };
    let this = values(&all, &[]).iter().find(|webhook| text(webhook, "name") == name).cloned().unwrap_or_default();
    let letters = values(&dead, &["letters"]);
    let rows: Vec<_> = letters.iter().map(|letter| row(seat, name, letter)).collect();
    let heads = [
        "ID",
        lang.say("At", "时间"),
        lang.say("Kind", "类型"),
        lang.say("Device", "设备"),
        lang.say("Tries", "次数"),
        lang.say("Why", "原因"),
        lang.say("Again", "重发"),
    ];
    let last = text(&dead, "next");
    let behind = (!last.is_empty()).then(|| address(&format!("/results/webhooks/{}", part(name)), &[("after", &last)]));
    let status = if problem.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let body = html! {
        @if let Some(problem) = problem { (layout::refused(lang, problem)) }
        p { code { (text(&this, "url")) } }
        (waiting(lang, &this))
        h2 { (lang.say("Dead letters", "死信")) }
        (table(lang.say("Dead letters, oldest first", "死信，最早的在前"), &heads, &rows, lang.say("None.", "无。")))
        (next(lang, behind))
        @if !letters.is_empty() && Role::Operate.is_of(&seat.key) { (again(seat, name, "", lang.say("Send all again", "全部重发"))) }
    };
    (status, layout::page(seat, &title, &body))
}

fn row(seat: &Seat, name: &str, letter: &Value) -> Vec<Markup> {
    let place = text(letter, "place");
    vec![
        html! { code { (text(letter, "id")) } },
        moment(&text(letter, "at")),
        html! { (text(letter, "kind")) },
        html! { (text(letter, "device")) },
        html! { (text(letter, "tries")) },
        html! { (text(letter, "why")) },
        html! { @if Role::Operate.is_of(&seat.key) { (again(seat, name, &place, seat.lang.say("Send again", "重发"))) } },
    ]
}

fn again(seat: &Seat, name: &str, place: &str, word: &str) -> Markup {
    html! {
        form method="post" action=(format!("/results/webhooks/{}/retry", part(name))) {
            (layout::token(seat))
            input type="hidden" name="place" value=(place);
            button type="submit" { (word) }
        }
    }
}

/// Has dead letters sent again.
pub(crate) async fn retry(Path(name): Path<String>, form: Form) -> Response {
    let path = address(&format!("/webhooks/{}/retry", part(&name)), &[("place", form.field("place"))]);
    match form.seat.change(&path).await {
        Ok(_) => Redirect::to(&format!("/results/webhooks/{}", part(&name))).into_response(),
        Err(why) => one(&form.seat, &name, "", Some(&why)).await.into_response(),
    }
}
