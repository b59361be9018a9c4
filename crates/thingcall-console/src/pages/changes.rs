//! The audit log: who changed what, when, from where, and what was refused.

use std::time::{Duration, SystemTime};

use axum::extract::RawQuery;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use thingcall_core::{AuditDoor, AuditEntry, AuditFilter, AuditKept, UnixMillis};

use crate::lang::Lang;
use crate::layout;
use crate::refused::Refused;
use crate::role::Role;
use crate::seat::Seat;
use crate::shown::{address, asked, at, next, outcome, table};

/// How many entries a page has.
const PAGE: usize = 100;
/// What entries are looked for by: field, and its name in both languages.
const FILTERS: [(&str, &str, &str); 3] = [
    ("key", "Access key", "AccessKey"),
    ("since", "Since, such as 1h or 2026-01-31T08:00:00Z", "起始，如 1h 或 2026-01-31T08:00:00Z"),
    ("until", "Until, in the same forms", "截止，格式相同"),
];

/// The list.
pub(crate) async fn list(seat: Seat, RawQuery(query): RawQuery) -> Response {
    let lang = seat.lang;
    let title = lang.say("Audit log", "审计日志");
    let given = FILTERS.map(|(name, ..)| (name, asked(query.as_deref(), name)));
    let before = asked(query.as_deref(), "before").parse().ok();
    let form = filter(lang, &given);
    let found = match wanted(&given, before) {
        Ok(filter) => told(&seat, &filter).await,
        Err(why) => Err(why),
    };
    match found {
        Ok(found) => {
            let last = found.get(PAGE - 1).map(|kept| kept.place.to_string());
            let mut pairs: Vec<_> = given.iter().map(|(name, value)| (*name, value.as_str())).collect();
            pairs.extend(last.iter().map(|last| ("before", last.as_str())));
            let behind = last.is_some().then(|| address("/audit", &pairs));
            let body = html! { (form) (entries(lang, title, &found)) (next(lang, behind)) };
            layout::page(&seat, title, &body).into_response()
        }
        Err(why) => {
            let body = html! { (form) (layout::refused(lang, &why)) };
            (StatusCode::UNPROCESSABLE_ENTITY, layout::page(&seat, title, &body)).into_response()
        }
    }
}

async fn told(seat: &Seat, filter: &AuditFilter) -> Result<Vec<AuditKept>, Refused> {
    seat.must_be(Role::Look)?;
    let found = seat.desk.operations.audited(filter, PAGE).await;
    found.map_err(|text| Refused { code: "503".to_owned(), text })
}

fn wanted(given: &[(&str, String); 3], before: Option<i64>) -> Result<AuditFilter, Refused> {
    let [(_, key), (_, since), (_, until)] = given;
    let now = UnixMillis::now();
    Ok(AuditFilter {
        key: (!key.is_empty()).then(|| key.clone()),
        since: time(since, now)?,
        until: time(until, now)?,
        before,
    })
}

/// A moment: so long ago, or as RFC 3339 writes it.
fn time(text: &str, now: UnixMillis) -> Result<Option<UnixMillis>, Refused> {
    if text.is_empty() {
        return Ok(None);
    }
    let ago = |ago: Duration| UnixMillis(now.0.saturating_sub(i64::try_from(ago.as_millis()).unwrap_or(i64::MAX)));
    let exact = || humantime::parse_rfc3339_weak(text).ok()?.duration_since(SystemTime::UNIX_EPOCH).ok();
    let exact = || Some(UnixMillis(i64::try_from(exact()?.as_millis()).ok()?));
    match humantime::parse_duration(text).ok().map(ago).or_else(exact) {
        Some(at) => Ok(Some(at)),
        None => {
            let text = format!(
                "{text:?} is no time; right is how long ago, such as 1h, or a moment such as 2026-01-31T08:00:00Z"
            );
            Err(Refused { code: "422".to_owned(), text })
        }
    }
}

fn filter(lang: Lang, given: &[(&str, String); 3]) -> Markup {
    html! {
        form.inline method="get" action="/audit" role="search" {
            @for ((name, english, chinese), (_, value)) in FILTERS.iter().zip(given) {
                label for=(name) { (lang.say(english, chinese)) }
                input id=(name) name=(name) type="text" value=(value);
            }
            button type="submit" { (lang.say("Show", "查询")) }
        }
    }
}

fn entries(lang: Lang, title: &str, found: &[AuditKept]) -> Markup {
    let heads = [
        lang.say("At", "时间"),
        lang.say("Key", "密钥"),
        lang.say("What", "操作"),
        lang.say("About", "对象"),
        lang.say("Outcome", "结果"),
        lang.say("By", "途径"),
        lang.say("From", "来源"),
    ];
    let rows: Vec<_> = found.iter().map(|kept| row(lang, &kept.entry)).collect();
    table(title, &heads, &rows, lang.say("No such entry.", "没有匹配的记录。"))
}

fn row(lang: Lang, entry: &AuditEntry) -> Vec<Markup> {
    let key = match &entry.key {
        Some(key) => html! { a href=(address("/audit", &[("key", key)])) { (key) } },
        None => html! { span.hint { (lang.say("nobody known", "未知")) } },
    };
    let door = match entry.door {
        AuditDoor::Console => lang.say("console", "控制台"),
        AuditDoor::Api => "API",
        AuditDoor::Command => lang.say("command line", "命令行"),
    };
    vec![
        at(entry.at),
        key,
        html! { code { (entry.action) } },
        html! { (entry.target) },
        outcome(&entry.outcome),
        html! { (door) },
        html! { (entry.address.map(|address| address.to_string()).unwrap_or_default()) },
    ]
}

#[cfg(test)]
mod tests {
    //! The times that may be asked for.

    use super::*;

    #[test]
    fn a_time_is_so_long_ago_or_a_moment() {
        let now = UnixMillis(10_000_000);
        assert_eq!(time("", now), Ok(None));
        assert_eq!(time("1h", now), Ok(Some(UnixMillis(6_400_000))));
        assert_eq!(time("1970-01-01T00:00:01Z", now), Ok(Some(UnixMillis(1000))));
        assert_eq!(time("1970-01-01 00:00:01", now), Ok(Some(UnixMillis(1000))));
        assert!(time("yesterday", now).unwrap_err().text.contains("right is"));
    }
}
