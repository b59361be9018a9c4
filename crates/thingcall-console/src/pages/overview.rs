//! Overview: what this server is, whether all is well, and how near its limits are.

use maud::{Markup, html};

use crate::figures::Figures;
use crate::lang::Lang;
use crate::layout;
use crate::operations::{Condition, Instance};
use crate::role::Role;
use crate::seat::Seat;
use crate::shown::{facts, table};

/// The prefix of all metrics.
const PREFIX: &str = "thingcall_";
/// What ends the name of a limit, beside the gauge of what it limits.
const LIMIT: &str = "_limit";

/// The page.
pub(crate) async fn show(seat: Seat) -> Markup {
    let lang = seat.lang;
    let instance = seat.desk.operations.instance();
    let title = lang.say("Overview", "概览");
    if let Err(why) = seat.must_be(Role::Look) {
        let body = html! { (what_it_is(lang, &instance)) (layout::refused(lang, &why)) };
        return layout::page(&seat, title, &body);
    }
    let conditions = seat.desk.operations.conditions();
    let figures = Figures::read(&seat.desk.operations.metrics());
    let body = html! {
        (well(lang, &conditions))
        (what_it_is(lang, &instance))
        (outcomes(lang, &figures))
        (limits(lang, &figures))
    };
    layout::page(&seat, title, &body)
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
                (lang.say("Listens at", "监听地址"), listeners),
            ]))
        }
    }
}

/// What needs attention, first of all.
fn well(lang: Lang, conditions: &[Condition]) -> Markup {
    let failing: Vec<_> = conditions.iter().filter_map(|it| Some((it, it.failure.as_ref()?))).collect();
    let all = conditions.iter().map(|it| {
        let state =
            if it.failure.is_none() { lang.say("holds", "正常") } else { lang.say("does not hold", "异常") };
        let kind = if it.failure.is_none() { "good" } else { "bad" };
        vec![html! { (it.name) }, html! { span.outcome.(kind) { (state) } }, since(it.since.0)]
    });
    let heads = [lang.say("Condition", "条件"), lang.say("State", "状态"), lang.say("Since", "起始时间")];
    html! {
        section {
            @if failing.is_empty() {
                p.well { (lang.say("All is well.", "一切正常。")) }
            } @else {
                h2 { (lang.say("Needs attention", "需要处理")) }
                @for (condition, why) in failing {
                    div.problem { strong { (condition.name) } p { (why) } }
                }
            }
            details { summary { (lang.say("All conditions", "全部条件")) }
                (table(lang.say("Conditions", "条件"), &heads, &all.collect::<Vec<_>>(), ""))
            }
        }
    }
}

fn since(millis: i64) -> Markup {
    html! { time data-ms=(millis) { (millis) } }
}

/// Calls since the start, by how they ended.
fn outcomes(lang: Lang, figures: &Figures) -> Markup {
    let by_outcome = figures.by("thingcall_calls_total", "outcome");
    let all: f64 = by_outcome.values().sum();
    let mut ends: Vec<_> = by_outcome.into_iter().filter(|(_, count)| *count > 0.0).collect();
    ends.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    let rows = ends.iter().map(|(outcome, count)| {
        let share = if all > 0.0 { count / all } else { 0.0 };
        vec![
            crate::shown::outcome(outcome),
            html! { (count) },
            html! { meter min="0" max="1" value=(format!("{share:.4}")) aria-label=(outcome) {} " " (format!("{:.1} %", share * 100.0)) },
        ]
    });
    let heads = [lang.say("Outcome", "结果"), lang.say("Calls", "调用次数"), lang.say("Share", "占比")];
    html! {
        section {
            h2 { (lang.say("Calls since the start", "启动以来的调用")) }
            (table(lang.say("Calls by their end", "按结果统计"), &heads, &rows.collect::<Vec<_>>(),
                lang.say("None yet. `thingcall call` makes a first one.", "暂无调用。可用 thingcall call 发起第一次调用。")))
        }
    }
}

/// Every limit beside what it limits, the fullest first.
fn limits(lang: Lang, figures: &Figures) -> Markup {
    let limits = figures.names().filter_map(|name| {
        let of = name.strip_suffix(LIMIT)?;
        let (used, max) = (figures.sum(of)?, figures.sum(name)?);
        (max > 0.0).then(|| (of.trim_start_matches(PREFIX).to_owned(), used, max))
    });
    let mut limits: Vec<_> = limits.collect();
    limits.sort_by(|(_, a, of_a), (_, b, of_b)| (b / of_b).total_cmp(&(a / of_a)));
    let rows = limits.iter().map(|(name, used, max)| {
        let share = used / max;
        vec![
            html! { code { (name) } },
            html! { (used) },
            html! { (max) },
            html! { meter min="0" max="1" high="0.8" value=(format!("{share:.4}")) aria-label=(name) {} " " (format!("{:.1} %", share * 100.0)) },
        ]
    });
    let heads =
        [lang.say("What", "项目"), lang.say("Used", "已用"), lang.say("Limit", "上限"), lang.say("Share", "占比")];
    html! {
        section {
            h2 { (lang.say("Limits", "上限")) }
            (table(lang.say("Limits, the fullest first", "上限（按占用排序）"), &heads, &rows.collect::<Vec<_>>(), ""))
        }
    }
}
