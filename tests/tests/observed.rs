//! What an operator sees: metrics that promtool accepts, zeros from the start, and no series for each device.

use std::io::Write;
use std::process::{Command, Stdio};

use thingcall_tests::{Metrics, Site};

#[test]
fn promtool_finds_nothing_wrong() {
    let site = Site::embedded(&[]);
    let (device, _connected) = site.linkkit("linted");
    site.invoke(&device, "testFb:testService", r#"{"param1":1}"#).ok();
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool; tests/run installs it");

    let mut stdin = promtool.stdin.take().expect("stdin is piped");
    stdin.write_all(site.program.metrics().text.as_bytes()).expect("promtool reads");
    drop(stdin);

    let output = promtool.wait_with_output().expect("promtool ends");
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}

#[test]
fn every_series_is_there_from_the_start_and_none_is_added() {
    let site = Site::embedded(&[]);
    let before = site.program.metrics();
    assert_eq!(before.sum("thingcall_calls_total", &[]), 0.0);
    assert_eq!(before.sum("thingcall_replies_total", &[]), 0.0);
    assert_eq!(before.sum("thingcall_pending_calls", &[]), 0.0);
    assert_eq!(before.sum("thingcall_validation_failures_total", &[]), 0.0);
    assert_eq!(before.sum("thingcall_build_info", &[]), 1.0);
    assert!(before.sum("thingcall_pending_calls_limit", &[]) > 0.0);

    for number in 0..10 {
        let device = site.device(&format!("device-{number}"));
        let _connected = (number < 2).then(|| site.connect(&device, false));
        site.invoke(&device, "testFb:testService", r#"{"param1":1}"#);
        site.invoke(&device, "nothing", "{}");
        site.invoke(&device, "SetScene", "{}").ok();
    }

    let after = site.program.metrics();
    let outcome = |word: &str| after.sum("thingcall_calls_total", &[&format!("outcome={word:?}")]);
    assert_eq!(names(&before), names(&after));
    assert_eq!(outcome("unknown_target"), 10.0);
    assert!(outcome("offline") >= 8.0 && outcome("ok") >= 2.0, "{}", after.text);
    assert!(!after.text.contains("device-1"), "an id is a label");
}

/// The series, without those of the process and those that say what the operating system does.
fn names(metrics: &Metrics) -> Vec<String> {
    let lines = metrics.text.lines().filter(|line| line.starts_with("thingcall_"));
    lines.filter_map(|line| Some(line.rsplit_once(' ')?.0.to_owned())).collect()
}

#[test]
fn every_accepted_call_is_counted_once() {
    let site = Site::embedded(&[]);
    let (device, _connected) = site.linkkit("counted");
    for number in 0..5 {
        site.invoke(&device, "testFb:testService", &format!(r#"{{"param1":{number}}}"#)).ok();
    }

    let metrics = site.program.metrics();

    let labels = [r#"mode="sync""#, r#"transport="embedded""#];
    assert_eq!(metrics.sum("thingcall_calls_total", &[&labels[..], &[r#"outcome="ok""#]].concat()), 5.0);
    assert_eq!(metrics.sum("thingcall_call_duration_seconds_count", &labels), 5.0);
    assert_eq!(metrics.sum("thingcall_replies_total", &[labels[1], r#"result="matched""#]), 5.0);
    assert_eq!(metrics.sum("thingcall_pending_calls", &[]), 0.0);
}

#[test]
fn health_is_told_at_once() {
    let site = crate::sites::embedded();

    assert_eq!(site.program.operator("/healthz").0, 200);
    assert_eq!(site.program.operator("/readyz"), (200, "ready\n".to_owned()));
    for name in ["serving", "transport embedded"] {
        assert_eq!(site.program.metrics().sum("thingcall_condition", &[&format!(r#"name="{name}""#)]), 1.0, "{name}");
    }
}
