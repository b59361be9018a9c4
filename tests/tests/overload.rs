//! More calls than there is room for: who is refused, as what, and who is not.

use serde_json::json;
use thingcall_tests::{Answer, DeviceSecrets, HttpCall, Key, Sdk, Site, Waiting, eventually, invocation};

const NOISY: &str = "a1NoisyLamp";
const QUIET: &str = "a1QuietLamp";
/// As many as wait in any case.
const FLOOR: usize = 64;

fn measures(site: &Site, device: &DeviceSecrets, key: &Key) -> Waiting {
    site.begin_as(key, Sdk::Tea, "InvokeThingService", &invocation(device, "Measure", r#"{"channel":1}"#))
}

fn so_many_wait(site: &Site, calls: f64) {
    let waiting = || site.program.metrics().sum("thingcall_pending_calls", &[]);
    eventually("the calls wait for their device", || (waiting() == calls).then_some(()));
}

fn without_room(site: &Site, reason: &str) -> f64 {
    let label = format!(r#"reason="{reason}""#);
    site.program.metrics().sum("thingcall_calls_without_room_total", &[&label])
}

fn refused(answer: &Answer, words: &str) {
    let (code, text) = answer.failure();
    assert_eq!(code, "iot.messagebroker.RateLimit");
    assert!(text.contains(words), "{text}");
}

#[test]
fn who_fills_its_part_is_refused_at_once_and_a_quiet_product_and_account_are_served() {
    let site = Site::embedded(&[("ENGINE__PENDING_CALLS_MAX", "10"), ("ENGINE__REPLY_TIMEOUT", "60s")]);
    let other = Key { id: "other".to_owned(), secret: "other-secret".to_owned(), token: None };
    site.command(&["key", "add", "--id", &other.id, "--secret", &other.secret, "--account", "other"]);
    let [noisy, quiet] = [NOISY, QUIET].map(|product| {
        site.import(product, &[]);
        let device = site.device_of(product, "one");
        let linkkit = site.connect(&device, false);
        (device, linkkit)
    });
    noisy.1.is_silent();
    let stuck: Vec<_> = (0..9).map(|_| measures(&site, &noisy.0, &site.key)).collect();
    let called: Vec<_> = (0..9).map(|_| noisy.1.called()).collect();
    so_many_wait(&site, 9.0);

    refused(&measures(&site, &noisy.0, &site.key).answer(), "calls to product a1NoisyLamp have their part");
    assert_eq!(without_room(&site, "product"), 1.0);
    let served = measures(&site, &quiet.0, &site.key).answer().ok();
    assert_eq!(served.result()["code"], 200);
    let others = measures(&site, &noisy.0, &other);
    let of_other = noisy.1.called();
    so_many_wait(&site, 10.0);
    refused(&measures(&site, &quiet.0, &other).answer(), "10 calls wait for their devices (pending_calls_max)");
    assert_eq!(without_room(&site, "full"), 1.0);

    for call in called.iter().chain([&of_other]) {
        noisy.1.answers_this(call, &json!({ "mean": 2.5 }));
    }
    for answer in stuck.into_iter().chain([others]) {
        assert_eq!(answer.answer().ok().result()["data"]["mean"], 2.5);
    }
    so_many_wait(&site, 0.0);
}

#[test]
fn calls_that_would_only_queue_at_a_broker_are_refused_at_once_until_it_goes_on() {
    let site = Site::external(&[
        ("ENGINE__REPLY_TIMEOUT", "60s"),
        ("ENGINE__CONGESTION_DELAY", "25ms"),
        // A broker that stands still is not taken for one that is gone.
        ("MQTT__PROBE_TIMEOUT", "10m"),
        ("MQTT__KEEP_ALIVE", "10m"),
        ("API__CALLS_PER_SECOND_MAX", "0"),
    ]);
    let (device, _linkkit) = site.linkkit("lamp");
    let mosquitto = site.mosquitto.as_ref().expect("this site has one");
    let send = |paths: Vec<String>| -> Vec<HttpCall> {
        paths.iter().map(|path| HttpCall::send(site.program.addresses.api, "POST", path)).collect()
    };
    let calls = |count: usize| {
        let args = (0..count).map(|_| (&device, "Measure", r#"{"channel":1}"#.to_owned()));
        send(site.signed(args))
    };
    let room = || site.program.metrics().sum("thingcall_pending_calls_room", &[]);
    assert!(site.invoke(&device, "Measure", r#"{"channel":1}"#).succeeded());

    mosquitto.pause();
    let stuck = calls(FLOOR);
    so_many_wait(&site, FLOOR as f64);
    let mut more = Vec::new();
    eventually("a call finds no room", || {
        more.extend(calls(1));
        (without_room(&site, "congested") > 0.0).then_some(())
    });
    assert!(room() < 20_000.0);
    let last = more.pop().expect("one was refused").answer();
    assert!(
        last.body.contains("iot.messagebroker.RateLimit") && last.body.contains("congestion_delay"),
        "{}",
        last.body
    );

    mosquitto.resume();
    for call in stuck.into_iter().chain(more) {
        let answer = call.answer();
        let told = answer.body.contains(r#""Success":true"#) || answer.body.contains("iot.messagebroker.RateLimit");
        assert!(told, "{}", answer.body);
    }
    eventually("room is as it was", || {
        calls(1).into_iter().for_each(|call| drop(call.answer()));
        (room() == 20_000.0).then_some(())
    });
}
