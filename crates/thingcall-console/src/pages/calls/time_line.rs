//! The time line of a call, to scale.

use maud::{Markup, html};
use serde_json::Value;

use crate::lang::Lang;
use crate::shown::text;

/// A step: its name, and from when to when it was, in microseconds since the request came.
struct Step<'a> {
    name: &'a str,
    from: u64,
    to: u64,
}

/// The step in which a call waited in vain for its device's answer.
const WAITED: &str = "waited";

/// Steps as the records have them, in words: what ended then.
fn words(lang: Lang, step: &str) -> &str {
    match step {
        "checked" => lang.say("checked", "已校验"),
        "handlerBegan" => lang.say("given to the plugin", "交给插件"),
        "turn" => lang.say("its turn at the device came", "轮到该设备"),
        "sent" => lang.say("sent", "已发送"),
        "acked" => lang.say("acknowledged", "已确认"),
        "answered" => lang.say("answered by the device", "设备已应答"),
        "handlerEnded" => lang.say("the plugin was done", "插件完成"),
        WAITED => lang.say("waited in vain for the device's answer", "等待设备应答，未收到"),
        "told" => lang.say("told to the caller", "已返回调用方"),
        other => other,
    }
}

/// Whose time a step is: the device's and the network's, the plugin's, or the server's own.
fn whose(step: &str) -> &'static str {
    match step {
        "acked" | "answered" | WAITED => "device",
        "handlerEnded" => "plugin",
        "turn" => "turn",
        _ => "own",
    }
}

fn read(call: &Value) -> Vec<Step<'_>> {
    let times = call.get("timesUs").and_then(Value::as_object).into_iter().flatten();
    let mut steps: Vec<_> = times.filter_map(|(name, at)| Some((name.as_str(), at.as_u64()?))).collect();
    steps.sort_by_key(|(_, at)| *at);
    let mut from = 0;
    // What ended without an answer waited for one until then.
    let unanswered = text(call, "outcome") == "timeout" && steps.iter().any(|(name, _)| *name == "sent");
    let named = |name| if unanswered && name == "told" { WAITED } else { name };
    let steps =
        steps.into_iter().map(|(name, to)| Step { name: named(name), from: std::mem::replace(&mut from, to), to });
    steps.collect()
}

/// A table with a bar for each step, all on one scale.
pub(super) fn draw(lang: Lang, call: &Value) -> Markup {
    let steps = read(call);
    let Some(whole) = steps.last().map(|step| step.to.max(1)) else { return html! {} };
    let title = lang.say("Time line", "时间线");
    html! {
        h2 { (title) }
        div.wide tabindex="0" role="region" aria-label=(title) {
            table.line {
                caption { (lang.say("Since the request came; the bars are to scale.", "自请求到达起；条形按比例绘制。")) }
                thead { tr {
                    th scope="col" { (lang.say("Step", "步骤")) }
                    th scope="col" { (lang.say("At", "时刻")) }
                    th scope="col" { (lang.say("Took", "耗时")) }
                    th scope="col" { (lang.say("Share", "占比")) }
                } }
                tbody { @for step in &steps { (bar(lang, step, whole)) } }
            }
        }
        p.hint { span.swatch.own {} " " (lang.say("server", "服务器")) " " span.swatch.device {} " " (lang.say("device and network", "设备与网络")) " " span.swatch.plugin {} " " (lang.say("plugin", "插件")) " " span.swatch.turn {} " " (lang.say("waiting for its turn", "排队")) }
    }
}

fn bar(lang: Lang, step: &Step<'_>, whole: u64) -> Markup {
    let took = step.to - step.from;
    let share = took * 1000 / whole;
    // Also the shortest step can be seen.
    let width = scaled(took, whole).max(4.0);
    html! {
        tr {
            th scope="row" { (words(lang, step.name)) }
            td.number { (millis(step.to)) }
            td.number { (millis(took)) }
            td {
                svg viewBox="0 0 1000 16" preserveAspectRatio="none" aria-hidden="true" {
                    rect class=(whose(step.name)) x=(format!("{:.2}", scaled(step.from, whole).min(1000.0 - width))) y="2" height="12" width=(format!("{width:.2}")) {}
                }
                span.number { (format!("{}.{} %", share / 10, share % 10)) }
            }
        }
    }
}

/// Thousandths of the whole.
fn scaled(micros: u64, whole: u64) -> f64 {
    micros as f64 * 1000.0 / whole as f64
}

fn millis(micros: u64) -> String {
    format!("{}.{:03} ms", micros / 1000, micros % 1000)
}

#[cfg(test)]
mod tests;
