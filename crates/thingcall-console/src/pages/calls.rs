//! Calls: those that are kept, by what one looks for.

use axum::extract::RawQuery;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde_json::Value;

use crate::cell::Cell;
use crate::lang::Lang;
use crate::layout;
use crate::live::{self, Row};
use crate::seat::Seat;
use crate::shown::{address, asked, list as values, next, number, part, table, text};

mod following;
mod one;
mod time_line;
mod why;

pub(crate) use following::follow;
pub(crate) use one::{again, cancel, show};

/// How many calls a page has.
const PAGE: &str = "100";
/// What calls are looked for by, with the names of the operator's listener.
const FILTERS: [(&str, &str, &str); 8] = [
    ("device", "Device (PRODUCTKEY/DEVICENAME)", "设备 (PRODUCTKEY/DEVICENAME)"),
    ("product", "Product key", "ProductKey"),
    ("service", "Service", "服务"),
    ("outcome", "Outcome", "结果"),
    ("action", "API action", "接口"),
    ("key", "Access key", "AccessKey"),
    ("since", "From (UTC)", "开始时间 (UTC)"),
    ("until", "To (UTC)", "结束时间 (UTC)"),
];
/// How a call may end, as records have it.
const OUTCOMES: [&str; 18] = [
    "ok",
    "device_error",
    "timeout",
    "offline",
    "not_delivered",
    "invalid_args",
    "invalid_reply",
    "too_large",
    "unknown_target",
    "denied",
    "throttled",
    "overloaded",
    "transport_down",
    "plugin_failed",
    "cancelled",
    "draining",
    "no_lease",
    "internal",
];
/// How far back one looks with one click.
const AGES: [(&str, &str, &str); 3] =
    [("15m", "last 15 minutes", "最近 15 分钟"), ("1h", "last hour", "最近 1 小时"), ("24h", "last day", "最近 1 天")];

/// What somebody looks for.
struct Wanted(Vec<(&'static str, String)>);

impl Wanted {
    fn read(query: Option<&str>) -> Self {
        Self(FILTERS.iter().map(|(name, ..)| (*name, asked(query, name))).collect())
    }

    fn value(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
    }

    /// As the operator's listener reads it.
    fn pairs(&self) -> Vec<(&str, String)> {
        let as_moment = |name: &str, value: &str| match name {
            // What a browser's field for a moment gives.
            "since" | "until" if value.contains('T') && !value.ends_with('Z') => match value.len() {
                16 => format!("{value}:00Z"),
                _ => format!("{value}Z"),
            },
            _ => value.to_owned(),
        };
        self.0.iter().map(|(name, value)| (*name, as_moment(name, value))).collect()
    }

    /// The same, but for another age.
    fn of_age(&self, age: &str) -> String {
        let pairs = self.0.iter().map(|(name, value)| match *name {
            "since" => ("since", age),
            "until" => ("until", ""),
            other => (other, value.as_str()),
        });
        address("/calls", &pairs.collect::<Vec<_>>())
    }
}

/// The list.
pub(crate) async fn list(seat: Seat, RawQuery(query): RawQuery) -> Response {
    let lang = seat.lang;
    let id = asked(query.as_deref(), "id");
    if !id.is_empty() {
        return Redirect::to(&format!("/calls/{}", part(&id))).into_response();
    }
    let wanted = Wanted::read(query.as_deref());
    let before = asked(query.as_deref(), "before");
    let pairs = wanted.pairs();
    let mut pairs: Vec<_> = pairs.iter().map(|(name, value)| (*name, value.as_str())).collect();
    pairs.extend([("limit", PAGE), ("before", &before)]);
    let found = match seat.ask(&address("/calls", &pairs)).await {
        Err(why) => layout::refused(lang, &why),
        Ok(found) => {
            let after = text(&found, "next");
            pairs.retain(|(name, _)| !["limit", "before"].contains(name));
            let is_now = before.is_empty() && wanted.value("until").is_empty();
            let live = is_now.then(|| address("/calls/live", &pairs));
            pairs.push(("before", &after));
            let behind = (!after.is_empty()).then(|| address("/calls", &pairs));
            html! { (listed(lang, values(&found, &["calls"]), live.as_deref())) (next(lang, behind)) }
        }
    };
    let body = html! { (filter(lang, &wanted)) @if before.is_empty() { (open(&seat).await) } (found) };
    layout::page(&seat, lang.say("Calls", "调用"), &body).into_response()
}

/// A table of calls, to which new ones come where nothing stands before it and it is of no time that is over.
fn listed(lang: Lang, calls: &[Value], live: Option<&str>) -> Markup {
    let heads = [
        lang.say("At", "时间"),
        "ID",
        lang.say("Device", "设备"),
        lang.say("Service", "服务"),
        lang.say("Outcome", "结果"),
        lang.say("Code", "错误码"),
        "ms",
        lang.say("Key", "密钥"),
    ];
    let none = lang.say(
        "No such call is kept. By default those are kept that failed or were asynchronous; [records] keep = \"all\" keeps every one.",
        "没有匹配的调用记录。默认只保留失败和异步的调用；配置 [records] keep = \"all\" 可保留全部。",
    );
    let caption = lang.say("Calls, the newest first", "调用（最新在前）");
    let rows: Vec<_> = calls.iter().map(cells).collect();
    match live {
        None => {
            let rows: Vec<Vec<_>> = rows.iter().map(|cells| cells.iter().map(Cell::markup).collect()).collect();
            table(caption, &heads, &rows, none)
        }
        Some(path) => {
            let rows: Vec<_> = rows.into_iter().map(|cells| Row { place: String::new(), cells }).collect();
            html! {
                @if rows.is_empty() { p.none { (none) } }
                (live::table(lang, path, (caption, &heads), &rows))
            }
        }
    }
}

fn filter(lang: Lang, wanted: &Wanted) -> Markup {
    html! {
        form.filter method="get" action="/calls" role="search" {
            p { label for="id" { (lang.say("RequestId or MessageId", "RequestId 或 MessageId")) } input id="id" name="id" type="text"; }
            @for (name, english, chinese) in FILTERS {
                p {
                    label for=(name) { (lang.say(english, chinese)) }
                    (field(lang, name, wanted.value(name)))
                }
            }
            p { button type="submit" { (lang.say("Show", "查询")) } }
        }
        p.ages {
            @for (age, english, chinese) in AGES { a href=(wanted.of_age(age)) aria-current=[(wanted.value("since") == age).then_some("true")] { (lang.say(english, chinese)) } " " }
            a href=(address("/calls", &[])) { (lang.say("all", "全部")) }
        }
    }
}

fn field(lang: Lang, name: &str, value: &str) -> Markup {
    match name {
        "outcome" => html! {
            select id=(name) name=(name) {
                option value="" { (lang.say("any", "任意")) }
                @for word in OUTCOMES { option value=(word) selected[word == value] { (word) } }
            }
        },
        // An age, as the links have it, is none that such a field can show.
        "since" | "until" if value.is_empty() || value.contains('T') => {
            html! { input id=(name) name=(name) type="datetime-local" step="1" value=(value.trim_end_matches('Z')); }
        }
        _ => html! { input id=(name) name=(name) type="text" value=(value); },
    }
}

/// Calls that wait now, if there are any.
async fn open(seat: &Seat) -> Markup {
    let lang = seat.lang;
    let waiting = seat.ask("/pending?oldest=20").await.unwrap_or_default();
    let waiting = values(&waiting, &[]);
    if waiting.is_empty() {
        return html! {};
    }
    let rows: Vec<_> = waiting
        .iter()
        .map(|call| {
            let id = id_of(call);
            vec![
                html! { a href=(format!("/calls/{}", part(&id))) { code { (id) } } },
                device(&text(call, "device")),
                html! { code { (text(call, "identifier")) } },
                html! { (text(call, "waitsFor")) },
                html! { span.number { (format!("{:.1}", number(call, "ageMs") as f64 / 1000.0)) } },
            ]
        })
        .collect();
    let heads = [
        "ID",
        lang.say("Device", "设备"),
        lang.say("Service", "服务"),
        lang.say("Waits for", "等待"),
        lang.say("For s", "已等待 (秒)"),
    ];
    table(lang.say("Calls that wait, the oldest first", "等待中的调用（最早在前）"), &heads, &rows, "")
}

fn id_of(call: &Value) -> String {
    Some(text(call, "messageId")).filter(|id| !id.is_empty()).unwrap_or_else(|| text(call, "requestId"))
}

fn end_of(call: &Value) -> String {
    Some(text(call, "outcome")).filter(|word| !word.is_empty()).unwrap_or_else(|| text(call, "state"))
}

fn device(device: &str) -> Markup {
    match device.split_once('/') {
        Some((product, name)) => {
            html! { a href=(format!("/devices/{}/{}", part(product), part(name))) { (device) } }
        }
        None => html! { (device) },
    }
}

/// A row of the table.
fn cells(call: &Value) -> Vec<Cell> {
    let id = id_of(call);
    let device = text(call, "device");
    let device = match device.split_once('/') {
        Some((product, name)) => {
            Cell::Link { path: format!("/devices/{}/{}", part(product), part(name)), text: device }
        }
        None => Cell::Text(device),
    };
    let service = Some(text(call, "identifier")).filter(|service| !service.is_empty());
    vec![
        Cell::Moment(text(call, "acceptedAt")),
        Cell::Link { path: format!("/calls/{}", part(&id)), text: id },
        device,
        Cell::Code(service.unwrap_or_else(|| text(call, "action"))),
        Cell::Outcome(end_of(call)),
        Cell::Code(text(call, "code")),
        Cell::Text(text(call, "elapsedMs")),
        Cell::Text(text(call, "accessKeyId")),
    ]
}
