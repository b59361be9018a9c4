//! Calls that were accepted by a server that was killed: the next one brings them to their end.

use serde_json::json;
use thingcall_tests::{Credential, MqttDevice, Sdk, Site, eventually};

#[test]
fn call_that_was_accepted_and_not_sent_before_a_kill_is_sent_by_the_next_server_under_its_id() {
    let mut site = Site::external(&[]);
    site.is_ready();
    let device = site.device("left-behind");
    let topic = |rest: &str| format!("/sys/{}/{}/thing/service/{rest}", device.product, device.name);
    // A broker that stands still acknowledges nothing, so what is accepted has not left for sure.
    site.mosquitto.as_ref().expect("a Mosquitto").pause();
    let params = json!({
        "ProductKey": device.product, "DeviceName": device.name, "Identifier": "SetScene", "Args": r#"{"scene":2}"#,
        "Qos": 1,
    });
    let unanswered = site.begin(Sdk::Tea, "InvokeThingService", &params);
    eventually("the call is on record", || {
        (site.program.metrics().sum("thingcall_store_records", &[]) >= 1.0).then_some(())
    });

    site.program.kill();
    drop(unanswered);
    let mosquitto = site.mosquitto.as_mut().expect("a Mosquitto");
    mosquitto.kill();
    mosquitto.start_again();
    let connected = MqttDevice::connect(site.broker(), &Credential::of(&device, None));
    assert!(connected.subscribe(&topic("SetScene")));
    site.start_again();

    let seen = connected.next();
    assert_eq!((seen.topic.as_str(), &seen.body["params"]), (topic("SetScene").as_str(), &json!({ "scene": 2 })));
    connected.acknowledge(&seen);
    connected.publish(&topic("SetScene_reply"), &seen.answer(&json!({ "applied": 0 })));
    let record = eventually("the record has ended", || {
        let record = site.command_json(&["explain", seen.id()]);
        (record["state"] == "ended").then_some(record)
    });
    assert_eq!((&record["outcome"], &record["data"]), (&json!("ok"), &json!({ "applied": 0 })));
    let [one] =
        site.command(&["instances", "--json"]).lines().map(str::to_owned).collect::<Vec<_>>().try_into().expect("one");
    let instance: serde_json::Value = serde_json::from_str(&one).expect("JSON");
    assert_eq!(record["takenOverBy"], instance["name"]);
    let words = site.command(&["explain", seen.id()]);
    assert!(words.contains("taken over by"), "{words}");
    assert_eq!(site.program.metrics().sum("thingcall_taken_over_calls_total", &[r#"result="sent""#]), 1.0);
    assert!(!connected.has_message(), "it left once");
}
