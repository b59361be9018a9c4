//! Two instances on one PostgreSQL and at one broker: what one knows the other knows, and who may not join.

use std::process::Command;

use serde_json::{Value, json};
use thingcall_tests::{
    App, Caller, DeviceSecrets, HttpCall, Key, Postgres, Sdk, Site, c_plugin, eventually, install, invocation, program,
    run,
};

const SERVICE: &str = "testFb:testService";

/// Two instances on a database of their own.
fn two(settings: &[(&str, &str)]) -> (Site, Site) {
    let first = Site::sharing(&Postgres::shared().database(), settings);
    let second = first.another(&[]);
    for site in [&first, &second] {
        site.is_ready();
    }
    (first, second)
}

fn calls(site: &Site, device: &DeviceSecrets) {
    let answer = site.invoke(device, SERVICE, r#"{"param1":3}"#).ok();
    assert_eq!(answer.result()["data"], json!({ "param1": 3 }));
}

/// What `thingcall instances` prints, by slot.
fn listed(site: &Site) -> Vec<Value> {
    let text = site.command(&["instances", "--json"]);
    text.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect()
}

/// What its API says to a key when it asks for a device.
fn known(site: &Site, key: &Key, device: &DeviceSecrets) -> bool {
    let caller = Caller { endpoint: site.program.addresses.api, key, sdk: Sdk::Tea };
    let asked = json!({ "ProductKey": device.product, "DeviceName": device.name });
    let answer = App::get().begin(&caller, "QueryDeviceDetail", &asked).answer();
    !answer.has_raised() && answer.succeeded()
}

#[test]
fn any_instance_takes_any_call_and_sees_what_the_other_or_a_command_made() {
    let (first, second) = two(&[]);
    let (device, _connected) = first.linkkit("anywhere");
    for site in [&first, &second] {
        for _ in 0..3 {
            calls(site, &device);
        }
    }
    let foreign = second.program.metrics().sum("thingcall_transport_foreign_replies_total", &[]);
    assert!(foreign > 0.0, "each hears the replies to the other");

    // Each was asked for it in vain, and remembers that.
    let named = |name: &str| json!({ "ProductKey": device.product, "DeviceName": name });
    for site in [&first, &second] {
        assert!(!site.ask("QueryDeviceDetail", &named("made-later")).succeeded());
    }
    let made = second.device("made-later");
    eventually("the other sees a device", || known(&first, &first.key, &made).then_some(()));
    second.ask("DeleteDevice", &named("made-later")).ok();
    eventually("the other sees that it is gone", || (!known(&first, &first.key, &made)).then_some(()));

    first.import("a1anotherxx", &["--sync-topic", "ext"]);
    let of_it = json!({ "ProductKey": "a1anotherxx", "DeviceName": "of-it" });
    eventually("a model is seen", || second.ask("RegisterDevice", &of_it).succeeded().then_some(()));

    let key = Key { id: "partner".to_owned(), secret: "partner's".to_owned(), token: None };
    first.command(&["key", "add", "--id", &key.id, "--secret", &key.secret]);
    for site in [&first, &second] {
        eventually("a key is seen", || known(site, &key, &device).then_some(()));
    }
    second.command(&["key", "disable", &key.id]);
    for site in [&first, &second] {
        eventually("a disabled key is seen", || (!known(site, &key, &device)).then_some(()));
    }
}

#[test]
fn call_that_waits_at_one_is_listed_and_ended_from_the_other() {
    let (first, second) = two(&[("ENGINE__REPLY_TIMEOUT", "60s")]);
    let (device, connected) = first.linkkit("ended-from-there");
    connected.is_silent();
    let waiting = second.begin_invoke(&device, SERVICE, r#"{"param1":3}"#);
    let accepted = second.invoke(&device, "testFb:resetLater", "{}").ok().message_id();
    let text = eventually("both wait", || {
        let text = first.command(&["pending", "--json"]);
        (text.lines().count() == 2).then_some(text)
    });
    let all: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let sync = all.iter().find(|call| call["mode"] == "sync").expect("the synchronous one");
    let id = sync["messageId"].as_str().expect("an id");

    // The listener of the first says whom to ask.
    for id in [id, &accepted] {
        let refused =
            HttpCall::by_hand(first.program.addresses.metrics, "POST", &format!("/calls/{id}/cancel")).answer();
        let told: Value = serde_json::from_str(&refused.body).expect("JSON");
        assert_eq!(refused.status, 409, "{told}");
        assert_eq!(told["operator"], second.program.addresses.metrics.to_string(), "{told}");
    }
    // The command asks it by itself.
    let done = first.command_json(&["cancel", id]);
    assert_eq!((&done["cancelled"], &done["mode"]), (&json!(true), &json!("sync")), "{done}");
    let answer = waiting.answer();
    let (code, text) = answer.failure();
    assert!(code == "iot.system.SystemException" && text.contains("an operator ended the call"), "{code}: {text}");
    let done = first.command_json(&["cancel", &accepted]);
    assert_eq!((&done["cancelled"], &done["mode"]), (&json!(true), &json!("async")), "{done}");
    assert!(first.command(&["pending", "--json"]).is_empty());
}

#[test]
fn instances_are_listed_and_a_plugin_that_is_not_the_same_on_all_is_told() {
    let (first, second) = two(&[]);
    let [one, two] = listed(&first).try_into().expect("two instances");
    assert_eq!((&one["slot"], &two["slot"]), (&json!(0), &json!(1)));
    for (told, site) in [(&one, &first), (&two, &second)] {
        assert_eq!(told["api"], site.program.addresses.api.to_string());
        assert_eq!(told["operator"], site.program.addresses.metrics.to_string());
        assert!(told["leaseSeconds"].as_f64().is_some_and(|left| (0.0..=10.0).contains(&left)), "{told}");
    }
    let differing = |site: &Site| site.program.metrics().sum("thingcall_plugins_differing", &[r#"by="sha256""#]);
    assert_eq!((differing(&first), differing(&second)), (0.0, 0.0));

    let folder = tempfile::tempdir().expect("a scratch folder");
    for (site, version) in [(&first, "1.0.0"), (&second, "2.0.0")] {
        let built = c_plugin("tests/plugins/script.c", &[&format!("VERSION=\"{version}\"")], folder.path());
        let named = folder.path().join("script.so");
        std::fs::rename(built, &named).expect("the library can be moved");
        install(&named, &site.plugin_folder());
        site.program.signal("HUP");
        eventually("it is loaded", || site.plugin("script"));
    }
    for site in [&first, &second] {
        eventually("the metric tells", || (differing(site) == 1.0).then_some(()));
    }
    // Before both have said what they run, one of them has none.
    eventually("both are told to differ", || {
        let all = listed(&second);
        all.iter().all(|told| told["plugins"][0]["differsIn"] == "sha256").then_some(())
    });
    let data = first.data().to_str().expect("a plain name");
    let warned = run(["instances", "--data", data]).stderr;
    assert!(warned.contains("warning: plugin script is not the same file on all instances"), "{warned}");

    second.program.terminate();
    eventually("one is left", || (listed(&first).len() == 1).then_some(()));
}

#[test]
fn nonce_that_one_instance_saw_is_refused_by_the_other() {
    let (first, second) = two(&[]);
    let (device, _connected) = first.linkkit("once");
    let asked = |site: &Site, path: &str| HttpCall::send(site.program.addresses.api, "POST", path).answer();
    let signed = first.ask_by(Sdk::SignOnly, "InvokeThingService", &invocation(&device, SERVICE, r#"{"param1":1}"#));
    let (done, again) = (asked(&first, signed.text()), asked(&second, signed.text()));
    assert_eq!((done.status, again.status), (200, 400), "{again:?}");
    assert!(again.body.contains("SignatureNonceUsed"), "{again:?}");
}

#[test]
fn embedded_broker_beside_a_live_instance_is_refused_at_start_in_words() {
    let database = Postgres::shared().database();
    let first = Site::sharing(&database, &[]);
    first.is_ready();
    let folder = tempfile::tempdir().expect("a scratch folder");
    let mut serve = Command::new("timeout");
    serve.arg("60").arg(program()).args(["serve", "--api", "127.0.0.1:0", "--mqtt", "127.0.0.1:0", "--metrics"]);
    serve.arg("127.0.0.1:0").arg("--data").arg(folder.path().join("data"));
    let output = serve.env("THINGCALL__STORE__URL", database.url()).output().expect("timeout is installed");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let name = listed(&first)[0]["name"].as_str().expect("a name").to_owned();
    for words in ["embedded broker", &name, "broker.enabled"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(first.program.operator("/readyz").0 == 200, "the first goes on");
}
