//! The plugin on a bench, with devices that read steadily, unsteadily, or not at all.

use thingcall_plugin::prelude::*;
use thingcall_plugin::testing::{Bench, Fault};

use crate::TestFb;

fn readings(mut values: Vec<i64>) -> Bench<TestFb> {
    Bench::new(TestFb::default()).device(move |_| Ok(json!({ "param1": values.remove(0) })))
}

#[test]
fn two_readings_become_one() {
    let mut bench = readings(vec![20, 24]);

    let reply = bench.call("testFb:testService", json!({ "param1": 7 })).unwrap();

    assert_eq!(reply.data::<Value>().unwrap(), json!({ "param1": 22 }));
    assert_eq!(bench.asked(), [json!({ "param1": 7 }), json!({ "param1": 7 })]);
}

#[test]
fn readings_that_differ_are_refused() {
    let refused = readings(vec![20, 31]).call("testFb:testService", json!({})).unwrap_err();

    assert_eq!(refused.code(), Some(461));
    assert_eq!(refused.message(), "two readings differ: 20 and 31");
}

#[test]
fn device_that_refuses_is_heard() {
    let mut bench = Bench::new(TestFb::default()).device(|_| Err(Fault::Code(500, "worn out".to_owned())));

    let refused = bench.call("testFb:testService", json!({})).unwrap_err();

    assert_eq!((refused.code(), refused.message()), (Some(500), "worn out"));
}

#[test]
fn device_that_is_away_ends_the_call() {
    let mut bench = Bench::new(TestFb::default()).device(|_| Err(Fault::Offline));

    let failed = bench.call("testFb:testService", json!({})).unwrap_err();

    assert_eq!((failed.code(), failed.message()), (None, "the device is offline"));
}

#[test]
fn asynchronous_call_is_on_its_way() {
    let reply = Bench::new(TestFb::default()).asynchronous().call("testFb:testService", json!({})).unwrap();

    assert_eq!(reply.code, 202);
}
