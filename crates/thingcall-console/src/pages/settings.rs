//! Settings: what is logged, which can be changed for a while, and the configuration in force with where each value stands.

use axum::extract::RawQuery;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};

use crate::form::Form;
use crate::in_force::{LogChange, Setting};
use crate::layout;
use crate::refused::Refused;
use crate::role::Role;
use crate::seat::Seat;
use crate::shown::{address, asked, at, facts, next, table};

/// How many settings a page has.
const PAGE: usize = 250;

/// The page.
pub(crate) async fn show(seat: Seat, RawQuery(query): RawQuery) -> Response {
    all(&seat, query.as_deref(), None).into_response()
}

fn all(seat: &Seat, query: Option<&str>, problem: Option<&Refused>) -> (StatusCode, Markup) {
    let title = seat.lang.say("Settings", "设置");
    if let Err(why) = seat.must_be(Role::Administer) {
        return (StatusCode::FORBIDDEN, layout::refused_page(seat, title, problem.unwrap_or(&why)));
    }
    let status = if problem.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let body = html! {
        @if let Some(problem) = problem { (layout::refused(seat.lang, problem)) }
        (log(seat))
        (configuration(seat, query))
    };
    (status, layout::page(seat, title, &body))
}

fn log(seat: &Seat) -> Markup {
    let lang = seat.lang;
    let level = seat.desk.operations.log_level();
    let differs = level.now != level.configured;
    html! {
        section {
            h2 { (lang.say("What is logged", "日志级别")) }
            (facts(&[
                (lang.say("Now", "当前"), html! { code { (level.now) } }),
                (lang.say("Configured", "配置"), html! { code { (level.configured) } }),
                (lang.say("Until", "持续到"), html! {
                    @match level.until { Some(until) => { (at(until)) } None => { "-" } }
                }),
            ]))
            form.inline method="post" action="/settings/log" {
                (layout::token(seat))
                label for="level" { (lang.say("Level, or a filter such as info,thingcall_engine=debug", "级别或过滤器，如 info,thingcall_engine=debug")) }
                input id="level" name="level" type="text" value=(level.now) required maxlength="1024";
                label for="lasts" { (lang.say("For how long; empty: until the server ends", "持续时间；留空表示直到服务停止")) }
                input id="lasts" name="lasts" type="text" value="15m" maxlength="32";
                button type="submit" { (lang.say("Set", "设置")) }
            }
            @if differs {
                form.inline method="post" action="/settings/log" {
                    (layout::token(seat))
                    input type="hidden" name="back" value="yes";
                    button type="submit" { (lang.say("Back to what is configured", "恢复配置")) }
                }
            }
        }
    }
}

fn configuration(seat: &Seat, query: Option<&str>) -> Markup {
    let lang = seat.lang;
    let (part, after, set) = (asked(query, "part"), asked(query, "after"), asked(query, "set"));
    let all = seat.desk.operations.settings();
    let wanted = |one: &&Setting| {
        let is_set = set.is_empty() || one.place != "default";
        is_set && (one.key.contains(&part) || one.place.contains(&part)) && one.key > after
    };
    let mut found = all.iter().filter(wanted);
    let page: Vec<_> = found.by_ref().take(PAGE).collect();
    let last = page.last().filter(|_| found.next().is_some());
    let behind = last.map(|last| address("/settings", &[("part", &part), ("set", &set), ("after", &last.key)]));
    let rows: Vec<_> = page.iter().map(|one| row(seat, one)).collect();
    let heads = [lang.say("Key", "配置项"), lang.say("Value", "值"), lang.say("From", "来源")];
    let caption = lang.say("The configuration in force", "当前生效的配置");
    html! {
        section {
            h2 { (caption) }
            form.inline method="get" action="/settings" role="search" {
                label for="part" { (lang.say("Part of a key or of a place", "配置项或来源的一部分")) }
                input id="part" name="part" type="text" value=(part);
                label.check { input type="checkbox" name="set" value="yes" checked[!set.is_empty()]; " " (lang.say("without defaults", "不含默认值")) }
                button type="submit" { (lang.say("Show", "查询")) }
            }
            (table(caption, &heads, &rows, lang.say("No such key.", "没有匹配的配置项。")))
            (next(lang, behind))
        }
    }
}

fn row(seat: &Seat, one: &Setting) -> Vec<Markup> {
    vec![
        html! { code { (one.key) } },
        match &one.value {
            Some(value) => html! { code { (value) } },
            None => html! { span.hint { (seat.lang.say("a secret, not shown", "密钥，不显示")) } },
        },
        html! { (one.place) },
    ]
}

/// Says what is logged from now on.
pub(crate) async fn set_log(form: Form) -> Response {
    let change = match change_of(&form) {
        Ok(change) => change,
        Err(why) => return all(&form.seat, None, Some(&why)).into_response(),
    };
    match form.seat.change_log(change).await {
        Ok(()) => Redirect::to("/settings").into_response(),
        Err(why) => all(&form.seat, None, Some(&why)).into_response(),
    }
}

fn change_of(form: &Form) -> Result<LogChange, Refused> {
    if form.field("back") == "yes" {
        return Ok(LogChange::Back);
    }
    let (level, lasts) = (form.field("level").to_owned(), form.field("lasts"));
    let wrong =
        |_| Refused { code: "422".to_owned(), text: format!("{lasts:?} is no time; right is such as 15m, or nothing") };
    let lasts = if lasts.is_empty() { None } else { Some(humantime::parse_duration(lasts).map_err(wrong)?) };
    Ok(LogChange::To { level, lasts })
}
