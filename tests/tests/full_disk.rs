//! A server whose disk is full: what it tells, and that it goes on by itself.

use thingcall_tests::{Credential, MqttDevice, Site, eventually};

/// An asynchronous service of the sample model, and arguments for it.
const SERVICE: &str = "testFb:resetLater";
const ARGS: &str = r#"{"delay":1.5}"#;

#[test]
fn asynchronous_calls_on_a_full_disk_say_so_and_go_on_when_there_is_room() {
    let (site, disk) = Site::on_small_disk(8);
    let device = site.device("full-1");
    let _connected = MqttDevice::connect(site.broker(), &Credential::of(&device, Some(1)));
    site.invoke(&device, SERVICE, ARGS).ok();
    disk.fill();
    let refused = eventually("a call is refused", || {
        let answer = site.invoke(&device, SERVICE, ARGS);
        (!answer.succeeded()).then(|| {
            let (code, why) = answer.failure();
            (code.to_owned(), why.to_owned())
        })
    });
    assert_eq!(refused.0, "iot.system.SystemException", "{refused:?}");
    assert!(refused.1.contains("the store is full") && refused.1.contains("it was not sent"), "{refused:?}");
    let (status, why) = site.program.operator("/readyz");
    assert!(status == 503 && why.contains("store: the store is full"), "{status} {why}");
    assert!((site.program.metrics().sum("thingcall_store_writable", &[])).abs() < f64::EPSILON);
    let params = serde_json::json!({ "ProductKey": device.product, "DeviceName": "full-2" });
    let registered = site.ask("RegisterDevice", &params);
    let (_, why) = registered.failure();
    assert!(why.contains("the store is full"), "{why}");

    disk.free();
    site.is_ready();
    site.invoke(&device, SERVICE, ARGS).ok();
    site.device("full-2");
}

#[test]
fn an_answer_that_comes_on_a_full_disk_is_kept_until_there_is_room() {
    let (site, disk) = Site::on_small_disk(8);
    let device = site.device("full-4");
    let connected = MqttDevice::connect(site.broker(), &Credential::of(&device, Some(1)));
    let id = site.invoke(&device, SERVICE, ARGS).ok().message_id();
    let asked = connected.next();
    disk.fill();
    eventually("a call is refused", || (!site.invoke(&device, SERVICE, ARGS).succeeded()).then_some(()));
    connected.publish(&format!("{}_reply", asked.topic), &asked.answer(&serde_json::json!({})));
    let on_their_way = || site.program.metrics().sum("thingcall_late_replies", &[]);
    eventually("it waits", || (on_their_way() > 0.5).then_some(()));

    disk.free();
    site.is_ready();
    eventually("it is written", || (on_their_way() < 0.5).then_some(()));
    assert_eq!(site.command_json(&["explain", &id])["outcome"], "ok");
}

#[test]
fn a_start_on_a_full_disk_says_so_and_all_is_well_when_there_is_room() {
    let (mut site, disk) = Site::on_small_disk(8);
    let device = site.device("full-0");
    let _first = site.invoke(&device, SERVICE, ARGS).ok();
    site.program.kill();
    disk.fill();
    site.start_again();
    let (status, why) = site.program.operator("/readyz");
    assert!(status == 503 && why.contains("store: the store is full"), "before any call: {status} {why}");

    disk.free();
    site.is_ready();
    site.invoke(&device, SERVICE, ARGS).ok();
    eventually("the data folder says where the server is", || {
        let told = site.data().join("server.json");
        told.exists().then_some(())
    });
}

#[test]
fn no_acknowledged_call_is_lost_by_a_crash_on_a_full_disk() {
    let (mut site, disk) = Site::on_small_disk(8);
    let device = site.device("full-3");
    let mut acknowledged = Vec::new();
    let mut full = false;
    for call in 0..400 {
        if call == 20 {
            disk.fill();
        }
        let answer = site.invoke(&device, SERVICE, ARGS);
        if answer.succeeded() {
            acknowledged.push(answer.message_id());
        } else {
            full = true;
            break;
        }
    }
    assert!(full && acknowledged.len() >= 20, "{}", acknowledged.len());
    site.program.kill();
    disk.free();
    site.start_again();
    site.is_ready();
    for id in &acknowledged {
        site.command(&["explain", id]);
    }
}
