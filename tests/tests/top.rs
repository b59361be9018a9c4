//! Which devices fail, told by `thingcall top`; and what products and traces are told apart in metrics.

use std::process::Command;

use serde_json::Value;
use thingcall_tests::{PRODUCT, Site, Thingcall, run_ok};

fn top(program: &Thingcall, query: &str) -> Value {
    let (status, body) = program.operator(&format!("/debug/top{query}"));
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).expect("JSON")
}

#[test]
fn a_device_that_is_away_is_on_top_and_one_that_answers_is_not_there() {
    let site = Site::embedded(&[("ENGINE__SLOW_CALL", "1h")]);
    let (well, _connected) = site.linkkit("well");
    let away = site.device("away");
    for _ in 0..3 {
        assert!(!site.invoke(&away, "testFb:testService", r#"{"param1":1}"#).succeeded());
        site.invoke(&well, "testFb:testService", r#"{"param1":1}"#).ok();
    }

    let failures = top(&site.program, "?by=failures&limit=5");
    assert_eq!(failures["devices"].as_array().map(Vec::len), Some(1), "{failures}");
    let first = &failures["devices"][0];
    assert_eq!(
        (&first["deviceName"], &first["count"], &first["lastOutcome"]),
        (&"away".into(), &3.into(), &"offline".into())
    );
    assert_eq!((&first["tooManyAtMost"], &failures["windowSeconds"]), (&0.into(), &600.into()));
    assert_eq!(failures["products"][0]["count"], 3);
    assert_eq!(top(&site.program, "?by=timeouts")["devices"], Value::Array(Vec::new()));
    assert_eq!(site.program.operator("/debug/top?by=speed").0, 400);

    let metrics = site.program.addresses.metrics.to_string();
    let table = run_ok(["top", "--metrics", &metrics]);
    let line = table.lines().find(|line| line.contains("/away")).expect("the device is listed");
    assert!(table.starts_with("DEVICE") && line.contains("offline"), "{table}");
    let json = run_ok(["top", "--metrics", &metrics, "--once", "--json", "--products"]);
    let row: Value = serde_json::from_str(json.trim()).expect("one object a line");
    assert_eq!((&row["count"], &row["by"]), (&3.into(), &"failures".into()));
    assert!(row["instance"].as_str().is_some_and(|name| !name.is_empty()), "{row}");
}

#[test]
fn slow_answers_and_silence_are_told_apart() {
    let site = Site::embedded(&[("ENGINE__SLOW_CALL", "1us"), ("ENGINE__REPLY_TIMEOUT", "1s")]);
    let (slow, _connected) = site.linkkit("slow");
    site.invoke(&slow, "testFb:testService", r#"{"param1":1}"#).ok();
    let silent = site.device("silent");
    let credential = thingcall_tests::Credential::of(&silent, Some(1));
    let _silent = thingcall_tests::MqttDevice::connect(site.broker(), &credential);
    assert!(!site.invoke(&silent, "testFb:testService", r#"{"param1":1}"#).succeeded());

    let of = |by: &str| top(&site.program, &format!("?by={by}"))["devices"][0]["deviceName"].clone();
    assert_eq!([of("slow"), of("timeouts"), of("failures")], ["slow", "silent", "silent"].map(Value::from));
    let metrics = site.program.metrics();
    let embedded = [r#"transport="embedded""#];
    assert_eq!(metrics.sum("thingcall_device_response_timeouts_total", &embedded), 1.0);
    assert_eq!(metrics.sum("thingcall_device_response_seconds_count", &embedded), 1.0);
}

#[test]
fn listed_products_have_series_of_their_own_and_all_others_are_one() {
    let site = Site::with_plugins("[metrics]\nproducts = [\"listed\", \"other-listed\"]\n", &[]);
    site.import("listed", &[]);
    let (unlisted, _connected) = site.linkkit("of-another");
    let listed = site.device_of("listed", "of-a-listed");
    let _connected_too = site.connect(&listed, false);
    site.invoke(&unlisted, "testFb:testService", r#"{"param1":1}"#).ok();
    for _ in 0..2 {
        site.invoke(&listed, "testFb:testService", r#"{"param1":1}"#).ok();
    }
    site.invoke(&listed, "nothing", "{}");

    let metrics = site.program.metrics();
    let of = |name: &str, product: &str, more: &[&str]| {
        metrics.sum(name, &[&[&*format!("product={product:?}")], more].concat())
    };
    let ok = [r#"outcome="ok""#];
    for (product, calls) in [("listed", 2.0), ("_other", 1.0), ("other-listed", 0.0)] {
        assert_eq!(of("thingcall_calls_total", product, &ok), calls, "{product}");
        assert_eq!(of("thingcall_call_duration_seconds_count", product, &[]), calls, "{product}");
        assert_eq!(of("thingcall_replies_total", product, &[r#"result="matched""#]), calls, "{product}");
    }
    assert_eq!(of("thingcall_calls_total", "listed", &[r#"outcome="unknown_target""#]), 1.0);
    assert!(!metrics.text.contains(PRODUCT), "a product that is not listed is a label");
    let with_product = metrics.text.lines().filter(|line| line.contains("product=") && !line.starts_with('#'));
    let names: std::collections::BTreeSet<_> = with_product.filter_map(|line| line.split('{').next()).collect();
    assert_eq!(names.len(), 5, "{names:?}");
}

#[test]
fn openmetrics_is_written_for_who_asks_and_ends_as_it_must() {
    let site = Site::embedded(&[]);
    let (device, _connected) = site.linkkit("measured");
    site.invoke(&device, "testFb:testService", r#"{"param1":1}"#).ok();

    let url = format!("http://{}/metrics", site.program.addresses.metrics);
    let accept = "Accept: application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
    let curl = |arguments: &[&str]| {
        let output = Command::new("curl").args(["-sS", "-i"]).args(arguments).arg(&url).output().expect("curl");
        String::from_utf8(output.stdout).expect("text").replace("Content-Type", "content-type")
    };
    let answer = curl(&["-H", accept]);
    assert!(answer.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8"), "{answer}");
    let (_, text) = answer.split_once("\r\n\r\n").expect("a body");
    assert!(text.ends_with("# EOF\n"), "{text}");
    let kinds = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let kinds: std::collections::BTreeMap<_, _> = kinds.collect();
    assert_eq!(kinds.get("thingcall_calls"), Some(&"counter"), "{kinds:?}");
    // A counter whose name is a gauge's with `_total` cannot be one there: the gauge has the family's name.
    let odd: Vec<_> = kinds.iter().filter(|(name, _)| name.ends_with("_total")).collect();
    assert_eq!(odd, [(&"thingcall_unawaited_questions_total", &"unknown")]);
    assert!(
        text.contains("thingcall_call_duration_seconds_bucket{mode=\"sync\",transport=\"embedded\",le=\"8.0\"} 1\n"),
        "{text}"
    );
    let samples = |text: &str| text.lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(samples(text), samples(&site.program.metrics().text), "{text}");
    assert!(curl(&[]).contains("content-type: text/plain; version=0.0.4"));
}
