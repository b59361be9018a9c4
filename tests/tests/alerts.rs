//! The alerts of `deploy/prometheus`: each fires for its own fault, and no other does. By Prometheus's own test tool.

mod cases;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use cases::{CASES, Case, NO_FAULT, WELL};
use thingcall_tests::run_ok;

const ALERTS: &str = include_str!("../../deploy/prometheus/alerts.yml");

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/prometheus")
}

/// A series of the instance `a`, or of the one that it names.
fn labelled(series: &str) -> String {
    let (name, labels) = series.trim_end_matches('}').split_once('{').unwrap_or((series, ""));
    let instance = if labels.contains("instance=") { "" } else { r#",instance="a""# };
    let comma = if labels.is_empty() { "" } else { "," };
    format!(r#"{name}{{job="thingcall"{instance}{comma}{labels}}}"#)
}

/// A test of `promtool test rules`: nothing but this fires at this time.
fn expect(text: &mut String, time: &str, alert: Option<&str>) {
    let expr = r#"count by (alertname) (ALERTS{alertstate="firing"})"#;
    let samples = alert.map_or_else(
        || " []".to_owned(),
        |alert| format!("\n          - labels: '{{alertname=\"{alert}\"}}'\n            value: 1"),
    );
    writeln!(text, "      - expr: '{expr}'\n        eval_time: {time}\n        exp_samples:{samples}")
        .expect("a String takes all");
}

fn begin(text: &mut String, name: &str, faults: &[(&str, &str)]) {
    writeln!(text, "  - name: '{name}'\n    interval: 1m\n    input_series:").expect("a String takes all");
    let other = |(series, _): &&(&str, &str)| !faults.iter().any(|(fault, _)| labelled(fault) == labelled(series));
    for (series, values) in WELL.iter().filter(other).chain(faults) {
        writeln!(text, "      - series: '{}'\n        values: '{values}'", labelled(series))
            .expect("a String takes all");
    }
    text.push_str("    promql_expr_test:\n");
}

fn told(case: &Case, text: &mut String) {
    begin(text, &format!("{}: {}", case.alert, case.fault), case.series);
    if let Some(time) = case.not_yet {
        expect(text, time, None);
    }
    expect(text, case.fires, Some(case.alert));
    if let Some(time) = case.over {
        expect(text, time, None);
    }
}

fn promtool(arguments: &[&str]) -> String {
    let output = Command::new("promtool").args(arguments).output().expect("promtool; tests/run installs it");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{said}");
    said
}

#[test]
fn each_alert_fires_for_its_own_fault_and_no_other_does() {
    let folder = folder();
    let mut text = String::from("evaluation_interval: 15s\nrule_files:\n");
    for file in ["rules.yml", "alerts.yml"] {
        writeln!(text, "  - {}", folder.join(file).display()).expect("a String takes all");
    }
    text.push_str("tests:\n");
    begin(&mut text, "all is well", NO_FAULT);
    for time in ["5m", "21m", "23m", "60m"] {
        expect(&mut text, time, None);
    }
    for case in CASES {
        told(case, &mut text);
    }
    let scratch = tempfile::tempdir().expect("a String takes all");
    let file = scratch.path().join("test.yml");
    std::fs::write(&file, text).expect("a String takes all");
    promtool(&["test", "rules", &file.display().to_string()]);
}

/// Of each alert its name and the lines below it.
fn alerts() -> Vec<(&'static str, &'static str)> {
    let parts = ALERTS.split("- alert: ").skip(1);
    parts.map(|part| part.split_once('\n').expect("an alert has lines")).collect()
}

#[test]
fn each_alert_has_a_case_and_says_what_it_means_where_to_look_and_what_to_do() {
    let named: BTreeSet<_> = alerts().into_iter().map(|(name, _)| name).collect();
    let tried: BTreeSet<_> = CASES.iter().map(|case| case.alert).collect();
    assert_eq!(named, tried);
    for (name, lines) in alerts() {
        for part in ["severity: ", " summary: ", " means: ", " look: ", " do: "] {
            assert!(lines.contains(part), "{name} lacks {part}");
        }
    }
}

#[test]
fn the_configuration_for_prometheus_is_taken_by_it() {
    promtool(&["check", "config", &folder().join("prometheus.yml").display().to_string()]);
}

#[test]
fn dashboards_are_as_their_short_form_says() {
    let output = Command::new("python3")
        .arg(folder().join("../grafana/make.py"))
        .arg("--check")
        .output()
        .expect("a String takes all");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The subcommands of what stands between backquotes and begins with the program's name.
fn commands(text: &str) -> BTreeSet<Vec<&str>> {
    let quoted = text.split('`').skip(1).step_by(2);
    let words = quoted.filter_map(|quote| quote.strip_prefix("thingcall ")).map(|rest| {
        let word = |word: &&str| {
            word.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-') && !word.starts_with('-')
        };
        rest.split(' ').take_while(word).collect()
    });
    words.collect()
}

#[test]
fn commands_that_alerts_name_are_there() {
    for words in commands(ALERTS) {
        run_ok(words.into_iter().chain(["--help"]));
    }
}
