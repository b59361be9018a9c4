//! What needs attention, with the way to mend it.

use maud::{Markup, html};
use serde_json::Value;

use super::limits::{Limit, NEAR};
use crate::history::Span;
use crate::lang::Lang;
use crate::operations::Condition;
use crate::seat::Seat;
use crate::shown::{address, list as values, number, part, table, text};

/// So many calls, and this share of them failed, and it needs attention.
const CALLS_MIN: f64 = 10.0;
const FAILED_SHARE: f64 = 0.5;

/// Something to look at.
struct Finding {
    what: String,
    why: Markup,
}

/// All there is, first of all; that all is well, if there is nothing.
pub(super) async fn show(seat: &Seat, limits: &[Limit], instances: &Value, hour: &Span) -> Markup {
    let lang = seat.lang;
    let conditions = seat.desk.operations.conditions();
    let mut found: Vec<_> = conditions.iter().filter_map(failing).collect();
    found.extend(refused_plugins(seat).await);
    found.extend(silent_products(seat).await);
    found.extend(failing_calls(lang, hour));
    found.extend(limits.iter().filter(|limit| limit.share() >= NEAR).map(|limit| near(lang, limit)));
    let unlike = values(instances, &["problems"]).iter().filter_map(Value::as_str);
    found.extend(unlike.map(|why| Finding { what: lang.say("Instances", "实例").to_owned(), why: html! { (why) } }));
    html! {
        section {
            @if found.is_empty() {
                p.well { (lang.say("All is well.", "一切正常。")) }
            } @else {
                h2 { (lang.say("Needs attention", "需要处理")) }
                @for Finding { what, why } in &found { div.problem { strong { (what) } p { (why) } } }
            }
            details { summary { (lang.say("All conditions", "全部条件")) } (all(lang, &conditions)) }
        }
    }
}

fn failing(condition: &Condition) -> Option<Finding> {
    let why = condition.failure.as_ref()?;
    Some(Finding { what: condition.name.clone(), why: html! { (why) } })
}

async fn refused_plugins(seat: &Seat) -> Vec<Finding> {
    let lang = seat.lang;
    let plugins = seat.ask("/plugins").await.unwrap_or_default();
    let refused = values(&plugins, &[]).iter().filter(|plugin| !text(plugin, "error").is_empty());
    let finding = |plugin: &Value| Finding {
        what: format!("{} {}", lang.say("Plugin refused:", "插件被拒绝："), text(plugin, "file")),
        why: html! { (text(plugin, "error")) " " a href="/plugins" { (lang.say("Mend the file and reload it there.", "修复文件后在插件页面重新加载。")) } },
    };
    refused.map(finding).collect()
}

async fn silent_products(seat: &Seat) -> Vec<Finding> {
    let lang = seat.lang;
    let silent = seat.ask("/silent-products").await.unwrap_or_default();
    let finding = |product: &Value| {
        let key = text(product, "product");
        let timeouts = address("/calls", &[("product", &key), ("outcome", "timeout")]);
        Finding {
            what: format!("{} {key}", lang.say("No device answers:", "设备无应答：")),
            why: html! {
                (lang.say("Calls without an answer in a row: ", "连续未应答的调用：")) (number(product, "calls")) ". "
                (lang.say("Devices may be called on a topic that they do not hear: ", "设备可能没有订阅调用所用的 Topic："))
                a href=(format!("/products/{}", part(&key))) { (lang.say("the product's sync topic", "产品的同步 Topic 设置")) } ", "
                a href=(timeouts) { (lang.say("its calls", "相关调用")) } "."
            },
        }
    };
    values(&silent, &[]).iter().map(finding).collect()
}

/// Calls of the last hour, where many failed.
fn failing_calls(lang: Lang, hour: &Span) -> Option<Finding> {
    let (all, failed) = (hour.calls(), hour.failed());
    if all < CALLS_MIN || failed < all * FAILED_SHARE {
        return None;
    }
    let (most, _) = hour.ends.iter().filter(|(word, _)| *word != "ok").max_by(|(_, a), (_, b)| a.total_cmp(b))?;
    let which = address("/calls", &[("outcome", most), ("since", "1h")]);
    let what = lang.say("Many calls fail: ", "大量调用失败：");
    let why = html! {
        (failed) " / " (all) " " (lang.say("in the last hour, most of them as ", "（最近一小时），其中最多的是 "))
        a href=(which) { (most) } ". " (lang.say("Each one's page says why, and what to check.", "每个调用的页面说明原因和检查项。"))
    };
    Some(Finding { what: what.to_owned(), why })
}

fn near(lang: Lang, limit: &Limit) -> Finding {
    let what = format!("{} {}", lang.say("A limit is near:", "接近上限："), limit.name);
    let mend = lang.say(
        "deploy/thingcall.example.toml says of each limit what it bounds; raise it, or lighten the load.",
        "deploy/thingcall.example.toml 说明了各上限的含义；请调高上限或减轻负载。",
    );
    Finding { what, why: html! { (limit.figures()) ". " (mend) } }
}

fn all(lang: Lang, conditions: &[Condition]) -> Markup {
    let rows = conditions.iter().map(|it| {
        let (kind, state) = match it.failure {
            None => ("good", lang.say("holds", "正常")),
            Some(_) => ("bad", lang.say("does not hold", "异常")),
        };
        vec![
            html! { (it.name) },
            html! { span.outcome.(kind) { (state) } },
            html! { time data-ms=(it.since.0) { (it.since.0) } },
        ]
    });
    let heads = [lang.say("Condition", "条件"), lang.say("State", "状态"), lang.say("Since", "起始时间")];
    table(lang.say("Conditions", "条件"), &heads, &rows.collect::<Vec<_>>(), "")
}
