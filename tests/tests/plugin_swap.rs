//! New plugins in place of old ones, while calls run.

use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;
use thingcall_tests::{Site, bench_in_background, c_plugin, eventually, install};

const SERVICE: &str = "testFb:testService";

/// Builds of one plugin that differ in their version, under one file name.
struct Builds(TempDir);

impl Builds {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a scratch folder"))
    }

    fn version(&self, version: &str) -> PathBuf {
        self.build(version, &[])
    }

    fn build(&self, version: &str, macros: &[&str]) -> PathBuf {
        let version_macro = format!("VERSION=\"{version}\"");
        let macros = [&[&*version_macro], macros].concat();
        let built = c_plugin("tests/plugins/script.c", &macros, self.0.path());
        let folder = self.0.path().join(version);
        std::fs::create_dir_all(&folder).expect("a folder");
        let file = folder.join("script.so");
        std::fs::rename(built, &file).expect("the library can be moved");
        file
    }
}

fn generation(site: &Site) -> u64 {
    site.plugin("script").and_then(|plugin| plugin["generation"].as_u64()).unwrap_or(0)
}

fn version(site: &Site) -> Value {
    site.plugin("script").map(|plugin| plugin["version"].clone()).unwrap_or_default()
}

#[test]
fn hundred_swaps_under_load_lose_no_call_and_answer_none_twice() {
    let builds = Builds::new();
    let (one, two) = (builds.build("1.0.0", &["ALWAYS=0"]), builds.build("2.0.0", &["ALWAYS=0"]));
    let site = Site::with_plugins("[api]\ncalls_per_second_max = 0\n", &[&one]);
    let data = site.data().to_str().expect("a plain name");
    let (url, broker) = (format!("http://{}", site.program.addresses.api), format!("mqtt://{}", site.broker()));
    let load = bench_in_background(
        [
            ["--url", &url, "--data", data, "--broker", &broker, "--devices", "20"],
            ["--rate", "2000", "--in-flight", "64", "--seconds", "20", "--json", "calls"],
        ]
        .concat(),
    );
    let calls =
        || site.program.metrics().sum("thingcall_plugin_calls_total", &[r#"plugin="script""#, r#"result="ok""#]);
    eventually("the load runs", || (calls() > 100.0).then_some(()));

    let before = generation(&site);
    for swap in 1..=100 {
        install(if swap % 2 == 1 { &two } else { &one }, &site.plugin_folder());
        eventually("the new one is in place", || (generation(&site) == before + swap).then_some(()));
    }
    let during = calls();
    let finished = load.finished();

    let report: Value = serde_json::from_str(finished.stdout.trim()).unwrap_or_else(|e| panic!("{e}: {finished:?}"));
    assert_eq!(report["failures"], json!({}), "{report}");
    assert!(during > 1000.0, "calls ran while it was swapped: {during}");
    let metrics = site.program.metrics();
    let ended = metrics.sum("thingcall_calls_total", &[r#"mode="sync""#]);
    assert_eq!(metrics.sum("thingcall_calls_total", &[r#"mode="sync""#, r#"outcome="ok""#]), ended, "none failed");
    assert_eq!(metrics.sum("thingcall_replies_total", &[r#"result="matched""#]), ended, "each was sent once");
    for result in ["late", "duplicate", "unknown", "malformed"] {
        assert_eq!(metrics.sum("thingcall_replies_total", &[&format!("result={result:?}")]), 0.0, "{result}");
    }
    eventually("every old one is idle", || {
        (site.program.metrics().sum("thingcall_plugin_in_flight", &[r#"plugin="script""#]) == 0.0).then_some(())
    });
}

#[test]
fn calls_that_run_end_on_the_old_one() {
    let builds = Builds::new();
    let site = Site::with_plugins("", &[&builds.version("1.0.0")]);
    let device = site.device("between");
    let connected =
        thingcall_tests::MqttDevice::connect(site.broker(), &thingcall_tests::Credential::of(&device, Some(1)));
    let waiting = site.begin_invoke(&device, SERVICE, r#"{"param1":1}"#);
    let asked = [connected.next(), connected.next()];

    install(&builds.version("2.0.0"), &site.plugin_folder());
    eventually("the new one is in place", || (version(&site) == json!("2.0.0")).then_some(()));
    let new = site.invoke(&device, SERVICE, r#"{"param1":2}"#).ok();
    for seen in &asked {
        connected.publish(&seen.topic, &seen.answer(&json!({ "param1": 3 })));
    }

    assert_eq!(new.result()["message"], json!("2.0.0"));
    assert_eq!(waiting.answer().ok().result()["message"], json!("1.0.0"));
}

#[test]
fn broken_new_file_leaves_the_old_one() {
    let builds = Builds::new();
    let site = Site::with_plugins("", &[&builds.version("1.0.0")]);
    let device = site.device("kept");
    let broken = builds.0.path().join("script.so");
    std::fs::write(&broken, b"not a library").expect("a file");

    install(&broken, &site.plugin_folder());
    eventually("it is refused", || site.program.log().contains("not a 64-bit ELF file").then_some(()));

    let answer = site.invoke(&device, SERVICE, r#"{"param1":2}"#).ok();
    assert_eq!(answer.result()["message"], json!("1.0.0"));
    assert_eq!(generation(&site), 1);
}

#[test]
fn hang_up_signal_and_copying_over_the_file_load_the_new_one() {
    let builds = Builds::new();
    let site = Site::with_plugins("[loader]\nwatch = false\n", &[&builds.version("1.0.0")]);
    let device = site.device("signalled");
    let answers = || site.invoke(&device, SERVICE, r#"{"param1":2}"#).ok().result()["message"].clone();
    assert_eq!(answers(), json!("1.0.0"));

    // Into the same file, as `cp` does: what runs is a copy of the server's own.
    std::fs::copy(builds.version("2.0.0"), site.plugin_folder().join("script.so")).expect("a copy");
    assert_eq!(answers(), json!("1.0.0"), "nobody watches");
    site.program.signal("HUP");

    eventually("the new one is in place", || (version(&site) == json!("2.0.0")).then_some(()));
    assert_eq!(answers(), json!("2.0.0"));
}
