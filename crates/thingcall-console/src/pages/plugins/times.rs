//! What the metrics know of a plugin's calls: how they ended and how long they took.

use maud::{Markup, html};

use crate::figures::Figures;
use crate::lang::Lang;
use crate::shown::table;

/// How a plugin's calls ended since the start, and how long half, nearly all and all but one in a hundred of them took.
pub(super) fn of(lang: Lang, figures: &Figures, plugin: &str) -> Markup {
    let sum = |name: &str| {
        let own = figures.of(name).filter(|figure| figure.labels.get("plugin").is_some_and(|other| other == plugin));
        own.map(|figure| figure.value).sum::<f64>()
    };
    let ended: Vec<_> = figures
        .of("thingcall_plugin_calls_total")
        .filter(|figure| figure.labels.get("plugin").is_some_and(|other| other == plugin))
        .filter_map(|figure| Some((figure.labels.get("result")?.clone(), figure.value)))
        .collect();
    if ended.is_empty() {
        return html! {};
    }
    let rows: Vec<_> = ended.into_iter().map(|(result, count)| vec![html! { (result) }, html! { (count) }]).collect();
    let times =
        [0.5, 0.95, 0.99].map(|share| quantile(&buckets(figures, plugin), share).map_or_else(|| "–".to_owned(), shown));
    let heads = [lang.say("Ended", "结果"), lang.say("Calls since the start", "启动以来的调用数")];
    html! {
        p {
            (lang.say("Time in it, its devices' time included: ", "处理时间（含设备时间）："))
            "p50 " (times[0]) " · p95 " (times[1]) " · p99 " (times[2]) " · "
            (lang.say("held its thread too long: ", "占用线程过久：")) (sum("thingcall_plugin_stalls_total")) " × · "
            (lang.say("answered calls that had ended: ", "应答已结束的调用：")) (sum("thingcall_plugin_stale_total")) " ×"
        }
        details { summary { (lang.say("How its calls ended", "调用结果统计")) } (table(lang.say("Calls by how they ended", "按结果统计"), &heads, &rows, "")) }
    }
}

/// The bounds of its times in seconds, each with how many calls took no longer, in their order.
fn buckets(figures: &Figures, plugin: &str) -> Vec<(f64, f64)> {
    let own = figures.of("thingcall_plugin_call_duration_seconds_bucket");
    let own = own.filter(|figure| figure.labels.get("plugin").is_some_and(|other| other == plugin));
    let mut buckets: Vec<_> = own
        .filter_map(|figure| {
            let bound = figure.labels.get("le")?;
            let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().ok()? };
            Some((bound, figure.value))
        })
        .collect();
    buckets.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    buckets
}

/// The time that this share of the calls took at most, as far as the bounds tell; `None` if there was none.
fn quantile(buckets: &[(f64, f64)], share: f64) -> Option<f64> {
    let total = buckets.last().map(|(_, count)| *count).filter(|count| *count > 0.0)?;
    let wanted = total * share;
    let (mut low, mut below) = (0.0, 0.0);
    for (bound, count) in buckets {
        if *count >= wanted {
            let within = if *count > below { (wanted - below) / (count - below) } else { 0.0 };
            return Some(if bound.is_finite() { (bound - low).mul_add(within, low) } else { low });
        }
        (low, below) = (*bound, *count);
    }
    None
}

fn shown(seconds: f64) -> String {
    format!("≤ {:.1} ms", seconds * 1000.0)
}

#[cfg(test)]
mod tests;
