//! `thingcall bench`: what it prints is what scripts read.

use serde_json::{Value, json};
use thingcall_tests::{Mosquitto, run};

const SHORT: [&str; 7] = ["--seconds", "1", "--in-flight", "8", "--devices", "4", "--json"];

fn lines(arguments: &[&str]) -> Vec<Value> {
    let finished = run(["bench"].iter().chain(arguments).chain(&SHORT));
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
