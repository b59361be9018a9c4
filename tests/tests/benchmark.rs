//! The benchmark: what it prints is what scripts read, and who waits for their turn takes nothing of the machine.

use std::collections::BTreeSet;
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use thingcall_tests::{Mosquitto, Peer, bench, bench_in_background, eventually};

const SHORT: [&str; 7] = ["--seconds", "1", "--in-flight", "8", "--devices", "4", "--json"];

fn lines(arguments: &[&str]) -> Vec<Value> {
    let finished = bench(arguments.iter().chain(&SHORT));
    assert_eq!(finished.code, Some(0), "{finished:?}");
    finished.stdout.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect()
}

#[test]
fn rounds_are_taken_in_turns_and_compared_with_the_reference() {
    let mosquitto = Mosquitto::start();
    let broker = format!("mqtt://{}", mosquitto.address());

    let lines = lines(&["calls", "reference", "echo", "--broker", &broker, "--rounds", "2", "--signature", "v1"]);

    let (rounds, medians) = lines.split_at(6);
    let measured: Vec<_> = rounds.iter().filter_map(|round| round["what"].as_str()).collect();
    assert_eq!(measured, ["calls", "reference", "echo", "calls", "reference", "echo"]);
    for round in rounds {
        assert!(round["calls"].as_u64() > Some(10), "{round}");
        assert_eq!(round["failures"], json!({}), "{round}");
        // The reference runs in the load's own process.
        assert_eq!(round["cpuMicrosPerCall"].is_null(), round["what"] == "reference", "{round}");
    }
    let compared: Vec<_> = medians.iter().filter_map(|median| median["of"].as_str()).collect();
    assert_eq!(compared, ["calls", "reference", "echo"]);
    assert!(medians.iter().all(|median| median["shareOf"] == "reference"), "{medians:?}");
    assert_eq!(medians[1]["share"], json!(1.0));
    assert!(medians[0]["share"].as_f64().is_some_and(|share| share > 0.0), "{medians:?}");
}

#[test]
fn asynchronous_calls_count_by_their_message_id() {
    let mosquitto = Mosquitto::start();
    let broker = format!("mqtt://{}", mosquitto.address());

    let lines = lines(&["both", "--broker", &broker, "--async", "--qos", "1"]);

    for round in &lines[..2] {
        assert!(round["calls"].as_u64() > Some(10), "{round}");
        assert_eq!((&round["failures"], &round["qos"]), (&json!({}), &json!(1)), "{round}");
    }
}

#[test]
fn instances_that_share_a_postgresql_are_measured_beside_one_alone() {
    let mosquitto = Mosquitto::start();
    let broker = format!("mqtt://{}", mosquitto.address());

    let lines = lines(&["calls", "--shared", "--broker", &broker]);

    let rounds: Vec<_> = lines.iter().filter(|line| line["what"] != "median").collect();
    let measured: Vec<_> = rounds.iter().filter_map(|round| round["what"].as_str()).collect();
    let shared = ["postgres", "nonces-store", "nonces-redis", "quota-store", "three", "three-sharing"];
    assert_eq!(measured, [&["calls"][..], &shared].concat());
    for round in rounds {
        assert!(round["calls"].as_u64() > Some(10), "{round}");
        assert_eq!(round["failures"], json!({}), "{round}");
    }
}

#[test]
fn peers_that_wait_for_their_turn_are_stopped_and_run_again_afterwards() {
    let (one, other) = (Peer::start(), Peer::start());
    let flags = [one.flags("one"), other.flags("other")].concat();
    let arguments: Vec<_> = ["peers", "--rounds", "2"].into_iter().chain(flags.iter().map(String::as_str)).collect();

    let seen = thread::scope(|scope| {
        let finished = scope.spawn(|| lines(&arguments));
        let mut seen = BTreeSet::new();
        while !finished.is_finished() {
            seen.insert((one.is_stopped(), other.is_stopped()));
            thread::sleep(Duration::from_millis(10));
        }
        let lines = finished.join().expect("it is measured");
        assert!(lines[..4].iter().all(|round| round["calls"].as_u64() > Some(0) && round["failures"] == json!({})));
        seen
    });

    assert!(seen.contains(&(false, true)) && seen.contains(&(true, false)), "{seen:?}");
    assert!(!one.is_stopped() && !other.is_stopped());
}

#[test]
fn benchmark_that_is_ended_leaves_nobody_stopped() {
    let (one, other) = (Peer::start(), Peer::start());
    let flags = [one.flags("one"), other.flags("other")].concat();
    let running = bench_in_background(["peers", "--seconds", "60"].into_iter().chain(flags.iter().map(String::as_str)));

    eventually("the second peer is stopped", || other.is_stopped().then_some(()));
    running.terminate();
    let finished = running.finished();

    assert_eq!((finished.code, finished.stderr.trim()), (Some(1), "bench: ended by SIGTERM"));
    assert!(!one.is_stopped() && !other.is_stopped());
}

#[test]
fn scripts_end_in_order_also_what_is_stopped() {
    let folder = tempfile::tempdir().expect("a folder");
    let ended = folder.path().join("ended");
    // The shell is heard to be ready by its file, and ends by its own trap, which a killed one could not.
    let script = r#"
        . bench/processes.sh
        start peer sh -c 'sleep 1000 & trap "echo ended >$0; exit" TERM; echo ready >$0; wait' "$1"
        until_it peer grep -q ready "$1"
        alone
        until_it peer grep -q '^State:.T' "/proc/$started/status"
    "#;

    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", script, "bash"])
        .arg(&ended)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("bash runs");

    assert!(output.status.success(), "{output:?}");
    assert_eq!(std::fs::read_to_string(ended).expect("it wrote"), "ended\n");
}
