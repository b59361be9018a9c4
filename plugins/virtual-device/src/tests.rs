//! The plugin on a bench: what it keeps, for whom, how much, and what it answers.

use thingcall_plugin::prelude::*;
use thingcall_plugin::testing::Bench;

use crate::VirtualDevice;

fn bench(config: Value) -> Bench<VirtualDevice> {
    Bench::create(&config).unwrap()
}

fn data(bench: &mut Bench<VirtualDevice>, identifier: &str, args: Value) -> Value {
    bench.call(identifier, args).unwrap().data().unwrap()
}

#[test]
fn it_answers_with_what_it_was_told_and_asks_nobody() {
    let mut bench = bench(json!({}));

    assert_eq!(data(&mut bench, "virtual:set", json!({ "a": 1, "b": 2 })), json!({ "a": 1, "b": 2 }));
    assert_eq!(data(&mut bench, "virtual:set", json!({ "b": 3 })), json!({ "a": 1, "b": 3 }));
    assert!(bench.asked().is_empty());
}

#[test]
fn devices_are_told_apart_and_counted() {
    let mut bench = bench(json!({}));
    assert_eq!(data(&mut bench, "virtual:set", json!({ "a": 1 })), json!({ "a": 1 }));

    let mut bench = bench.named("a1BwAGVxxxx", "device2");

    assert_eq!(data(&mut bench, "virtual:set", json!({ "b": 2 })), json!({ "b": 2 }));
    assert_eq!(bench.recorded("devices"), [1.0, 2.0]);
}

#[test]
fn a_service_answers_with_the_members_of_its_list() {
    let config = json!({
        "initial": { "mean": 20.5, "unit": "C" },
        "answers": { "Measure": ["channel", "mean"], "Reset": [] },
    });
    let mut bench = bench(config);

    assert_eq!(data(&mut bench, "Measure", json!({ "channel": 3 })), json!({ "channel": 3, "mean": 20.5 }));
    assert_eq!(data(&mut bench, "Reset", json!({ "mean": 0.5 })), json!({}));
    assert_eq!(data(&mut bench, "Measure", json!({})), json!({ "channel": 3, "mean": 0.5 }));
}

#[test]
fn an_asynchronous_call_has_its_result_at_once() {
    let reply = bench(json!({})).asynchronous().call("virtual:set", json!({ "a": 1 })).unwrap();

    assert_eq!((reply.code, reply.data::<Value>().unwrap()), (200, json!({ "a": 1 })));
}

#[test]
fn what_it_keeps_is_bounded() {
    let mut bench = bench(json!({ "devices_max": 1, "members_max": 2 }));
    assert_eq!(data(&mut bench, "virtual:set", json!({ "a": 1, "b": 2 })), json!({ "a": 1, "b": 2 }));

    let full = bench.call("virtual:set", json!({ "c": 3 })).unwrap_err();
    assert_eq!((full.code(), full.message()), (Some(462), "a virtual device keeps 2 members"));

    let full = bench.named("a1BwAGVxxxx", "device2").call("virtual:set", json!({})).unwrap_err();
    assert_eq!((full.code(), full.message()), (Some(462), "there are 1 virtual devices already"));
}
