//! Every limit beside what it limits, the fullest first.

use maud::{Markup, html};

use crate::figures::Figures;
use crate::lang::Lang;
use crate::shown::table;

/// The prefix of all metrics.
const PREFIX: &str = "thingcall_";
/// What ends the name of a limit, beside the gauge of what it limits.
const LIMIT: &str = "_limit";
/// From this share on a limit needs attention.
pub(super) const NEAR: f64 = 0.8;

/// A limit, and how much of it is used.
pub(super) struct Limit {
    /// What it limits.
    pub(super) name: String,
    used: f64,
    max: f64,
}

impl Limit {
    /// The share that is used.
    pub(super) fn share(&self) -> f64 {
        self.used / self.max
    }

    /// Used, and the most there may be.
    pub(super) fn figures(&self) -> String {
        format!("{} / {}", self.in_words(self.used), self.in_words(self.max))
    }

    /// Bytes in what they are counted in, others with two places at most.
    fn in_words(&self, value: f64) -> String {
        const UNITS: [&str; 4] = ["B", "KiB", "MiB", "GiB"];
        if !self.name.ends_with("bytes") {
            return format!("{}", (value * 100.0).round() / 100.0);
        }
        let (mut value, mut unit) = (value, 0);
        while value >= 1024.0 && unit + 1 < UNITS.len() {
            (value, unit) = (value / 1024.0, unit + 1);
        }
        format!("{} {}", (value * 10.0).round() / 10.0, UNITS.get(unit).copied().unwrap_or_default())
    }
}

/// All of them, the fullest first.
pub(super) fn read(figures: &Figures) -> Vec<Limit> {
    let limits = figures.names().filter_map(|name| {
        let of = name.strip_suffix(LIMIT)?;
        let (used, max) = (figures.sum(of)?, figures.sum(name)?);
        (max > 0.0).then(|| Limit { name: of.trim_start_matches(PREFIX).to_owned(), used, max })
    });
    let mut limits: Vec<_> = limits.collect();
    limits.sort_by(|a, b| b.share().total_cmp(&a.share()));
    limits
}

/// As tables: those that are used, and the others behind a click.
pub(super) fn show(lang: Lang, limits: &[Limit]) -> Markup {
    let (used, unused): (Vec<_>, Vec<_>) = limits.iter().partition(|limit| limit.used > 0.0);
    html! {
        section {
            h2 { (lang.say("Limits", "上限")) }
            (listed(lang, lang.say("Those that are used, the fullest first", "已占用的上限（按占用排序）"), &used))
            details { summary { (lang.say("Those of which nothing is used", "未占用的上限")) " (" (unused.len()) ")" }
                (listed(lang, lang.say("Unused", "未占用"), &unused))
            }
        }
    }
}

fn listed(lang: Lang, caption: &str, limits: &[&Limit]) -> Markup {
    let rows = limits.iter().map(|limit| {
        let share = limit.share();
        vec![
            html! { code { (limit.name) } },
            html! { span.number { (limit.in_words(limit.used)) } },
            html! { span.number { (limit.in_words(limit.max)) } },
            html! { meter min="0" max="1" high=(NEAR) value=(format!("{share:.4}")) aria-label=(limit.name) {} " " span.number { (format!("{:.1} %", share * 100.0)) } },
        ]
    });
    let heads =
        [lang.say("What", "项目"), lang.say("Used", "已用"), lang.say("Limit", "上限"), lang.say("Share", "占比")];
    table(caption, &heads, &rows.collect::<Vec<_>>(), "")
}
