//! How calls went in the last hour: how many a second, how they ended, how long they took and how much of that their devices had.

use maud::{Markup, html};
use thingcall_core::UnixMillis;

use crate::figures::{Buckets, Figures};
use crate::history::{History, Look, Span};
use crate::lang::Lang;
use crate::shown::{address, outcome, table};

/// So many looks are a bar of the chart: a minute.
const LOOKS_EACH: usize = 6;
/// The chart, in its own units.
const WIDTH: f64 = 610.0;
const HEIGHT: f64 = 100.0;
/// A bar and the space beside it, for an hour of minutes and the one that goes on.
const STEP: f64 = 10.0;

/// The section.
pub(super) fn show(lang: Lang, history: &History, now: &Look, figures: &Figures) -> Markup {
    let (minutes, hour) = (history.parts(LOOKS_EACH, now), history.whole(now));
    let pending = figures.sum("thingcall_pending_calls").unwrap_or_default();
    let limit = figures.sum("thingcall_pending_calls_limit").unwrap_or_default();
    html! {
        section {
            h2 { (lang.say("Calls in the last hour", "最近一小时的调用")) }
            (chart(lang, &minutes))
            p {
                (lang.say("Waiting now: ", "当前等待：")) span.number { (pending) " / " (limit) } " "
                meter min="0" max=(limit) high=(limit * 0.8) value=(pending) aria-label=(lang.say("Calls that wait", "等待中的调用")) {}
            }
            div.sides { (ends(lang, &hour)) (times(lang, &hour)) }
        }
    }
}

fn chart(lang: Lang, minutes: &[Span]) -> Markup {
    let rate = |span: &Span| if span.seconds() > 0.0 { span.calls() / span.seconds() } else { 0.0 };
    let most = minutes.iter().map(rate).fold(0.0, f64::max);
    if most <= 0.0 {
        return html! { p.none { (lang.say("No call ended in the last hour. The explorer makes a first one.", "最近一小时没有调用。可在“API 调试”中发起第一次调用。")) } };
    }
    let first = WIDTH - minutes.len() as f64 * STEP;
    let caption =
        lang.say("Calls a second, each minute; the upper part of a bar failed", "每分钟的每秒调用数；上部为失败");
    html! {
        figure.chart {
            svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) preserveAspectRatio="none" role="img" aria-label=(caption) {
                @for (number, span) in minutes.iter().enumerate() {
                    (bar(first + number as f64 * STEP, rate(span) / most * HEIGHT, span))
                }
            }
            figcaption { (caption) ". " (lang.say("Most: ", "最高：")) span.number { (format!("{most:.2}/s")) } }
        }
        details { summary { (lang.say("The numbers", "数据")) } (numbers(lang, minutes)) }
    }
}

/// A minute: what succeeded stands on the ground, what failed above it.
fn bar(x: f64, height: f64, span: &Span) -> Markup {
    let failed = if span.calls() > 0.0 { height * span.failed() / span.calls() } else { 0.0 };
    let (left, width) = (format!("{:.1}", x + 1.0), format!("{:.1}", STEP - 2.0));
    html! {
        rect x=(left) width=(width) y=(format!("{:.2}", HEIGHT - height + failed)) height=(format!("{:.2}", height - failed)) {}
        @if failed > 0.0 { rect.failed x=(left) width=(width) y=(format!("{:.2}", HEIGHT - height)) height=(format!("{failed:.2}")) {} }
    }
}

fn numbers(lang: Lang, minutes: &[Span]) -> Markup {
    let rows = minutes.iter().rev().filter(|span| span.calls() > 0.0).map(|span| {
        vec![
            at(span.from),
            html! { (span.calls()) },
            html! { (span.failed()) },
            html! { (format!("{:.2}", span.calls() / span.seconds().max(0.001))) },
        ]
    });
    let heads = [
        lang.say("From", "起始"),
        lang.say("Calls", "调用次数"),
        lang.say("Failed", "失败"),
        lang.say("Calls a second", "每秒调用数"),
    ];
    table(
        lang.say("Minutes with calls, the newest first", "有调用的分钟（最新在前）"),
        &heads,
        &rows.collect::<Vec<_>>(),
        "",
    )
}

fn at(moment: UnixMillis) -> Markup {
    html! { time data-ms=(moment.0) { (moment.0) } }
}

/// How calls ended.
fn ends(lang: Lang, hour: &Span) -> Markup {
    let all = hour.calls();
    let mut ends: Vec<_> = hour.ends.iter().filter(|(_, count)| **count > 0.0).collect();
    ends.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    let rows = ends.into_iter().map(|(word, count)| {
        let share = count / all.max(1.0);
        vec![
            html! { a href=(address("/calls", &[("outcome", word), ("since", "1h")])) { (outcome(word)) } },
            html! { (count) },
            html! { meter min="0" max="1" value=(format!("{share:.4}")) aria-label=(word) {} " " (format!("{:.1} %", share * 100.0)) },
        ]
    });
    let heads = [lang.say("Outcome", "结果"), lang.say("Calls", "调用次数"), lang.say("Share", "占比")];
    html! { div { (table(lang.say("By their end", "按结果统计"), &heads, &rows.collect::<Vec<_>>(), "")) } }
}

/// How long synchronous calls took, and their devices.
fn times(lang: Lang, hour: &Span) -> Markup {
    if hour.whole.count() <= 0.0 {
        return html! {};
    }
    let row = |name: &str, buckets: &Buckets| {
        let cell = |share: f64| html! { span.number { (within(buckets, share)) } };
        vec![html! { (name) }, cell(0.5), cell(0.95), cell(0.99)]
    };
    let rows = [
        row(lang.say("The whole call", "整个调用"), &hour.whole),
        row(lang.say("Its device", "其中设备"), &hour.device),
    ];
    let caption = lang.say("How long synchronous calls took, as far as buckets tell", "同步调用耗时（按分桶统计）");
    html! { div { (table(caption, &["", "p50", "p95", "p99"], &rows, "")) } }
}

/// The bucket in which this share of them lies.
fn within(buckets: &Buckets, share: f64) -> String {
    let millis = |seconds: f64| format!("{}", (seconds * 1000.0).round());
    match buckets.quantile(share) {
        None => "-".to_owned(),
        Some((below, above)) if above.is_infinite() => format!("> {} ms", millis(below)),
        Some((0.0, above)) => format!("≤ {} ms", millis(above)),
        Some((below, above)) => format!("{}–{} ms", millis(below), millis(above)),
    }
}
