//! Devices that are disabled, by the API and by the command line beside a running server.

use serde_json::json;
use thingcall_tests::{Credential, MqttDevice};

use crate::sites::embedded;

#[test]
fn device_disabled_by_the_api_is_kicked_and_not_called() {
    let site = embedded();
    let device = site.device("disabled");
    let connected = MqttDevice::connect(site.broker(), &Credential::of(&device, Some(1)));
    let named = json!({ "ProductKey": device.product, "DeviceName": device.name });

    site.ask("DisableThing", &named).ok();

    connected.gone();
    let refused = site.invoke(&device, "Measure", "{}");
    assert_eq!(refused.failure().0, "iot.messagebroker.OFFLINE");
    assert!(refused.failure().1.contains("disabled"), "{refused:?}");
    let again = MqttDevice::try_connect(site.broker(), &Credential::of(&device, Some(1)));
    again.expect_err("a disabled device is refused");

    site.ask("EnableThing", &named).ok();
    let again = MqttDevice::connect(site.broker(), &Credential::of(&device, Some(1)));
    let waiting = site.begin_invoke(&device, "testFb:testService", r#"{"param1":1}"#);
    let seen = again.next();
    again.publish(&seen.topic, &seen.answer(&json!({ "param1": 1 })));
    waiting.answer().ok();
}

#[test]
fn device_disabled_by_a_command_is_kicked_by_the_running_server() {
    let site = embedded();
    let device = site.device("disabled-by-command");
    let connected = MqttDevice::connect(site.broker(), &Credential::of(&device, Some(1)));
    let name = format!("{}/{}", device.product, device.name);

    let shown = site.command_json(&["device", "disable", &name]);

    assert_eq!(shown["status"], "DISABLE");
    connected.gone();
    assert!(site.invoke(&device, "Measure", "{}").failure().1.contains("disabled"));
}
