//! Callers that hang up, and a server that is asked to end while calls wait.

use serde_json::json;
use thingcall_tests::{Credential, MqttDevice, Site, eventually};

fn pending(site: &Site) -> f64 {
    site.program.metrics().sum("thingcall_pending_calls", &[])
}

#[test]
fn caller_who_hangs_up_leaves_nothing_behind() {
    let site = Site::embedded(&[]);
    let device = site.device("hung-up");
    let connected = MqttDevice::connect(site.broker(), &Credential::of(&device, Some(1)));
    let call = site.send_invoke(&device, "testFb:testService", r#"{"param1":1}"#);
    let seen = connected.next();
    assert_eq!(pending(&site), 1.0);

    drop(call);

    eventually("nothing is pending", || (pending(&site) == 0.0).then_some(()));
    let metrics = site.program.metrics();
    assert_eq!(metrics.sum("thingcall_calls_total", &[r#"outcome="cancelled""#]), 1.0);
    assert_eq!(metrics.sum("thingcall_pending_oldest_timestamp_seconds", &[]), 0.0, "the map is empty");
    connected.publish(&seen.topic, &seen.answer(&json!({ "param1": 1 })));
    let waiting = site.begin_invoke(&device, "testFb:testService", r#"{"param1":2}"#);
    let next = connected.next();
    assert_eq!(next.body["params"]["param1"], 2, "the device was called once");
    connected.publish(&next.topic, &next.answer(&json!({ "param1": 2 })));
    waiting.answer().ok();
}

#[test]
fn waiting_call_is_answered_while_the_server_ends() {
    let mut site = Site::embedded(&[]);
    let device = site.device("drained");
    let connected = MqttDevice::connect(site.broker(), &Credential::of(&device, Some(1)));
    let waiting = site.begin_invoke(&device, "testFb:testService", r#"{"param1":1}"#);
    let seen = connected.next();

    site.program.terminate();
    eventually("readyz says that it ends", || {
        let (status, text) = site.program.operator("/readyz");
        (status == 503 && text.contains("draining")).then_some(())
    });
    connected.publish(&seen.topic, &seen.answer(&json!({ "param1": 1 })));

    assert_eq!(waiting.answer().ok().result()["data"], json!({ "param1": 1 }));
    connected.gone();
    assert_eq!(site.program.ended().code(), Some(0), "{}", site.program.log());
}

#[test]
fn silent_device_does_not_keep_the_server_from_ending() {
    let mut site = Site::embedded(&[("SHUTDOWN__DRAIN", "200ms")]);
    let device = site.device("undrained");
    let connected = MqttDevice::connect(site.broker(), &Credential::of(&device, Some(1)));
    let waiting = site.begin_invoke(&device, "testFb:testService", r#"{"param1":1}"#);
    connected.next();

    site.program.terminate();

    let answer = waiting.answer();
    assert_eq!(answer.failure().0, "iot.system.SystemException", "{answer:?}");
    assert_eq!(site.program.ended().code(), Some(0), "{}", site.program.log());
}

#[test]
fn calls_beyond_the_limit_are_told_so() {
    let site = Site::embedded(&[("ENGINE__PENDING_CALLS_MAX", "1")]);
    let device = site.device("busy");
    let connected = MqttDevice::connect(site.broker(), &Credential::of(&device, Some(1)));
    let waiting = site.begin_invoke(&device, "testFb:testService", r#"{"param1":1}"#);
    let seen = connected.next();

    let refused = site.invoke(&device, "testFb:testService", r#"{"param1":2}"#);

    assert_eq!(refused.failure().0, "iot.messagebroker.RateLimit");
    connected.publish(&seen.topic, &seen.answer(&json!({ "param1": 1 })));
    waiting.answer().ok();
}
