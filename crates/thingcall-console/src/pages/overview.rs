//! Overview: what this server is, whether all is well, how calls went in the last hour, and how near its limits are.

use maud::{Markup, html};
use serde_json::Value;
use thingcall_core::UnixMillis;

use crate::figures::Figures;
use crate::history::Look;
use crate::lang::Lang;
use crate::layout;
use crate::operations::Instance;
use crate::role::Role;
use crate::seat::Seat;
use crate::shown::{facts, list as values, moment, table, text};

mod attention;
mod flow;
mod limits;

/// The page.
pub(crate) async fn show(seat: Seat) -> Markup {
    let lang = seat.lang;
    let operations = &seat.desk.operations;
    let instance = operations.instance();
    let title = lang.say("Overview", "概览");
    if let Err(why) = seat.must_be(Role::Look) {
        let body = html! { (what_it_is(lang, &instance)) (layout::refused(lang, &why)) };
        return layout::page(&seat, title, &body);
    }
    let figures = Figures::read(&operations.metrics());
    let now = Look::of(&figures, UnixMillis::now());
    let limits = limits::read(&figures);
    let instances = seat.ask("/instances").await.unwrap_or_default();
    let body = html! {
        (attention::show(&seat, &limits, &instances, &seat.desk.history.whole(&now)).await)
        (flow::show(lang, &seat.desk.history, &now, &figures))
        (transports(lang, &figures))
        (what_it_is(lang, &instance))
        (others(lang, &instances))
        (limits::show(lang, &limits))
    };
    layout::page(&seat, title, &body)
}

/// The ways to devices: up since when, and how long acknowledgements take.
fn transports(lang: Lang, figures: &Figures) -> Markup {
    let up = figures.by("thingcall_transport_up", "transport");
    let since = figures.by("thingcall_transport_last_connect_timestamp_seconds", "transport");
    let queues = figures.by("thingcall_transport_send_queue_length", "transport");
    let acks = figures.by("thingcall_transport_publish_ack_seconds_count", "transport");
    let took = figures.by("thingcall_transport_publish_ack_seconds_sum", "transport");
    let of = |all: &std::collections::BTreeMap<String, f64>, name: &str| all.get(name).copied().unwrap_or_default();
    let rows = up.iter().map(|(name, up)| {
        let (kind, word) =
            if *up > 0.0 { ("good", lang.say("up", "正常")) } else { ("bad", lang.say("down", "断开")) };
        let count = of(&acks, name);
        let mean = if count > 0.0 { format!("{:.2} ms", of(&took, name) / count * 1000.0) } else { "-".to_owned() };
        vec![
            html! { code { (name) } },
            html! { span.outcome.(kind) { (word) } },
            html! { time data-ms=(of(&since, name) * 1000.0) { (of(&since, name)) } },
            html! { (mean) },
            html! { (of(&queues, name)) },
        ]
    });
    let heads = [
        lang.say("Transport", "通道"),
        lang.say("State", "状态"),
        lang.say("Since", "起始时间"),
        lang.say("Publish to acknowledgement, mean", "发布到确认的平均耗时"),
        lang.say("Waiting to be sent", "待发送"),
    ];
    html! {
        section {
            h2 { (lang.say("Ways to devices", "设备通道")) }
            (table(lang.say("Transports", "通道"), &heads, &rows.collect::<Vec<_>>(), ""))
        }
    }
}

/// The instances that share the store, where it is shared.
fn others(lang: Lang, told: &Value) -> Markup {
    let instances = values(told, &["instances"]);
    if instances.is_empty() {
        return html! {};
    }
    let rows = instances.iter().map(|one| {
        vec![
            html! { code { (text(one, "name")) } },
            html! { (text(one, "version")) },
            moment(&text(one, "since")),
            html! { code { (text(one, "api")) } },
            html! { (text(one, "calls")) },
        ]
    });
    let heads = [
        lang.say("Instance", "实例"),
        lang.say("Version", "版本"),
        lang.say("Since", "起始时间"),
        "API",
        lang.say("Calls in hand", "处理中的调用"),
    ];
    html! {
        section {
            h2 { (lang.say("Instances of this store", "共享存储的实例")) }
            (table(lang.say("Instances", "实例"), &heads, &rows.collect::<Vec<_>>(), ""))
        }
    }
}

fn what_it_is(lang: Lang, instance: &Instance) -> Markup {
    let listeners =
        html! { ul.plain { @for (name, address) in &instance.listeners { li { code { (name) "=" (address) } } } } };
    let id = instance
        .id
        .as_deref()
        .unwrap_or(lang.say("none: IotInstanceId may be left out", "未设置：可省略 IotInstanceId"));
    html! {
        section {
            h2 { (lang.say("This server", "本服务器")) }
            (facts(&[
                (lang.say("Instance", "实例"), html! { code { (instance.name) } }),
                ("IotInstanceId", html! { (id) }),
                (lang.say("Version", "版本"), html! { (instance.version) }),
                (lang.say("Started", "启动时间"), html! { time data-ms=(instance.started_at.0) { (instance.started_at.0) } }),
                (lang.say("Listens at", "监听地址"), listeners),
            ]))
        }
    }
}
