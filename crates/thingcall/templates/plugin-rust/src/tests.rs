//! The plugin without a server: the device is a function.

use thingcall_plugin::testing::{Bench, Fault};

use super::*;

#[test]
fn a_device_that_misses_a_call_is_asked_again() {
    let mut first = true;
    let mut bench = Bench::new(MyPlugin { tries: None }).device(move |_| {
        let missed = std::mem::take(&mut first);
        if missed { Err(Fault::Timeout) } else { Ok(json!({ "value": 20 })) }
    });

    let reply = bench.call("myPlugin:measure", json!({ "channel": 1 })).unwrap();

    assert_eq!(reply.data::<Value>().unwrap(), json!({ "value": 20 }));
    assert_eq!(bench.asked(), [json!({ "channel": 1 }), json!({ "channel": 1 })]);
}

#[test]
fn an_absent_device_is_asked_once() {
    let mut bench = Bench::new(MyPlugin { tries: Some(5) }).device(|_| Err(Fault::Offline));

    assert!(bench.call("myPlugin:measure", json!({})).is_err());
    assert_eq!(bench.asked().len(), 1);
}
