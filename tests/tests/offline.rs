//! Devices that are away: a synchronous call fails at once, an asynchronous one at QoS 1 waits for them.

use serde_json::{Value, json};
use thingcall_tests::{Credential, DeviceSecrets, MqttDevice, Site, eventually};

use crate::sites::embedded;

/// Calls asynchronously at this QoS; returns the MessageId.
fn call_later(site: &Site, device: &DeviceSecrets, scene: u8, qos: u8) -> String {
    let params = json!({
        "ProductKey": device.product, "DeviceName": device.name, "Identifier": "SetScene",
        "Args": json!({ "scene": scene }).to_string(), "Qos": qos,
    });
    site.ask("InvokeThingService", &params).ok().message_id()
}

/// The record of this call, once it is in this state.
fn record(site: &Site, id: &str, state: &str) -> Value {
    eventually(&format!("call {id} is {state}"), || {
        let record = site.command_json(&["explain", id]);
        (record["state"] == state).then_some(record)
    })
}

#[test]
fn sync_call_to_an_absent_device_fails_at_once() {
    // A wait would be seen: it would be longer than any time-out of the tests.
    let site = Site::embedded(&[("ENGINE__REPLY_TIMEOUT", "60s")]);
    let device = site.device("absent");

    let answer = site.invoke(&device, "Measure", "{}");

    let (code, text) = answer.failure();
    assert_eq!(code, "iot.messagebroker.OFFLINE");
    assert!(text.contains("not sent"), "{text}");
}

#[test]
fn device_that_disconnected_is_absent() {
    let site = embedded();
    let (device, connected) = site.linkkit("was-there");
    site.invoke(&device, "testFb:testService", r#"{"param1":1}"#).ok();

    connected.kill();

    eventually("the device is offline", || {
        let params = json!({ "ProductKey": device.product, "DeviceName": device.name });
        (site.ask("GetDeviceStatus", &params).ok().text_at("Data.Status") == "OFFLINE").then_some(())
    });
    assert_eq!(site.invoke(&device, "Measure", "{}").failure().0, "iot.messagebroker.OFFLINE");
}

#[test]
fn async_calls_at_qos_1_wait_for_the_device_in_order() {
    let site = embedded();
    let device = site.device("waits");
    let ids: Vec<_> = (0..3).map(|scene| call_later(site, &device, scene, 1)).collect();
    record(site, &ids[0], "queued");

    let connected = site.connect(&device, false);

    for (scene, id) in ids.iter().enumerate() {
        let called = connected.called();
        assert_eq!((&called["id"], &called["params"]["scene"]), (&json!(id), &json!(scene)));
        assert_eq!(record(site, id, "ended")["outcome"], "ok");
    }
    connected.kill();
    let again = MqttDevice::connect(site.broker(), &Credential::of(&device, Some(1)));
    let last = call_later(site, &device, 0, 0);
    assert_eq!(again.next().id(), last, "nothing of before comes again");
}

#[test]
fn async_call_at_qos_0_to_an_absent_device_is_not_kept() {
    let site = embedded();
    let device = site.device("not-kept");

    let id = call_later(site, &device, 1, 0);

    assert_eq!(record(site, &id, "ended")["outcome"], "offline");
    let connected = MqttDevice::connect(site.broker(), &Credential::of(&device, Some(1)));
    let next = call_later(site, &device, 2, 0);
    assert_eq!(connected.next().id(), next);
}

#[test]
fn unacknowledged_command_comes_again_under_another_client_id() {
    let site = embedded();
    let device = site.device("unacknowledged");
    let first = MqttDevice::connect(site.broker(), &Credential::of(&device, Some(1)));
    let id = call_later(site, &device, 1, 1);
    let seen = first.next();
    assert_eq!((seen.id(), seen.qos), (id.as_str(), 1));

    let options = "securemode=3,signmethod=hmacsha256,ext=1,timestamp=1700000000001";
    let second = MqttDevice::connect(site.broker(), &Credential::with_options(&device, "other-id", options));

    let again = second.next();
    assert_eq!(again.id(), id);
    second.acknowledge(&again);
    record(site, &id, "acked");
    let third = MqttDevice::connect(site.broker(), &Credential::of(&device, Some(1)));
    let last = call_later(site, &device, 0, 0);
    assert_eq!(third.next().id(), last, "what was acknowledged does not come again");
}

#[test]
fn waiting_command_survives_a_crash_and_comes_once() {
    let mut site = Site::embedded(&[]);
    let device = site.device("survives");
    let id = call_later(&site, &device, 2, 1);

    site.program.kill();
    site.start_again();

    let connected = site.connect(&device, false);
    let called = connected.called();
    assert_eq!((&called["id"], &called["params"]["scene"]), (&json!(id), &json!(2)));
    assert_eq!(record(&site, &id, "ended")["outcome"], "ok");
    let next = call_later(&site, &device, 0, 1);
    assert_eq!(connected.called()["id"], json!(next), "it came once");
}

#[test]
fn acknowledged_command_does_not_come_again_after_a_crash() {
    let mut site = Site::embedded(&[]);
    let device = site.device("acknowledged");
    let connected = MqttDevice::connect(site.broker(), &Credential::of(&device, Some(1)));
    let id = call_later(&site, &device, 1, 1);
    connected.acknowledge(&connected.next());
    record(&site, &id, "acked");

    site.program.kill();
    site.start_again();

    let again = MqttDevice::connect(site.broker(), &Credential::of(&device, Some(1)));
    let next = call_later(&site, &device, 2, 1);
    assert_eq!(again.next().id(), next);
}

#[test]
fn waiting_commands_of_a_device_are_limited() {
    let site = Site::embedded(&[("STORE__OUTBOX_CALLS_PER_DEVICE_MAX", "2")]);
    let device = site.device("full");
    call_later(&site, &device, 0, 1);
    call_later(&site, &device, 1, 1);
    let params = json!({
        "ProductKey": device.product, "DeviceName": device.name, "Identifier": "SetScene", "Args": "{}", "Qos": 1,
    });

    let refused = site.ask("InvokeThingService", &params);

    assert_eq!(refused.failure().0, "iot.messagebroker.RateLimit");
}
