//! What firmware and applications send that is a little wrong, each through a real device on the embedded broker.

use std::path::Path;
use std::sync::OnceLock;

use serde_json::{Value, json};
use thingcall_tests::{Credential, DeviceSecrets, MqttDevice, Site, eventually, fixture, run};

/// The product of `cases/model.json`.
const PRODUCT: &str = "rep";

fn site() -> &'static Site {
    static SITE: OnceLock<Site> = OnceLock::new();
    SITE.get_or_init(|| {
        let site = Site::embedded(&[]);
        import(&site, &["--key", PRODUCT]);
        site
    })
}

fn import(site: &Site, flags: &[&str]) {
    let model = fixture("cases/model.json");
    site.command(&[["product", "import"].as_slice(), flags, &[model.to_str().expect("a plain name")]].concat());
}

fn case(name: &str) -> (String, String) {
    let text = std::fs::read_to_string(fixture(&format!("cases/{name}"))).expect("the case");
    let (first, rest) = text.split_once('\n').expect("two lines");
    (first.to_owned(), rest.trim_end_matches('\n').to_owned())
}

fn device(product: &str, name: &str) -> (DeviceSecrets, MqttDevice) {
    let device = site().device_of(product, name);
    let connected = MqttDevice::connect(site().broker(), &Credential::of(&device, None));
    (device, connected)
}

/// Calls the service of a case, and answers as the case does. The id, and the caller's answer.
fn answered(name: &str, device: &DeviceSecrets, connected: &MqttDevice) -> (String, thingcall_tests::Answer) {
    let (first, body) = case(name);
    let (service, place) = first.split_once(' ').expect("service and topic");
    let waiting = site().begin_invoke(device, service, "{}");
    let seen = connected.next();
    let topic = match place {
        "response" => seen.topic.replace("/request/", "/response/"),
        "reply" => format!("{}_reply", seen.topic),
        _ => seen.topic.clone(),
    };
    let body = body.replace("{id}", seen.id()).replace("{method}", seen.body["method"].as_str().expect("a method"));
    connected.publish_bytes(&topic, body.replace("\\x00", "\0").into_bytes());
    (seen.id().to_owned(), waiting.answer())
}

#[test]
fn replies_that_are_a_little_wrong_are_answers() {
    let (device, connected) = device(PRODUCT, "a-little-wrong");
    for (name, data) in [
        ("06a_data_empty_array.reply", json!({})),
        ("06b_data_empty_text.reply", json!({})),
        ("07_trailing_nul.reply", json!({ "result": "1" })),
        ("14_code_as_float.reply", json!({ "result": "1" })),
    ] {
        let (_, answer) = answered(name, &device, &connected);
        assert_eq!(answer.ok().result()["data"], data, "{name}");
    }
    let metrics = site().program.metrics();
    for reason in ["data_empty_array", "data_empty_text", "trailing_nul", "code_as_float"] {
        let label = format!(r#"reason="{reason}""#);
        assert!(metrics.sum("thingcall_replies_repaired_total", &[&label]) >= 1.0, "{reason}");
    }
}

#[test]
fn a_later_reply_with_zero_bytes_ends_its_call_well() {
    let (device, connected) = device(PRODUCT, "zero-bytes");
    let (id, answer) = answered("07b_trailing_nul_async.reply", &device, &connected);
    answer.ok();
    let record = eventually("the record has ended", || {
        let record: Value = site().command_json(&["explain", &id]);
        (record["state"] == "ended").then_some(record)
    });
    assert_eq!(record["outcome"], "ok", "{record}");
}

#[test]
fn a_product_that_rejects_replies_takes_none_that_is_a_little_wrong() {
    import(site(), &["--key", "repStrict", "--reply-check", "reject"]);
    let (device, connected) = device("repStrict", "strict-replies");
    for (name, word) in [("07_trailing_nul.reply", "zero bytes"), ("14_code_as_float.reply", "decimal point")] {
        let (_, answer) = answered(name, &device, &connected);
        let text = answer.failure().1.to_owned();
        assert!(text.contains(word), "{name}: {text}");
    }
}

#[test]
fn arguments_that_are_a_little_wrong_reach_the_device_as_right_json() {
    let (device, connected) = device(PRODUCT, "args");
    for name in ["09a_single_quotes.args", "22_gson_doubles.args"] {
        let (service, args) = case(name);
        let waiting = site().begin_invoke(&device, &service, &args);
        let seen = connected.next();
        let text = String::from_utf8_lossy(&seen.bytes).into_owned();
        assert!(text.contains(r#""params":{"min":10,"max":50}"#), "{name}: {text}");
        connected.publish(&seen.topic.replace("/request/", "/response/"), &seen.answer(&json!({})));
        waiting.answer().ok();
    }
}

#[test]
fn inputs_may_be_left_out_unless_the_product_is_strict() {
    import(site(), &["--key", "repExact", "--args-check", "strict"]);
    let exact = site().device_of("repExact", "exact");
    let text = site().invoke(&exact, "Warn", r#"{"min":1}"#).failure().1.to_owned();
    assert!(text.contains("Args.max is missing"), "{text}");
    let shown = site().command(&["product", "show", "repExact"]);
    assert!(shown.lines().any(|line| line.starts_with("args check") && line.ends_with("strict")), "{shown}");

    let (device, connected) = device(PRODUCT, "left-out");
    let waiting = site().begin_invoke(&device, "Warn", r#"{"min":1}"#);
    let seen = connected.next();
    assert_eq!(seen.body["params"], json!({ "min": 1 }));
    connected.publish(&seen.topic.replace("/request/", "/response/"), &seen.answer(&json!({})));
    waiting.answer().ok();
}

#[test]
fn the_method_or_topic_as_identifier_is_told_the_identifier() {
    let device = site().device_of(PRODUCT, "method");
    let (method, args) = case("21_method_as_identifier.args");
    for identifier in [method.as_str(), "/sys/rep/method/thing/service/Blink", "thing/service/Blink_reply"] {
        let text = site().invoke(&device, identifier, &args).failure().1.to_owned();
        assert!(text.ends_with("write Blink"), "{text}");
    }
}

#[test]
fn what_is_no_thing_model_is_refused_and_changes_nothing() {
    let site = Site::embedded(&[]);
    import(&site, &["--key", PRODUCT]);
    let before = site.command(&["product", "show", PRODUCT]);
    for (name, words) in [
        ("01a_answer_wrapper.json", "data.model"),
        ("01b_GetThingModelTsl_answer.json", "Data.TslStr"),
        ("01c_dsltemplate_reply.json", "holds one in data"),
        ("02_empty_object.json", "none of properties"),
        ("03_inputParams.json", "export the TSL instead"),
        ("04_ThingModelJson.json", "this is ThingModelJson"),
        ("04b_after_following_the_message.json", "this is ThingModelJson"),
    ] {
        let file = fixture(&format!("cases/{name}"));
        let checked = run([Path::new("check"), file.as_path()]);
        assert!(checked.code == Some(1) && checked.stdout.contains(words), "{name}: {checked:?}");
        let arguments = ["product", "import", "--key", PRODUCT, "--replace", "--data"].map(Path::new);
        let imported = run(arguments.into_iter().chain([site.data(), file.as_path()]));
        assert!(imported.code != Some(0) && imported.stderr.contains(words), "{name}: {imported:?}");
    }
    assert_eq!(site.command(&["product", "show", PRODUCT]), before);
}

#[test]
fn an_import_is_rehearsed_where_there_is_no_store_yet() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let data = folder.path().join("data");
    let arguments = ["product", "import", "--dry-run", "--json", "--key", PRODUCT, "--data"].map(Path::new);
    let dry = run(arguments.into_iter().chain([data.as_path(), fixture("cases/model.json").as_path()]));
    let told: Value = serde_json::from_str(&dry.stdout).unwrap_or_else(|_| panic!("{dry:?}"));
    assert_eq!((&told["productKey"], &told["dryRun"]), (&json!(PRODUCT), &json!(true)), "{told}");
    assert!(!data.exists(), "nothing is made");
}

#[test]
fn an_import_tells_what_changes_and_loses_services_only_when_told_to() {
    let site = Site::embedded(&[]);
    import(&site, &["--key", PRODUCT]);
    let other = fixture("cases/18_simplified.json");
    let arguments = ["product", "import", "--key", PRODUCT, "--data"].map(Path::new);
    let import = |flags: &[&str]| {
        let flags = flags.iter().map(Path::new);
        run(arguments.into_iter().chain([site.data(), other.as_path()]).chain(flags))
    };

    let refused = import(&["--args-check", "strict"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("would lose service Blink") && refused.stderr.contains("--replace"), "{refused:?}");
    let dry = import(&["--dry-run"]);
    assert!(dry.code == Some(0) && dry.stdout.contains("service Blink, service Later"), "{dry:?}");
    assert!(dry.stderr.contains("warning: ") && dry.stderr.contains("has no keys"), "{dry:?}");
    assert!(dry.stderr.contains("is refused") && dry.stderr.contains("would lose service Blink"), "{dry:?}");
    let shown = site.command(&["product", "show", PRODUCT]);
    assert!(shown.contains("Blink") && shown.contains("weak"), "nothing was changed: {shown}");

    let told = import(&["--replace", "--json"]);
    let told: Value = serde_json::from_str(&told.stdout).expect("one object");
    assert_eq!((&told["added"], &told["removed"][0]), (&json!(["service Go"]), &json!("service Blink")));
    assert!(!site.command(&["product", "show", PRODUCT]).contains("Blink"));
}
