//! What an operator sees: metrics that promtool accepts, zeros from the start, and no series for each device.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use thingcall_tests::{Metrics, Site, eventually, invocation};
use tokio::time::Instant;

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
fn acknowledgements_of_synchronous_calls_are_timed_where_there_are_any() {
    let site = Site::external(&[("MQTT__PROBE", "false")]);
    let (device, _connected) = site.linkkit("acknowledged");
    let timed =
        || site.program.metrics().sum("thingcall_transport_publish_ack_seconds_count", &[r#"transport="mqtt""#]);
    let ask = |qos: u8| {
        let mut params = invocation(&device, "testFb:testService", r#"{"param1":1}"#);
        params["Qos"] = qos.into();
        site.ask("InvokeThingService", &params).ok();
    };
    ask(0);
    assert_eq!(timed(), 0.0, "nothing is acknowledged at QoS 0");
    (0..3).for_each(|_| ask(1));
    eventually("each is timed, also where the device's answer came first", || (timed() == 3.0).then_some(()));
}

#[test]
fn answers_are_counted_by_the_code_that_callers_read() {
    let site = Site::embedded(&[]);
    let (device, _connected) = site.linkkit("coded");
    let away = site.device("away");
    // Devices are registered by requests, too.
    let before = site.program.metrics();
    site.invoke(&device, "testFb:testService", r#"{"param1":1}"#).ok();
    let refused = site.invoke(&away, "testFb:testService", r#"{"param1":1}"#);
    let (code, _) = refused.failure();

    let metrics = site.program.metrics();
    for code in ["ok", code] {
        let answers = |at: &Metrics| at.sum("thingcall_answers_total", &[&*format!("code={code:?}")]);
        assert_eq!(answers(&metrics) - answers(&before), 1.0, "{code}");
    }
    let all = ["thingcall_answers_total", "thingcall_http_requests_total"].map(|name| metrics.sum(name, &[]));
    assert!((all[0] - all[1]).abs() < f64::EPSILON, "{all:?}");
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

/// A CONNECT with a user name of this many bytes.
fn connect_as(name_bytes: usize) -> Vec<u8> {
    let text = |text: &str| [&u16::try_from(text.len()).expect("short").to_be_bytes(), text.as_bytes()].concat();
    let name = "x".repeat(name_bytes);
    let fields = [text("MQTT"), vec![4, 0xC2, 0, 60], text("a|securemode=3|"), text(&name), text("00")].concat();
    let length = fields.len();
    let low = |shift: usize| u8::try_from(length >> shift & 0x7f).expect("7 bits");
    [vec![0x10, low(0) | 0x80, low(7) | 0x80, low(14)], fields].concat()
}

#[test]
fn flood_of_refused_logins_leaves_a_few_short_lines_and_says_how_many_not() {
    const FLOOD: usize = 1000;
    let site = Site::embedded(&[("LOG__KIND_LINES_PER_SECOND_MAX", "20")]);
    let before = site.program.log().len();

    let began = Instant::now();
    for number in 0..FLOOD {
        let mut socket = TcpStream::connect(site.broker()).expect("it listens");
        // One fits a packet, the other does not; the broker may close before it has read all.
        drop(socket.write_all(&connect_as(if number % 2 == 0 { 12_000 } else { 60_000 })));
        drop(socket.read(&mut [0; 64]));
    }
    let seconds = began.elapsed().as_secs() + 1;

    eventually("what was left out is told", || {
        site.program.log().contains("lines of one kind were left out").then_some(())
    });
    let log = site.program.log();
    let bytes = log.len() - before;
    assert!(bytes as u64 <= seconds * 64 * 1024, "{bytes} bytes in {seconds} s");
    assert!(log.lines().all(|line| line.len() < 1024), "a line is long");
    assert!(site.program.metrics().sum("thingcall_log_messages_left_out_total", &[r#"level="info""#]) > 0.0);
    let (device, _connected) = site.linkkit("beside");
    site.invoke(&device, "testFb:testService", r#"{"param1":1}"#).ok();
}
