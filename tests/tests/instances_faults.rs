//! Two instances on one PostgreSQL and at one broker, when one is killed and when the store stands still.

use std::time::Duration;

use serde_json::{Value, json};
use thingcall_tests::{Credential, DeviceSecrets, MqttDevice, Postgres, Sdk, Site, eventually};
use tokio::time::Instant;

/// A lease is over after 10 s, and then it is looked each second; the rest is for a busy machine.
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(20);

fn topic(device: &DeviceSecrets, rest: &str) -> String {
    format!("/sys/{}/{}/thing/service/{rest}", device.product, device.name)
}

fn connect(site: &Site, device: &DeviceSecrets) -> MqttDevice {
    let connected = MqttDevice::connect(site.broker(), &Credential::of(device, None));
    assert!(connected.subscribe(&topic(device, "SetScene")));
    assert!(connected.subscribe(&format!("/ext/rrpc/+/sys/{}/{}/thing/service/+", device.product, device.name)));
    connected
}

fn set_scene(device: &DeviceSecrets, scene: u8) -> Value {
    json!({
        "ProductKey": device.product, "DeviceName": device.name, "Identifier": "SetScene",
        "Args": json!({ "scene": scene }).to_string(), "Qos": 1,
    })
}

/// The record of a call, when it has ended.
fn ended(site: &Site, id: &str) -> Value {
    eventually(&format!("{id} has ended"), || {
        let record = site.command_json(&["explain", id]);
        (record["state"] == "ended").then_some(record)
    })
}

/// The name of the one instance that lives.
fn only(site: &Site) -> Value {
    let text = site.command(&["instances", "--json"]);
    let all: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect();
    let [one] = all.try_into().expect("one instance");
    one["name"].clone()
}

/// Waits until the slot of an instance that was killed is another's.
fn taken_over(site: &Site, since: Instant) {
    eventually("the slot is taken over", || {
        (site.program.metrics().sum("thingcall_slot_takeover_seconds_count", &[]) >= 1.0).then_some(())
    });
    assert!(since.elapsed() < TAKEN_OVER_WITHIN, "taken over after {:?}", since.elapsed());
}

#[test]
fn accepted_calls_of_a_killed_instance_end_at_the_other_under_their_ids() {
    let mut first = Site::sharing(&Postgres::shared().database(), &[("ENGINE__REPLY_TIMEOUT", "60s")]);
    let second = first.another(&[]);
    for site in [&first, &second] {
        site.is_ready();
    }
    let device = first.device("outlives");
    let connected = connect(&first, &device);
    let ids: Vec<_> =
        (0..3).map(|scene| first.ask("InvokeThingService", &set_scene(&device, scene)).ok().message_id()).collect();
    let mut seen: Vec<_> = (0..3).map(|_| connected.next()).collect();
    assert_eq!(seen.iter().map(|one| one.id().to_owned()).collect::<Vec<_>>(), ids);
    seen.iter().for_each(|one| connected.acknowledge(one));
    for id in &ids {
        eventually("the broker has it", || (site_state(&first, id) == "acked").then_some(()));
    }
    let unanswered = first.begin_invoke(&device, "testFb:testService", r#"{"param1":3}"#);
    let synchronous = connected.next();

    first.program.kill();
    let killed = Instant::now();
    assert!(unanswered.answer().has_raised(), "the connection of a synchronous caller is gone");
    // One answers while nobody has the slot, one afterwards.
    let reply = |one: &thingcall_tests::Seen| {
        connected.publish(&topic(&device, "SetScene_reply"), &one.answer(&json!({ "applied": 0 })));
    };
    reply(&seen.remove(0));
    taken_over(&second, killed);
    let last = ids.last().expect("three");
    eventually("the take-over is on record", || {
        second.command_json(&["explain", last])["takenOverBy"].as_str().map(drop)
    });
    reply(&seen.remove(0));
    connected.publish(&synchronous.topic, &synchronous.answer(&json!({ "param1": 3 })));

    let name = only(&second);
    for id in ids.iter().take(2) {
        let record = ended(&second, id);
        assert_eq!((&record["outcome"], &record["data"]), (&json!("ok"), &json!({ "applied": 0 })), "{record}");
    }
    // The first one's reply was there already, so there was nothing left to take over.
    for id in ids.iter().skip(1) {
        let words = second.command(&["explain", id]);
        assert!(words.contains(&format!("taken over by {}", name.as_str().expect("a name"))), "{words}");
    }
    let waits = second.command_json(&["explain", last]);
    assert_eq!((&waits["state"], &waits["takenOverBy"]), (&json!("acked"), &name), "nobody answered it yet");
    let late = eventually("the late reply is on record", || {
        let shown = second.command_json(&["device", "show", &format!("{}/{}", device.product, device.name)]);
        shown.get("lastDropped").cloned()
    });
    assert_eq!((&late["reason"], &late["topic"]), (&json!("unknown_id"), &json!(synchronous.topic)), "{late}");
    // Its own answers come on the same topic.
    let again = std::iter::from_fn(|| connected.try_next()).find(|seen| seen.body.get("method").is_some());
    assert!(again.is_none(), "what the broker has leaves once: {again:?}");
}

fn site_state(site: &Site, id: &str) -> Value {
    site.command_json(&["explain", id])["state"].clone()
}

#[test]
fn call_that_a_killed_instance_did_not_send_is_sent_by_the_other_under_its_id() {
    let mut first = Site::sharing(&Postgres::shared().database(), &[]);
    let second = first.another(&[]);
    for site in [&first, &second] {
        site.is_ready();
    }
    let device = first.device("unsent");
    first.mosquitto.as_ref().expect("a Mosquitto").pause();
    let unanswered = first.begin(Sdk::Tea, "InvokeThingService", &set_scene(&device, 2));
    eventually("the call is on record", || {
        (first.program.metrics().sum("thingcall_store_records", &[]) >= 1.0).then_some(())
    });

    first.program.kill();
    let killed = Instant::now();
    drop(unanswered);
    let mosquitto = first.mosquitto.as_mut().expect("a Mosquitto");
    mosquitto.kill();
    mosquitto.start_again();
    let connected = connect(&first, &device);
    taken_over(&second, killed);

    let seen = connected.next();
    assert_eq!(seen.body["params"], json!({ "scene": 2 }));
    connected.acknowledge(&seen);
    connected.publish(&topic(&device, "SetScene_reply"), &seen.answer(&json!({ "applied": 0 })));
    let record = ended(&second, seen.id());
    assert_eq!((&record["outcome"], &record["takenOverBy"]), (&json!("ok"), &only(&second)), "{record}");
    assert!(!connected.has_message(), "it left once");
}

#[test]
fn store_that_stands_still_longer_than_a_lease_takes_readiness_first_and_then_the_calls() {
    let postgres = Postgres::start();
    // Used nonces are in the same store: without them each request would be refused for their sake.
    let settings = [("SHARED__NONCES", "local"), ("SHARED__QUOTA", "local"), ("ENGINE__REPLY_TIMEOUT", "60s")];
    let first = Site::sharing(&postgres.database(), &settings);
    let second = first.another(&[]);
    for site in [&first, &second] {
        site.is_ready();
    }
    let (device, _connected) = first.linkkit("goes-on");
    let silent = first.device("silent");
    let holds = connect(&first, &silent);
    let call = |site: &Site| site.invoke(&device, "testFb:testService", r#"{"param1":3}"#);
    for site in [&first, &second] {
        call(site).ok();
    }
    let waiting = first.begin_invoke(&silent, "testFb:testService", r#"{"param1":3}"#);
    holds.next();

    postgres.pause();
    for site in [&first, &second] {
        let mut fell = false;
        let refused = eventually("calls are refused", || {
            let (status, told) = site.program.operator("/readyz");
            fell |= status == 503 && told.contains("lease: ");
            let answer = call(site);
            assert!(fell || answer.succeeded(), "readiness falls before calls are refused: {answer:?}");
            // One that was under way at that moment is told otherwise.
            (!answer.succeeded())
                .then_some(answer)
                .filter(|answer| !answer.failure().1.contains("lost its lease before"))
        });
        let (_, text) = refused.failure();
        assert!(text.contains("has no lease in its store"), "{text}");
    }
    let answer = waiting.answer();
    let (_, text) = answer.failure();
    assert!(text.contains("may have executed"), "who waited is told what is so: {text}");

    postgres.resume();
    for site in [&first, &second] {
        site.is_ready();
        call(site).ok();
        assert_eq!(site.program.metrics().sum("thingcall_leases_lost_total", &[]), 1.0);
    }
    let text = first.command(&["instances", "--json"]);
    assert_eq!(text.lines().count(), 2, "{text}");
}
