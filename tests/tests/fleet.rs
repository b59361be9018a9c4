//! One call of each of many devices, by `thingcall call`: what ends it, and what goes on after that.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;
use thingcall_tests::{Finished, PRODUCT, Simulation, Site, eventually, run, run_in_background};

const MEASURE: [&str; 2] = ["Measure", r#"{"channel":1}"#];
const DEVICES: usize = 300;

/// A server, its simulated devices, which say what they are asked, and a place for results.
struct Fleet {
    site: Site,
    devices: Simulation,
    folder: TempDir,
}

impl Fleet {
    fn start(count: usize, how: &[&str]) -> Self {
        Self::start_with(&[], count, how)
    }

    fn start_with(settings: &[(&str, &str)], count: usize, how: &[&str]) -> Self {
        let site = Site::embedded(settings);
        let data = site.data().to_str().expect("a plain name").to_owned();
        let count_text = count.to_string();
        let arguments = ["--product", PRODUCT, "--count", &count_text, "--data", &data];
        let devices = Simulation::start(&[&arguments[..], how].concat());
        let fleet = Self { site, devices, folder: tempfile::tempdir().expect("a scratch folder") };
        eventually("all are online", || (fleet.devices.log().matches("  online").count() == count).then_some(()));
        fleet
    }

    fn results(&self) -> PathBuf {
        self.folder.path().join("results.jsonl")
    }

    fn command<'a>(&'a self, flags: &'a [&'a str], results: &'a Path) -> Vec<&'a Path> {
        let own = ["call", "--json", "--results"].iter().map(Path::new).chain([results]);
        let data = [Path::new("--data"), self.site.data()];
        own.chain(data).chain(flags.iter().map(Path::new)).chain(MEASURE.iter().map(Path::new)).collect()
    }

    fn run(&self, flags: &[&str]) -> Finished {
        run(self.command(flags, &self.results()))
    }

    /// How often each device was called.
    fn asked(&self) -> BTreeMap<String, usize> {
        let mut asked = BTreeMap::new();
        for line in self.devices.log().lines().filter(|line| line.contains("  < ")) {
            let device = line.split("  < ").next().unwrap_or_default().rsplit(' ').next().unwrap_or_default();
            *asked.entry(device.to_owned()).or_default() += 1;
        }
        asked
    }
}

fn told(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout).unwrap_or_else(|_| panic!("{finished:?}"))
}

/// The lines of a file of results that are an end, by device.
fn ends(file: &Path) -> BTreeMap<String, Vec<Value>> {
    let text = std::fs::read_to_string(file).expect("results");
    let mut ends: BTreeMap<_, Vec<Value>> = BTreeMap::new();
    for line in text.lines().skip(1) {
        let line: Value = serde_json::from_str(line).expect("JSON");
        if line.get("outcome").is_some() {
            ends.entry(line["device"].as_str().unwrap_or_default().to_owned()).or_default().push(line);
        }
    }
    ends
}

fn lines(file: &Path) -> usize {
    std::fs::read_to_string(file).map_or(0, |text| text.lines().count())
}

#[test]
fn every_device_of_a_product_is_called_once_over_an_interruption() {
    let fleet = Fleet::start(DEVICES, &["--fail", "3"]);
    let flags = ["--all", PRODUCT, "--rate", "200/s", "--in-flight", "20"];
    let results = fleet.results();
    let first = run_in_background(fleet.command(&flags, &results));
    eventually("some were called", || (lines(&results) > 100).then_some(()));
    first.interrupt();
    let stopped = first.finished();
    assert_eq!((stopped.code, &told(&stopped)["stopped"]), (Some(1), &Value::Bool(true)), "{stopped:?}");
    let before = ends(&results).len();
    assert!(before < DEVICES, "it was interrupted: {before}");
    assert!(stopped.stderr.contains("the same command goes on"), "{stopped:?}");

    let again = fleet.run(&flags);
    let summary = told(&again);
    assert_eq!(again.code, Some(1), "some failed: {again:?}");
    assert_eq!((&summary["devices"], &summary["failed"]), (&DEVICES.into(), &9.into()), "{summary}");
    assert_eq!((&summary["endedBefore"], &summary["unknown"]), (&before.into(), &Value::Null), "{summary}");
    assert_eq!(summary["failures"][0]["code"], "460", "{summary}");

    let ends = ends(&results);
    assert_eq!(ends.len(), DEVICES);
    assert!(ends.values().all(|ends| ends.len() == 1), "each device has one end");
    let asked = fleet.asked();
    assert_eq!((asked.len(), asked.values().max()), (DEVICES, Some(&1)), "each device was called once");
    let failed: BTreeSet<_> = ends
        .values()
        .flatten()
        .filter(|end| end["outcome"] == "device_error")
        .collect::<Vec<_>>()
        .into_iter()
        .map(|end| end["device"].to_string())
        .collect();
    assert_eq!(failed.len(), 9);

    // There is nothing left to do.
    let third = told(&fleet.run(&flags));
    assert_eq!((&third["devices"], &third["endedBefore"]), (&DEVICES.into(), &DEVICES.into()), "{third}");
    assert_eq!(fleet.asked().values().sum::<usize>(), DEVICES);
}

#[test]
fn what_was_under_way_at_a_kill_is_told_and_not_called_again_unless_that_is_wanted() {
    let fleet = Fleet::start(40, &["--delay", "3000"]);
    let results = fleet.results();
    let flags = ["--all", PRODUCT, "--in-flight", "10"];
    let first = run_in_background(fleet.command(&flags, &results));
    eventually("ten are called", || (fleet.asked().len() == 10).then_some(()));
    first.kill();
    assert!(ends(&results).is_empty(), "none had ended");

    let again = fleet.run(&flags);
    let summary = told(&again);
    assert_eq!(
        (again.code, &summary["succeeded"], &summary["unknown"]),
        (Some(1), &30.into(), &10.into()),
        "{summary}"
    );
    let asked = fleet.asked();
    assert_eq!((asked.len(), asked.values().max()), (40, Some(&1)), "{asked:?}");
    let unknown = ends(&results).into_values().flatten().filter(|end| end["code"] == "interrupted").count();
    assert_eq!(unknown, 10);
}

#[test]
fn devices_of_a_file_are_called_and_what_did_not_leave_is_tried_again() {
    let fleet = Fleet::start(3, &[]);
    let file = fleet.folder.path().join("devices");
    let text = format!("# three and one that is away\n{PRODUCT}/sim-0001\n\n{PRODUCT}/sim-0002\n{PRODUCT}/sim-0001\n");
    fleet.site.device("away");
    std::fs::write(&file, format!("{text}{PRODUCT}/away\n{PRODUCT}/nobody\n"))
        .expect("the scratch folder can be written");
    let file = file.to_str().expect("a plain name");
    let finished = fleet.run(&["--devices", file, "--retry", "1"]);
    let summary = told(&finished);
    assert_eq!((&summary["succeeded"], &summary["failed"]), (&2.into(), &2.into()), "{finished:?}");
    let ends = ends(&fleet.results());
    let end = |name: &str| ends[&format!("{PRODUCT}/{name}")][0].clone();
    let away = end("away");
    assert_eq!((&away["tries"], &away["code"]), (&2.into(), &"iot.messagebroker.OFFLINE".into()), "{away}");
    assert_eq!(end("nobody")["tries"], 1, "a device that does not exist is not tried again");
    let one = end("sim-0001");
    assert_eq!((&one["outcome"], &one["result"]["code"]), (&"ok".into(), &200.into()), "{one}");
    assert!(one["messageId"].is_string() && one["ms"].is_u64(), "{one}");
    assert_eq!(fleet.asked()[&format!("{PRODUCT}/sim-0001")], 1, "it stands there twice");

    // What is named no more does not count.
    std::fs::write(file, format!("{PRODUCT}/sim-0002\n{PRODUCT}/sim-0003\n"))
        .expect("the scratch folder can be written");
    let finished = fleet.run(&["--devices", file]);
    let summary = told(&finished);
    assert_eq!((&summary["devices"], &summary["endedBefore"]), (&2.into(), &1.into()), "{finished:?}");
    assert!(finished.stderr.contains("2 of 2 devices: 2 succeeded"), "{finished:?}");

    // Another call has no place in that file.
    let other = fleet.run(&["--all", PRODUCT]);
    assert_eq!(other.code, Some(2), "{other:?}");
    assert!(other.stdout.contains("results of another call"), "{other:?}");
}

/// It was once called twice, under two tokens.
#[test]
fn device_that_a_file_names_in_two_ways_is_called_once() {
    let fleet = Fleet::start(1, &[]);
    let away = fleet.site.device("away");
    let file = fleet.folder.path().join("devices");
    let text = format!("{}\n{PRODUCT}/away\n{PRODUCT}/sim-0001\n", away.iot_id);
    std::fs::write(&file, text).expect("the scratch folder can be written");
    let file = file.to_str().expect("a plain name");
    let finished = fleet.run(&["--devices", file]);
    let summary = told(&finished);
    assert_eq!((&summary["devices"], &summary["failed"]), (&2.into(), &1.into()), "{finished:?}");
    assert!(finished.stderr.contains("1 of 3 lines name a device that another line names"), "{finished:?}");
    let ends = ends(&fleet.results());
    assert_eq!(ends.keys().collect::<Vec<_>>(), [&format!("{PRODUCT}/away"), &format!("{PRODUCT}/sim-0001")]);

    let endless = run(fleet.command(&["--devices", file], Path::new("/dev/full")));
    assert_eq!(endless.code, Some(2), "{endless:?}");
    assert!(endless.stdout.contains("no regular file"), "{endless:?}");
}

#[test]
fn what_the_quota_refuses_is_called_later() {
    let fleet = Fleet::start_with(&[("API__CALLS_PER_SECOND_MAX", "20")], 60, &[]);
    let finished = fleet.run(&["--all", PRODUCT]);
    let summary = told(&finished);
    assert_eq!((finished.code, &summary["succeeded"]), (Some(0), &60.into()), "{finished:?}");
    let text = std::fs::read_to_string(fleet.results()).expect("results");
    assert!(text.contains(r#""again":{"code":"Throttling"#), "some were refused at first");
    assert_eq!(fleet.asked().values().max(), Some(&1));
}
