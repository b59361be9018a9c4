//! Secrets are printed by what makes them and by what is asked for them, and nowhere else.

use thingcall_tests::{PRODUCT, Site, bench, eventually, run};

const DEVICE_SECRET: &str = "the-devices-own-0123456789";
const KEY_SECRET: &str = "the-keys-own-0123456789";

#[test]
fn secrets_are_printed_by_add_and_on_demand_alone() {
    let site = Site::embedded(&[("LOG__LEVEL", "debug")]);
    let device = format!("{PRODUCT}/sim-0001");
    let data = ["--data", site.data().to_str().expect("a plain name")];
    let says = |line: &str| {
        let finished = run(line.split(' ').chain(data));
        assert!(matches!(finished.code, Some(0 | 1)), "{line}: {finished:?}");
        let said = finished.stdout + &finished.stderr;
        [DEVICE_SECRET, KEY_SECRET, &site.key.secret].into_iter().filter(|secret| said.contains(secret)).count()
    };
    assert_eq!(says(&format!("device add --product {PRODUCT} --name sim-0001 --secret {DEVICE_SECRET}")), 1);
    assert_eq!(says(&format!("key add --id other --secret {KEY_SECRET}")), 1);
    let devices = site.simulate(1);
    eventually("the device answers", || {
        let call = ["call", &device, "testFb:testService", r#"{"param1":1}"#];
        run(call.iter().chain(&data)).code.filter(|code| *code == 0)
    });

    for json in ["", " --json"] {
        for line in [
            "device list",
            &format!("device show {device}"),
            &format!("device disable {device}"),
            &format!("device enable {device}"),
            &format!("device route {device} --transport auto"),
            "device show a1Nobody/d",
            "key list",
            &format!("key add --id other --secret {KEY_SECRET}"),
            &format!("device add --product {PRODUCT} --name sim-0001 --secret {DEVICE_SECRET}"),
            "product list",
            &format!("product show {PRODUCT}"),
            &format!("call {device} testFb:testService {{}}"),
            &format!("call {device} testFb:testService {{}} --key-id other --key-secret {KEY_SECRET}"),
        ] {
            assert_eq!(says(&format!("{line}{json}")), 0, "{line}{json}");
        }
        assert_eq!(says(&format!("device show {device} --secret{json}")), 1);
    }
    assert_eq!(says("key disable other"), 0);
    assert_eq!(says(&format!("device remove {device}")), 0);
    for log in [site.program.log(), devices.log()] {
        for secret in [DEVICE_SECRET, KEY_SECRET, &site.key.secret] {
            assert!(!log.contains(secret), "{secret} is in a log");
        }
    }
}

#[test]
fn password_in_a_url_is_refused_and_not_repeated() {
    for (line, code) in [
        ("device simulate p/d --url mqtt://u:sekrit@127.0.0.1:1", 2),
        ("call p/d s --key-id i --key-secret k --url http://u:sekrit@127.0.0.1:1", 2),
    ] {
        for json in [None, Some("--json")] {
            if json.is_some() && line.starts_with("device simulate") {
                continue;
            }
            let finished = run(line.split(' ').chain(json));
            assert_eq!(finished.code, Some(code), "{line}: {finished:?}");
            let said = finished.stdout + &finished.stderr;
            assert!(!said.contains("sekrit") && !said.is_empty(), "{line}: {said}");
        }
    }
}

#[test]
fn the_benchmark_does_not_repeat_a_password_either() {
    for line in ["--broker mqtts://u:sekrit@127.0.0.1:1", "reference --broker amqp://u:sekrit@127.0.0.1:1 --seconds 1"]
    {
        let finished = bench(line.split(' '));
        assert_ne!(finished.code, Some(0), "{line}: {finished:?}");
        let said = finished.stdout + &finished.stderr;
        assert!(!said.contains("sekrit") && !said.is_empty(), "{line}: {said}");
    }
}

#[test]
fn demo_shows_no_secret() {
    let finished = run(["demo", "--once"]);
    let key = finished.stdout.lines().find_map(|line| line.trim().strip_prefix("key ")).expect("its key");
    assert_eq!(key.split_whitespace().count(), 1, "{key}");
}
