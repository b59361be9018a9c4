//! Calls through plugins, from the official SDK to devices and back.

use std::path::Path;

use serde_json::{Value, json};
use thingcall_tests::{Credential, DeviceSecrets, MqttDevice, PRODUCT, Site, c_plugin, eventually, rust_plugin};

const SERVICE: &str = "testFb:testService";

fn answers(site: &Site, device: &DeviceSecrets, param: u32) -> Value {
    site.invoke(device, SERVICE, &format!(r#"{{"param1":{param}}}"#)).ok().result()
}

fn counted(site: &Site, plugin: &str, result: &str) -> f64 {
    let labels = [&*format!("plugin={plugin:?}"), &*format!("result={result:?}")];
    site.program.metrics().sum("thingcall_plugin_calls_total", &labels)
}

#[test]
fn two_readings_at_once_become_one_answer() {
    let site = Site::with_plugins("[plugins.test-fb.config]\ntolerance = 4\n", &[&rust_plugin("test-fb")]);
    let device = site.device("readings");
    let connected = MqttDevice::connect(site.broker(), &Credential::of(&device, Some(1)));

    let waiting = site.begin_invoke(&device, SERVICE, r#"{"param1":7}"#);
    let (first, second) = (connected.next(), connected.next());
    assert_ne!(first.id(), second.id(), "two commands wait at once");
    assert_eq!((&first.body["params"], &second.body["params"]), (&json!({ "param1": 7 }), &json!({ "param1": 7 })));
    connected.publish(&second.topic, &second.answer(&json!({ "param1": 24 })));
    connected.publish(&first.topic, &first.answer(&json!({ "param1": 20 })));
    let answer = waiting.answer().ok();
    assert_eq!(answer.result()["data"], json!({ "param1": 22 }));
    assert_eq!(answer.message_id(), first.id(), "the first command has the call's id");

    let waiting = site.begin_invoke(&device, SERVICE, r#"{"param1":7}"#);
    for reading in [20, 25] {
        let seen = connected.next();
        connected.publish(&seen.topic, &seen.answer(&json!({ "param1": reading })));
    }
    let refused = waiting.answer().ok().result();
    assert_eq!((&refused["code"], &refused["message"]), (&json!(461), &json!("two readings differ: 20 and 25")));
    assert_eq!(counted(&site, "test-fb", "ok") + counted(&site, "test-fb", "declined"), 2.0);
}

#[test]
fn plugin_passes_on_what_the_device_path_says() {
    let site = Site::with_plugins("[engine]\nreply_timeout = \"1s\"\n", &[&rust_plugin("test-fb")]);
    let device = site.device("absent");

    let answer = site.invoke(&device, SERVICE, r#"{"param1":7}"#);
    assert_eq!(answer.failure().0, "iot.messagebroker.OFFLINE");

    let silent = MqttDevice::connect(site.broker(), &Credential::of(&device, Some(1)));
    let answer = site.invoke(&device, SERVICE, r#"{"param1":7}"#);
    assert_eq!(answer.failure().0, "iot.messagebroker.TIMEOUT");
    drop(silent);
}

#[test]
fn virtual_device_answers_where_no_device_is() {
    let config = format!("[plugins.virtual-device]\nclaims = [\"{PRODUCT}/*\"]\n");
    let site = Site::with_plugins(&config, &[&rust_plugin("virtual-device")]);
    let device = site.device("virtual");

    assert_eq!(answers(&site, &device, 5)["data"], json!({ "param1": 5 }));
    let id = site.invoke(&device, "SetScene", r#"{"scene":1,"fade":2.5}"#).ok().message_id();

    let record = site.command_json(&["explain", &id]);
    let text = record.to_string();
    assert!(text.contains(r#""outcome":"ok""#) && text.contains("plugin"), "{text}");
    let metrics = site.program.metrics();
    assert_eq!(metrics.sum("thingcall_calls_total", &[r#"outcome="ok""#, r#"transport="plugin""#]), 2.0);
    assert_eq!(metrics.sum("thingcall_plugin_virtual_device_devices", &[]), 1.0, "a metric of the plugin's own");
}

#[test]
fn plugins_stand_in_front_of_each_other_by_their_order() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let front = c_plugin("tests/plugins/script.c", &[r#"NAME="front""#, r#"VERSION="1.1.1""#], folder.path());
    let config = "[plugins.front]\nclaims = [\"*\"]\norder = 1\n";
    let site = Site::with_plugins(config, &[&front, &rust_plugin("test-fb")]);
    let (device, connected) = site.linkkit("chained");
    connected.answers(200, &json!({ "param1": 30 }));

    assert_eq!(answers(&site, &device, 0)["data"], json!({ "param1": 30 }));
    assert_eq!((counted(&site, "front", "ok"), counted(&site, "test-fb", "ok")), (1.0, 1.0), "through both");
    let refused = answers(&site, &device, 3);
    assert_eq!((&refused["code"], &refused["message"]), (&json!(460), &json!("1.1.1")), "the first one refused");
    assert_eq!(counted(&site, "test-fb", "ok"), 1.0, "and the second was not asked");
}

#[test]
fn most_specific_claim_wins_and_conflicts_name_both() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let build = |name: &str, version: &str| {
        let macros = [format!("NAME=\"{name}\""), format!("VERSION=\"{version}\"")];
        c_plugin("tests/plugins/script.c", &[&macros[0], &macros[1]], folder.path())
    };
    let (wide, exact, rival) = (build("wide", "0.0.1"), build("exact", "0.0.2"), build("zrival", "0.0.3"));
    let config = "[plugins.wide]\nclaims = [\"testFb:*\"]\n";
    let site = Site::with_plugins(config, &[&wide, &exact, &rival]);
    let device = site.device("claimed");

    assert_eq!(answers(&site, &device, 2)["message"], json!("0.0.2"), "the service's own plugin");
    let log = site.program.log();
    let refusal = log.lines().find(|line| line.contains("zrival") && line.contains("exact"));
    assert!(refusal.is_some_and(|line| line.contains(SERVICE)), "{log}");
}

#[test]
fn forgotten_plugin_gives_its_calls_back_to_the_built_in_path() {
    let site = Site::with_plugins("", &[&rust_plugin("test-fb")]);
    let device = site.device("left");
    let connected = MqttDevice::connect(site.broker(), &Credential::of(&device, Some(1)));
    let file = site.plugin_folder().join("libtest_fb.so");
    assert!(site.plugin("test-fb").is_some());

    std::fs::remove_file(&file).expect("the plugin's file");
    eventually("the plugin is gone", || {
        let plugin = site.plugin("test-fb");
        plugin.is_none_or(|plugin| plugin["status"] != json!("active")).then_some(())
    });
    let refused = site.invoke(&device, SERVICE, r#"{"param1":7}"#);
    assert!(refused.failure().1.contains("plugin test-fb handles this and is not loaded"), "{:?}", refused.failure());
    site.command(&["plugin", "forget", "test-fb"]);

    let waiting = site.begin_invoke(&device, SERVICE, r#"{"param1":7}"#);
    let seen = connected.next();
    connected.publish(&seen.topic, &seen.answer(&json!({ "param1": 9 })));
    assert_eq!(waiting.answer().ok().result()["data"], json!({ "param1": 9 }));
    assert!(!connected.has_message(), "it was asked once");
}

#[test]
fn file_that_others_may_write_is_refused() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().expect("a scratch folder");
    let library = c_plugin("tests/plugins/script.c", &[], folder.path());
    let site = Site::with_plugins("", &[]);
    let loose = folder.path().join("loose.so");
    std::fs::copy(&library, &loose).expect("a copy");
    std::fs::set_permissions(&loose, PermissionsExt::from_mode(0o777)).expect("its mode can be set");
    install_as_is(&loose, &site.plugin_folder());

    eventually("it is refused", || {
        let log = site.program.log();
        (log.contains("writable by group or others") && log.contains("loose.so")).then_some(())
    });
    assert!(site.plugin("script").is_none_or(|plugin| plugin["status"] != json!("active")));
}

/// Moves a file into the folder with the mode it has.
fn install_as_is(library: &Path, folder: &Path) {
    std::fs::create_dir_all(folder).expect("the plugin folder");
    let name = library.file_name().expect("a file");
    std::fs::rename(library, folder.join(name)).expect("the library can be moved");
}
