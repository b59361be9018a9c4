//! Pages that are live: what comes, to whom, how many there may be, and how they end.

use serde_json::json;
use thingcall_tests::{Credential, LiveTail, MqttDevice, PRODUCT, Site, Visitor, eventually};

use crate::sites::{embedded, external};

fn visitor(site: &Site) -> Visitor {
    Visitor::logged_in(site.console(), &site.key.id, &site.key.secret)
}

fn log_of(product: &str, device: &str) -> String {
    format!("/devices/{product}/{device}/log")
}

fn follow(visitor: &Visitor, path: &str) -> LiveTail {
    visitor.follow(path, None).unwrap_or_else(|answer| panic!("{answer:?}")).stands()
}

#[test]
fn what_happens_to_a_device_is_seen_as_it_happens() {
    let site = embedded();
    let device = site.device("live-log");
    let mut tail = follow(&visitor(site), &log_of(PRODUCT, "live-log"));
    let mut wrong = Credential::of(&device, None);
    wrong.password = "00".repeat(32);
    MqttDevice::try_connect(site.broker(), &wrong).expect_err("it is refused");
    let refused = tail.row_with("refused");
    assert!(refused.texts().iter().any(|text| text.contains("password")), "{refused:?}");
    let connected = MqttDevice::connect(site.broker(), &Credential::of(&device, None));
    tail.row_with("connected");
    let topic = format!("/sys/{PRODUCT}/live-log/thing/event/property/post");
    connected.publish_bytes(&topic, b"{\"id\":\"1\",\"version\":\"1.0\",\"params\":{}}".to_vec());
    let published = tail.row_with("published");
    assert!(published.has(&topic) && published.has("38"), "{published:?}");
    connected.publish(&format!("/sys/{PRODUCT}/live-log/thing/service/x_reply"), &json!("no object"));
    let dropped = tail.row_with("dropped");
    assert!(dropped.texts().iter().any(|text| text.starts_with("unreadable: ")), "{dropped:?}");
    connected.publish("/nobody/reads/<script>alert(1)</script>", &json!({}));
    let foreign = tail.row_with("dropped");
    assert!(foreign.has("/nobody/reads/<script>alert(1)</script>"), "text, as data of JSON: {foreign:?}");
    site.ask("DisableThing", &json!({ "ProductKey": PRODUCT, "DeviceName": "live-log" })).ok();
    tail.row_with("left");
    MqttDevice::try_connect(site.broker(), &Credential::of(&device, None)).expect_err("it is refused");
    let refused = tail.row_with("refused");
    assert!(refused.has("the device is disabled"), "{refused:?}");
}

#[test]
fn what_is_sent_to_a_device_and_what_cannot_be_is_seen() {
    let site = embedded();
    let (device, _connected) = site.linkkit("live-called");
    let mut tail = follow(&visitor(site), &log_of(PRODUCT, "live-called"));
    site.invoke(&device, "Measure", r#"{"channel":1}"#);
    assert!(tail.row_with("sent to it").has("Measure"));
    let away = site.device("live-away");
    let mut tail = follow(&visitor(site), &log_of(PRODUCT, "live-away"));
    site.invoke(&away, "Measure", r#"{"channel":1}"#);
    assert!(tail.row_with("not sent").has("device is offline"));
}

#[test]
fn a_device_behind_another_broker_is_seen_too() {
    let site = external();
    let device = site.device("live-behind");
    let mut tail = follow(&visitor(site), &log_of(PRODUCT, "live-behind"));
    let connected = site.connect(&device, false);
    connected.says(&json!({ "post": { "Brightness": 3 } }));
    let published = tail.row_with("published");
    assert!(published.has("mqtt"), "{published:?}");
}

#[test]
fn a_key_sees_nothing_of_a_device_that_its_rules_do_not_name() {
    let site = embedded();
    site.import("a1LiveOther", &[]);
    let other = site.device_of("a1LiveOther", "live-other");
    let own = site.device("live-own");
    let rule = format!("actions=QueryDeviceDetail;devices={PRODUCT}/live-own");
    site.command(&["key", "add", "--id", "live-few", "--secret", "few-secret", "--allow", &rule]);
    let few = Visitor::logged_in(site.console(), "live-few", "few-secret");
    let refused = few.follow(&log_of("a1LiveOther", "live-other"), None).expect_err("it is refused");
    assert!(refused.status == 403 && refused.body.contains("Forbidden.RAM"), "{refused:?}");
    let mut tail = follow(&few, &log_of(PRODUCT, "live-own"));
    let _other = MqttDevice::connect(site.broker(), &Credential::of(&other, None));
    let _own = MqttDevice::connect(site.broker(), &Credential::of(&own, None));
    let first = tail.next_event().expect("a row");
    assert!(first.has("connected") && !format!("{first:?}").contains("live-other"), "{first:?}");
    site.command(&["key", "allow", "live-few", "actions=QueryDeviceDetail;products=a1LiveOther"]);
    drop(MqttDevice::try_connect(site.broker(), &Credential::of(&own, None)));
    let end = eventually("its rules end it", || {
        let answer = few.follow(&log_of(PRODUCT, "live-own"), None);
        answer.err()
    });
    assert_eq!(end.status, 403, "{end:?}");
}

#[test]
fn nobody_follows_without_a_login_and_nobody_beyond_its_key() {
    let site = Site::embedded(&[]);
    site.device("live-ends");
    let stranger = Visitor::new(site.console());
    assert_eq!(stranger.follow(&log_of(PRODUCT, "live-ends"), None).expect_err("a login").status, 303);
    site.command(&["key", "add", "--id", "live-ending", "--secret", "ending-secret"]);
    let visitor = Visitor::logged_in(site.console(), "live-ending", "ending-secret");
    let mut tail = follow(&visitor, &log_of(PRODUCT, "live-ends"));
    site.command(&["key", "disable", "live-ending"]);
    let end = tail.next_event().expect("its end");
    assert!(
        end.name == "end" && end.data["text"].as_str().is_some_and(|text| text.contains("log in again")),
        "{end:?}"
    );
    assert_eq!(tail.next_event(), None);
}

#[test]
fn of_a_thousand_live_pages_so_many_are_as_may_be_and_others_go_on() {
    let site = Site::embedded(&[("CONSOLE__LIVE_TAILS_MAX", "16"), ("CONSOLE__CONNECTIONS_MAX", "24")]);
    let device = site.device("live-many");
    let path = log_of(PRODUCT, "live-many");
    let mut visitor = visitor(&site);
    let (mut tails, mut refused) = (Vec::new(), 0);
    for _ in 0..1000 {
        match visitor.follow(&path, None) {
            Ok(tail) => tails.push(tail.stands()),
            Err(answer) => {
                assert!(answer.status == 503 && answer.body.contains("live_tails_max"), "{answer:?}");
                refused += 1;
            }
        }
    }
    assert_eq!((tails.len(), refused), (8, 992), "a key has half of them");
    let metrics = site.program.metrics();
    for (name, value) in [("live_tails", 8.0), ("live_tails_limit", 16.0), ("live_tails_refused_total", 992.0)] {
        assert_eq!(metrics.sum(&format!("thingcall_console_{name}"), &[]), value, "{name}");
    }
    assert_eq!(visitor.page("/products").status, 200, "pages are loaded beside them");
    let _connected = MqttDevice::connect(site.broker(), &Credential::of(&device, None));
    tails.iter_mut().for_each(|tail| drop(tail.row_with("connected")));
    tails.clear();
    eventually("their places are free", || {
        (site.program.metrics().sum("thingcall_console_live_tails", &[]) < 0.5).then_some(())
    });
    drop(follow(&visitor, &path));
}

#[test]
fn one_that_does_not_read_loses_rows_and_holds_up_nobody() {
    let site = Site::embedded(&[("CONSOLE__WRITE_TIMEOUT", "1s")]);
    let device = site.device("live-slow");
    let visitor = visitor(&site);
    let slow = follow(&visitor, &log_of(PRODUCT, "live-slow"));
    let connected = MqttDevice::connect(site.broker(), &Credential::of(&device, None));
    let topic = format!("/{PRODUCT}/live-slow/user/{}", "x".repeat(150));
    eventually("the listener gives it up", || {
        (0..2000).for_each(|_| connected.publish_bytes(&topic, b"x".to_vec()));
        (site.program.metrics().sum("thingcall_console_live_tails", &[]) < 0.5).then_some(())
    });
    let cut = site.program.metrics().sum("thingcall_listener_connections_cut_total", &["listener=\"console\""]);
    assert!(cut >= 1.0, "{cut}");
    drop(slow);
}

#[test]
fn a_server_that_stops_does_not_wait_for_live_pages() {
    let mut site = Site::embedded(&[("SHUTDOWN__READY_PAUSE", "0s")]);
    site.device("live-stop");
    let mut tail = follow(&visitor(&site), &log_of(PRODUCT, "live-stop"));
    site.program.terminate();
    while tail.next_event().is_some() {}
    assert!(site.program.ended().success());
}
