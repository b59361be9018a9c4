//! The same through Mosquitto, which pushes nothing: devices subscribe by themselves. And Mosquitto's death.

use serde_json::json;
use thingcall_tests::{Site, eventually};

use crate::sites::external;

#[test]
fn sync_call_through_mosquitto_is_answered_by_the_device() {
    let site = external();
    let (device, connected) = site.linkkit("sync");
    connected.answers(200, &json!({ "mean": 2.5, "samples": [] }));

    let answer = site.invoke(&device, "Measure", r#"{"channel":3}"#).ok();

    assert_eq!(answer.result()["data"], json!({ "mean": 2.5, "samples": [] }));
    assert_eq!(connected.called()["id"], json!(answer.message_id()));
}

#[test]
fn module_service_through_mosquitto_is_called_under_its_full_name() {
    let site = external();
    let (device, connected) = site.linkkit("module");

    let answer = site.invoke(&device, "testFb:testService", r#"{"param1":42}"#).ok();

    assert_eq!(answer.result()["data"], json!({ "param1": 42 }));
    assert_eq!(connected.called()["identifier"], "testFb:testService");
}

#[test]
fn async_call_through_mosquitto_is_explained_later() {
    let site = external();
    let (device, connected) = site.linkkit("async");
    connected.answers(200, &json!({ "applied": 0 }));

    let id = site.invoke(&device, "SetScene", r#"{"scene":1}"#).ok().message_id();

    connected.called();
    let record = eventually("the record has ended", || {
        let record = site.command_json(&["explain", &id]);
        (record["state"] == "ended").then_some(record)
    });
    assert_eq!((&record["outcome"], &record["data"]), (&json!("ok"), &json!({ "applied": 0 })));
    assert_eq!(record["transport"], "mqtt");
}

#[test]
fn code_of_the_device_comes_through_mosquitto() {
    let site = external();
    let (device, connected) = site.linkkit("refuses");
    connected.answers(460, &json!({}));

    let answer = site.invoke(&device, "testFb:testService", r#"{"param1":1}"#).ok();

    assert_eq!(answer.result()["code"], 460);
}

#[test]
fn wrong_arguments_never_reach_mosquitto() {
    let site = external();
    let (device, connected) = site.linkkit("wrong-arguments");

    let refused = site.invoke(&device, "testFb:testService", r#"{"param1":1001}"#);
    site.invoke(&device, "testFb:testService", r#"{"param1":1000}"#).ok();

    assert_eq!(refused.failure().0, "iot.device.InvokeThingServiceFailed");
    assert_eq!(connected.called()["params"], json!({ "param1": 1000 }));
}

#[test]
fn absent_device_behind_mosquitto_times_out() {
    let site = Site::external(&[("ENGINE__REPLY_TIMEOUT", "1s")]);
    let device = site.device("absent");

    let answer = site.invoke(&device, "Measure", "{}");

    assert_eq!(answer.failure().0, "iot.messagebroker.TIMEOUT");
}

#[test]
fn silent_device_behind_mosquitto_times_out() {
    let site = Site::external(&[("ENGINE__REPLY_TIMEOUT", "1s")]);
    let (device, connected) = site.linkkit("silent");
    connected.is_silent();

    let answer = site.invoke(&device, "Measure", "{}");

    connected.called();
    assert_eq!(answer.failure().0, "iot.messagebroker.TIMEOUT");
    eventually("the entry of the call is gone", || {
        let metrics = site.program.metrics();
        let oldest = metrics.sum("thingcall_pending_oldest_timestamp_seconds", &[]);
        (metrics.sum("thingcall_pending_calls", &[]) == 0.0 && oldest == 0.0).then_some(())
    });
}

#[test]
fn another_connection_takes_over_at_mosquitto() {
    let site = external();
    let device = site.device("twice");
    let first = site.connect(&device, true);
    // The SDK puts a timestamp into its client id, so Mosquitto takes the second for another client.
    first.kill();

    let second = site.connect(&device, false);

    site.invoke(&device, "testFb:testService", r#"{"param1":1}"#).ok();
    second.called();
}

#[test]
fn death_of_mosquitto_is_told_honestly_and_healed() {
    let mut site = Site::external(&[]);
    let (device, connected) = site.linkkit("fault");
    connected.is_silent();
    let waiting = site.begin_invoke(&device, "Measure", "{}");
    connected.called();

    site.mosquitto.as_mut().expect("this site has one").kill();

    let answer = waiting.answer();
    let (code, text) = answer.failure();
    assert_eq!(code, "iot.messagebroker.RrpcException");
    assert!(text.contains("may have executed"), "{text}");
    let told = eventually("readyz tells", || {
        let (status, text) = site.program.operator("/readyz");
        (status == 503).then_some(text)
    });
    assert!(told.starts_with("transport mqtt: ") && told.contains(", since 20"), "{told}");
    let refused = site.invoke(&device, "Measure", "{}");
    assert_eq!(refused.failure().0, "iot.messagebroker.RrpcException");
    assert!(refused.failure().1.contains("not sent"), "{refused:?}");

    connected.kill();
    site.mosquitto.as_mut().expect("this site has one").start_again();

    eventually("readyz tells", || (site.program.operator("/readyz").0 == 200).then_some(()));
    let again = site.connect(&device, false);
    site.invoke(&device, "testFb:testService", r#"{"param1":5}"#).ok();
    again.called();
}
