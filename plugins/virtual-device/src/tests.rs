//! The plugin on a bench: what it keeps, for whom, and how much.

use std::sync::Mutex;

use thingcall_plugin::prelude::*;
use thingcall_plugin::testing::Bench;

use crate::{Config, VirtualDevice};

fn bench(config: Config) -> Bench<VirtualDevice> {
    Bench::new(VirtualDevice { config, told: Mutex::default(), devices: Metric::none() })
}

fn data(bench: &mut Bench<VirtualDevice>, args: Value) -> Value {
    bench.call("testFb:testService", args).unwrap().data().unwrap()
}

#[test]
fn it_answers_with_what_it_was_told_and_asks_nobody() {
    let mut bench = bench(Config::default());

    assert_eq!(data(&mut bench, json!({ "a": 1, "b": 2 })), json!({ "a": 1, "b": 2 }));
    assert_eq!(data(&mut bench, json!({ "b": 3 })), json!({ "a": 1, "b": 3 }));
    assert!(bench.asked().is_empty());
}

#[test]
fn devices_are_told_apart() {
    let mut bench = bench(Config::default());
    assert_eq!(data(&mut bench, json!({ "a": 1 })), json!({ "a": 1 }));

    let mut bench = bench.named("a1BwAGVxxxx", "device2");

    assert_eq!(data(&mut bench, json!({ "b": 2 })), json!({ "b": 2 }));
}

#[test]
fn what_it_keeps_is_bounded() {
    let mut bench = bench(Config { devices_max: 1, members_max: 2 });
    assert_eq!(data(&mut bench, json!({ "a": 1, "b": 2 })), json!({ "a": 1, "b": 2 }));

    let full = bench.call("testFb:testService", json!({ "c": 3 })).unwrap_err();
    assert_eq!((full.code(), full.message()), (Some(462), "a virtual device keeps 2 members"));

    let full = bench.named("a1BwAGVxxxx", "device2").call("testFb:testService", json!({})).unwrap_err();
    assert_eq!((full.code(), full.message()), (Some(462), "1 virtual devices are in use"));
}
