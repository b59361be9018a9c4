//! The plugin on a bench, with devices that read steadily, unsteadily, slowly, or not at all.

use std::time::Duration;

use thingcall_plugin::log::Level;
use thingcall_plugin::prelude::*;
use thingcall_plugin::testing::{Bench, Fault};

use crate::TestFb;

const SERVICE: &str = "testFb:testService";

fn readings(config: Value, answers: Vec<Result<Value, Fault>>) -> Bench<TestFb> {
    let mut answers = answers.into_iter();
    Bench::create(&config).unwrap().device(move |_| answers.next().expect("it asks twice"))
}

fn reading(param1: i64) -> Result<Value, Fault> {
    Ok(json!({ "param1": param1 }))
}

#[test]
fn two_readings_become_one() {
    let mut bench = readings(json!({}), vec![reading(20), reading(24)]);

    let reply = bench.call(SERVICE, json!({ "param1": 7 })).unwrap();

    assert_eq!(reply.data::<Value>().unwrap(), json!({ "param1": 22 }));
    assert_eq!(bench.asked(), [json!({ "param1": 7 }), json!({ "param1": 7 })]);
}

#[test]
fn device_is_asked_twice_at_once() {
    let slow = readings(json!({}), vec![reading(20), reading(20)]).takes(Duration::from_secs(5));

    // One after the other would take 10 s.
    assert!(slow.deadline(Duration::from_secs(8)).call(SERVICE, json!({})).is_ok());
}

#[test]
fn readings_that_differ_are_refused() {
    let mut bench = readings(json!({}), vec![reading(20), reading(31)]);

    let refused = bench.call(SERVICE, json!({})).unwrap_err();

    assert_eq!((refused.code(), refused.message()), (Some(461), "two readings differ: 20 and 31"));
    assert_eq!(bench.logged(), [(Level::Info, "device1 reads 20 and 31".to_owned())]);
}

#[test]
fn tolerance_is_configured() {
    let config = json!({ "tolerance": 0 });

    assert!(readings(config.clone(), vec![reading(5), reading(5)]).call(SERVICE, json!({})).is_ok());
    assert!(readings(config, vec![reading(5), reading(6)]).call(SERVICE, json!({})).is_err());
}

#[test]
fn key_that_does_not_exist_is_refused() {
    let refused = Bench::<TestFb>::create(&json!({ "tolerence": 1 })).err().unwrap();

    assert!(refused.contains("unknown field `tolerence`, expected `tolerance`"), "{refused}");
}

#[test]
fn refusal_of_the_device_is_the_answer() {
    let worn = || Err(Fault::Code(500, "worn out".to_owned()));
    for answers in [vec![worn(), reading(1)], vec![reading(1), worn()]] {
        let refused = readings(json!({}), answers).call(SERVICE, json!({})).unwrap_err();

        assert_eq!((refused.code(), refused.message()), (Some(500), "worn out"));
    }
}

#[test]
fn device_that_is_away_ends_the_call() {
    let failed = readings(json!({}), vec![Err(Fault::Offline), reading(1)]).call(SERVICE, json!({})).unwrap_err();

    assert_eq!((failed.code(), failed.message()), (None, "the device is offline"));
}

#[test]
fn asynchronous_call_asks_once() {
    let mut bench = readings(json!({}), vec![]).asynchronous();

    let reply = bench.call(SERVICE, json!({ "param1": 7 })).unwrap();

    assert_eq!((reply.code, bench.asked().len()), (202, 1));
}
