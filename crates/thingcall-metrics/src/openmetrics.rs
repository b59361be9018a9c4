//! The text format of OpenMetrics 1.0, with examples, made of the older text format.
//!
//! **Invariant:** a family's name is that of the older format, without the `_total` of counters. Numbers in `le` have a fraction (`8.0`),
//! as the standard asks, where the older format has none: Prometheus 3 writes both so.

use std::collections::HashSet;
use std::fmt::Write;

use crate::Exemplars;
use crate::exemplars::{Exemplar, Found};

/// What it is called in HTTP.
pub const OPENMETRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

const TOTAL: &str = "_total";
const BUCKET: &str = "_bucket{";

/// Writes what is written in the older format, with examples.
pub fn openmetrics(text: &str, exemplars: &Exemplars) -> String {
    let is_counter = |kind: &str| kind == "counter";
    let heads = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let others: HashSet<&str> = heads.filter(|(_, kind)| !is_counter(kind)).map(|(name, _)| name).collect();
    let found = exemplars.find();
    let mut page = Page { text: String::with_capacity(text.len()), help: "", end: End::Same, found };
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            page.help = help;
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|head| head.split_once(' ')) {
            page.head(name, kind, &others);
        } else if !line.is_empty() && !line.starts_with('#') {
            page.sample(line);
        }
    }
    page.text.push_str("# EOF\n");
    page.text
}

/// What becomes of the names of a family's samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// They stay.
    Same,
    /// They get the end of counters.
    Total,
    /// They are of a histogram.
    Buckets,
}

/// What is written.
struct Page<'a> {
    text: String,
    /// Of the family that begins: its name and its help.
    help: &'a str,
    end: End,
    found: Found,
}

impl Page<'_> {
    fn head(&mut self, name: &str, kind: &str, others: &HashSet<&str>) {
        let bare = name.strip_suffix(TOTAL).unwrap_or(name);
        // A counter whose name another family has is of no kind.
        let (shown, kind, end) = match kind {
            "counter" if others.contains(bare) => (name, "unknown", End::Same),
            "counter" if bare == name => (name, kind, End::Total),
            "counter" => (bare, kind, End::Same),
            "histogram" => (name, kind, End::Buckets),
            _ => (name, kind, End::Same),
        };
        self.end = end;
        self.write(format_args!("# TYPE {shown} {kind}\n"));
        if let Some((_, help)) = self.help.split_once(' ').filter(|(of, _)| *of == name) {
            self.write(format_args!("# HELP {shown} {}\n", help.replace('"', "\\\"")));
        }
    }

    fn sample(&mut self, line: &str) {
        let Some((series, value)) = line.rsplit_once(' ') else { return };
        let value = value_of(value);
        match self.end {
            End::Total => {
                let (name, labels) = series.find('{').map_or((series, ""), |at| series.split_at(at));
                self.write(format_args!("{name}{TOTAL}{labels} {value}\n"));
            }
            End::Buckets if series.contains(BUCKET) => self.bucket(series, value),
            End::Buckets | End::Same => self.write(format_args!("{series} {value}\n")),
        }
    }

    /// The bound stands last.
    fn bucket(&mut self, series: &str, value: &str) {
        let Some((labels, le)) = series.rsplit_once("le=\"") else { return };
        let le = le.trim_end_matches("\"}");
        let whole = le.bytes().all(|byte| byte.is_ascii_digit());
        let fraction = if whole { ".0" } else { "" };
        self.write(format_args!("{labels}le=\"{le}{fraction}\"}} {value}"));
        if let Some(Exemplar { trace_id, value, at_seconds }) = self.found.at(labels, le) {
            let trace_id = u128::from_be_bytes(trace_id);
            self.write(format_args!(" # {{trace_id=\"{trace_id:032x}\"}} {value} {at_seconds:.3}"));
        }
        self.text.push('\n');
    }

    fn write(&mut self, what: std::fmt::Arguments<'_>) {
        // Nothing can fail that is written into memory.
        let _written = self.text.write_fmt(what);
    }
}

fn value_of(text: &str) -> &str {
    match text {
        "inf" => "+Inf",
        "-inf" => "-Inf",
        other => other,
    }
}

#[cfg(test)]
mod tests;
