//! A request as code, on its page.

use std::net::SocketAddr;

use axum::http::HeaderMap;
use axum::http::header::HOST;
use maud::{Markup, html};
use thingcall_core::ActionSheet;

use super::choosing::{Chosen, Use};
use super::model::{Input, Kind};
use crate::given::Given;
use crate::lang::Lang;
use crate::samples::{self, Ask, DeviceSide, Sample};
use crate::seat::Seat;

/// Where one of the server's listeners is found from where the page is looked at: one that listens on all addresses has the name
/// under which the console was found.
fn found_at(headers: &HeaderMap, address: SocketAddr) -> (String, u16) {
    if !address.ip().is_unspecified() {
        let host = if address.is_ipv6() { format!("[{}]", address.ip()) } else { address.ip().to_string() };
        return (host, address.port());
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("127.0.0.1");
    let end = host.rfind(':').filter(|colon| !host[*colon..].contains(']')).unwrap_or(host.len());
    (host[..end].to_owned(), address.port())
}

/// All samples.
pub(super) fn section(
    seat: &Seat,
    headers: &HeaderMap,
    (sheet, given): (&ActionSheet, &[Given]),
    chosen: &Chosen,
) -> Markup {
    let lang = seat.lang;
    let listeners = seat.desk.operations.instance().listeners;
    let at = |name: &str| listeners.iter().find(|(other, _)| *other == name).map(|(_, address)| *address);
    let Some(api) = at("api") else { return html! {} };
    let (host, port) = found_at(headers, api);
    let endpoint = format!("{host}:{port}");
    let mut all = samples::all(&Ask { endpoint: &endpoint, action: sheet.name, params: given });
    if chosen.uses == Use::Service {
        all.extend(at("mqtt").map(|mqtt| of_device(&found_at(headers, mqtt), chosen)));
    }
    html! {
        section {
            h2 { (lang.say("As code", "代码示例")) }
            p.hint { (lang.say(
                "The key is taken from ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET. No sample gives up before a call may end.",
                "密钥取自环境变量 ALIBABA_CLOUD_ACCESS_KEY_ID 和 ALIBABA_CLOUD_ACCESS_KEY_SECRET；超时均大于同步调用的最长等待时间。",
            )) }
            @for sample in all { (one(lang, &sample)) }
        }
    }
}

fn of_device((host, port): &(String, u16), chosen: &Chosen) -> Sample {
    let or = |text: &str, other: &str| if text.is_empty() { other.to_owned() } else { text.to_owned() };
    let service = chosen.service();
    let (product, device) = (or(chosen.product(), "myProduct"), or(chosen.device(), "dev1"));
    let id = service.map_or("myModule:myService", |service| &service.id);
    let answer = service.map_or_else(|| "{}".to_owned(), |service| some(&service.outputs));
    samples::of_device(&DeviceSide {
        broker: (host, *port),
        product: &product,
        device: &device,
        service: id,
        answer: &answer,
    })
}

/// Some values that the outputs of a service may have.
fn some(outputs: &[Input]) -> String {
    let each =
        outputs.iter().map(|output| format!("{}:{}", serde_json::Value::from(output.id.as_str()), value(&output.kind)));
    format!("{{{}}}", each.collect::<Vec<_>>().join(","))
}

fn value(kind: &Kind) -> String {
    let number = |min: &str, kind: &Kind| super::args::plain(kind, if min.is_empty() { "0" } else { min });
    match kind {
        Kind::Int(range) | Kind::Decimal(range) => number(&range.min, kind),
        Kind::Named(words) => words.first().map_or_else(|| "0".to_owned(), |(number, _)| number.clone()),
        Kind::Text { .. } => "\"\"".to_owned(),
        Kind::Date => "\"0\"".to_owned(),
        Kind::Struct(members) => some(members),
        Kind::Array { .. } => "[]".to_owned(),
        Kind::Json(_) => "null".to_owned(),
    }
}

fn one(lang: Lang, sample: &Sample) -> Markup {
    html! {
        details.sample data-copy=(lang.say("Copy", "复制")) data-copied=(lang.say("Copied", "已复制")) {
            summary { (sample.name) }
            p.hint { code { (sample.needs) } }
            pre tabindex="0" { code id=(format!("code-{}", sample.id)) { (sample.code) } }
        }
    }
}
