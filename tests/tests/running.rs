//! A server under a service manager, and what says whether it is well.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use thingcall_tests::{Manager, Site, Thingcall, c_plugin, eventually, run};

use crate::sites::embedded;

const UNIT: &str = include_str!("../../deploy/thingcall.service");

/// Half of it is how often a server says that it lives.
const WATCHDOG: Duration = Duration::from_secs(2);

fn options(folder: &std::path::Path) -> thingcall_tests::Options {
    thingcall_tests::Options { data: folder.join("data"), settings: Vec::new(), config: None }
}

/// What a command said of this server: its exit status, and what it printed.
fn asked(site: &Site, arguments: &[&str]) -> (Option<i32>, String, String) {
    let data = site.data().to_str().expect("a plain name");
    let finished = run([arguments, &["--data", data]].concat());
    (finished.code, finished.stdout, finished.stderr)
}

fn status(site: &Site) -> (Option<i32>, Value) {
    let (code, stdout, _) = asked(site, &["status", "--json"]);
    (code, serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{stdout:?}: {error}")))
}

fn findings(told: &Value) -> Vec<(&str, &str)> {
    let all = told["findings"].as_array().expect("a list");
    let text = |one: &'_ Value, name: &str| one[name].as_str().expect("a text").len();
    assert!(all.iter().all(|one| text(one, "do") > 0 && text(one, "why") > 0), "{told}");
    all.iter()
        .map(|one| (one["grade"].as_str().unwrap_or_default(), one["about"].as_str().unwrap_or_default()))
        .collect()
}

#[test]
fn a_service_manager_is_told_of_a_servers_life() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let manager = Manager::listen(folder.path());
    let usec = WATCHDOG.as_micros().to_string();
    let environment = [manager.variable(), ("WATCHDOG_USEC", &usec)];
    let mut program = Thingcall::start_with(&options(folder.path()), &environment);
    manager.told_each(&["READY=1", "STATUS=ready"]);
    let (_, first) = manager.told("WATCHDOG=1");
    let (_, second) = manager.told("WATCHDOG=1");
    assert!(second.duration_since(first) < WATCHDOG, "{:?}", second.duration_since(first));

    program.signal("HUP");
    let (reloading, _) = manager.told("RELOADING=1");
    let at = reloading.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC=")).expect("when it began");
    assert!(at.parse::<u64>().is_ok_and(|at| at > 0), "{reloading}");
    manager.told("READY=1");

    program.terminate();
    manager.told_each(&["STOPPING=1", "STATUS=serving: draining"]);
    assert!(program.ended().success());
}

#[test]
fn a_server_whose_runtime_does_not_turn_says_nothing_more() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let manager = Manager::listen(folder.path());
    let library = c_plugin("tests/plugins/script.c", &["BLOCK_MS=5000"], folder.path());
    let config = "[engine]\nreply_timeout = \"8s\"\n[plugins.script]\nexecution = \"inline\"\n";
    let mut site = Site::with_plugins(config, &[&library]);
    let (device, connected) = site.linkkit("stalls");
    connected.answers(200, &json!({ "param1": 7 }));
    drop(connected);
    site.program.terminate();
    assert!(site.program.ended().success());
    let usec = WATCHDOG.as_micros().to_string();
    site.start_again_in(&[manager.variable(), ("WATCHDOG_USEC", &usec), ("TOKIO_WORKER_THREADS", "1")]);
    let _connected = site.connect(&device, false);
    let (_, mut before) = manager.told("WATCHDOG=1");
    // The one worker there is runs the plugin, which sleeps.
    let waiting = site.begin_invoke(&device, "testFb:testService", r#"{"param1":14}"#);
    let mut gap = Duration::ZERO;
    while gap < WATCHDOG {
        let (_, beat) = manager.told("WATCHDOG=1");
        gap = beat.duration_since(before);
        before = beat;
    }
    drop(waiting.answer());
}

#[test]
fn status_of_a_server_that_is_well_says_so() {
    let site = embedded();
    let (code, told) = status(site);
    assert_eq!((code, told["well"].as_bool(), told["ready"].as_bool()), (Some(0), Some(true), Some(true)), "{told}");
    assert_eq!(told["version"], env!("CARGO_PKG_VERSION"));
    assert!(told["pendingCallsMax"].as_f64() == Some(20_000.0) && told["transports"]["embedded"] == 1.0, "{told}");
    let (code, stdout, _) = asked(site, &["status"]);
    assert!(code == Some(0) && stdout.lines().next().is_some_and(|line| line.ends_with("  well")), "{stdout}");
    for row in ["calls", "pending", "transports", "conditions", "store", "plugins"] {
        assert!(stdout.lines().any(|line| line.starts_with(row)), "{row}: {stdout}");
    }
    for arguments in [&["health"][..], &["health", "--ready"]] {
        assert_eq!(asked(site, arguments), (Some(0), String::new(), String::new()));
    }
}

#[test]
fn status_says_what_is_wrong_and_health_whether_the_server_must_be_started_anew() {
    let mut site = Site::external(&[("ENGINE__REPLY_TIMEOUT", "1s")]);
    site.is_ready();
    let away = site.device("away");
    for _ in 0..30 {
        site.invoke(&away, "Nothing", "{}").failure();
    }
    // Callers that are wrong are no fault of the server's.
    let (code, told) = status(&site);
    assert_eq!((code, findings(&told)), (Some(0), vec![("look", "calls")]), "{told}");
    let silent = (0..20).map(|_| site.begin_invoke(&away, "testFb:testService", r#"{"param1":1}"#)).collect::<Vec<_>>();
    for call in silent {
        call.answer().failure();
    }
    let (code, told) = status(&site);
    assert_eq!((code, findings(&told)), (Some(1), vec![("bad", "calls")]), "{told}");
    let worst = &told["lastMinute"]["worst"];
    assert_eq!((worst["outcome"].as_str(), worst["calls"].as_f64()), (Some("unknown_target"), Some(30.0)), "{told}");

    site.mosquitto.as_mut().expect("a broker").end();
    let told = eventually("it hears that its broker is gone", || {
        let (code, told) = status(&site);
        (code == Some(1) && findings(&told).contains(&("bad", "transport mqtt"))).then_some(told)
    });
    assert_eq!((told["ready"].as_bool(), told["transports"]["mqtt"].as_f64()), (Some(false), Some(0.0)), "{told}");
    let (code, stdout, _) = asked(&site, &["status"]);
    assert!(code == Some(1) && stdout.contains("not well, and not ready\n\nnot well:\n"), "{stdout}");
    assert_eq!(asked(&site, &["health"]).0, Some(0));
    let (code, stdout, stderr) = asked(&site, &["health", "--ready"]);
    assert!(code == Some(1) && stdout.is_empty() && stderr.starts_with("transport mqtt: "), "{stdout}{stderr}");

    site.program.kill();
    for command in ["health", "status"] {
        let (code, stdout, stderr) = asked(&site, &[command]);
        assert!(code == Some(1) && stdout.is_empty() && stderr.contains("no server runs on"), "{command}: {stderr}");
    }
    assert_eq!(asked(&site, &["status", "--nothing"]).0, Some(2));
}

#[test]
fn systemd_takes_the_unit() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let unit = folder.path().join("thingcall.service");
    let program = thingcall_tests::program();
    let text = UNIT.replace("/usr/local/bin/thingcall", program.to_str().expect("a plain name"));
    std::fs::write(&unit, text).expect("the scratch folder can be written");
    let analyze = |arguments: &[&str]| {
        let output = Command::new("systemd-analyze").args(arguments).arg(&unit).output().expect("systemd-analyze");
        (output.status.success(), [output.stdout, output.stderr].concat())
    };
    let (taken, told) = analyze(&["verify"]);
    assert!(taken && told.is_empty(), "{}", String::from_utf8_lossy(&told));
    // In tenths: 0 is nothing that it may beyond its work, 100 everything.
    let (good, told) = analyze(&["security", "--offline=yes", "--no-pager", "--threshold=20"]);
    assert!(good, "{}", String::from_utf8_lossy(&told));
}
