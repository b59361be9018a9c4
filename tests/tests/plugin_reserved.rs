//! Plugins that are not there any more, or not as they were: their calls never pass them by.

use std::path::Path;

use thingcall_tests::{Credential, MqttDevice, Site, c_plugin, eventually, install};

const SERVICE: &str = "testFb:testService";
const ARGS: &str = r#"{"param1":1}"#;

/// A site with a plugin that answers the service by itself, and its file.
fn site(scratch: &Path) -> (Site, std::path::PathBuf) {
    let site = Site::with_plugins("", &[&script(scratch, "1.0.0")]);
    let file = site.plugin_folder().join("script.so");
    assert!(file.exists(), "the plugin is where it was put");
    (site, file)
}

fn script(scratch: &Path, version: &str) -> std::path::PathBuf {
    named(scratch, "script", version)
}

/// The same plugin under this name, in a file of this name.
fn named(scratch: &Path, name: &str, version: &str) -> std::path::PathBuf {
    let defines = [format!("NAME=\"{name}\""), format!("VERSION=\"{version}\"")];
    let built = c_plugin("tests/plugins/script.c", &[&defines[0], &defines[1]], scratch);
    let file = scratch.join(format!("{name}.so"));
    std::fs::rename(built, &file).expect("the library can be moved");
    file
}

fn version(site: &Site) -> Option<String> {
    Some(site.plugin("script")?["version"].as_str()?.to_owned())
}

#[test]
fn calls_of_a_plugin_that_is_gone_fail_until_it_is_forgotten() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let (mut site, file) = site(scratch.path());
    let device = site.device("reserved");
    site.is_ready();

    site.program.kill();
    std::fs::remove_file(&file).expect("the plugin's file is removed");
    site.start_again();

    let connected = MqttDevice::connect(site.broker(), &Credential::of(&device, Some(1)));
    let refused = site.invoke(&device, SERVICE, ARGS);
    let (code, why) = refused.failure();
    assert_eq!(code, "iot.system.SystemException");
    assert!(why.contains("plugin script") && why.contains("nothing was sent to the device"), "{why}");
    let (status, why) = site.program.operator("/readyz");
    assert!(status == 503 && why.contains("plugin script: not loaded"), "{status} {why}");
    let refused = site.program.metrics().sum("thingcall_plugin_refused", &[r#"plugin="script""#]);
    assert!((refused - 1.0).abs() < f64::EPSILON);

    site.command(&["plugin", "forget", "script"]);
    site.is_ready();
    let waiting = site.begin_invoke(&device, SERVICE, ARGS);
    let seen = connected.next();
    connected.publish(&seen.topic, &serde_json::json!({ "id": seen.id(), "code": 200, "data": { "param1": 1 } }));
    waiting.answer().ok();
}

#[test]
fn what_is_kept_for_a_plugin_goes_to_no_other_until_it_is_forgotten() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let (mut site, file) = site(scratch.path());
    let device = site.device("kept");
    site.is_ready();
    std::fs::remove_file(&file).expect("the plugin's file is removed");
    install(&named(scratch.path(), "another", "1.0.0"), &site.plugin_folder());
    let refused = |site: &Site| {
        eventually("the other one is refused", || {
            let state = site.plugin("another")?;
            let why = state["error"].as_str()?.to_owned();
            (why.contains("kept for plugin script") && why.contains("plugin forget script")).then_some(())
        })
    };
    refused(&site);
    assert!(site.invoke(&device, SERVICE, ARGS).failure().1.contains("plugin script"));

    // Where the other one is there first, too.
    site.program.kill();
    site.start_again();
    refused(&site);
    assert_eq!(site.program.operator("/readyz").0, 503);

    site.command(&["plugin", "forget", "script"]);
    site.is_ready();
    assert_eq!(site.plugin("another").expect("it is known")["status"], "active");
}

#[test]
fn file_that_is_refused_leaves_the_last_one_in_its_place_after_a_restart_too() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let (mut site, file) = site(scratch.path());
    let whole = std::fs::read(&file).expect("the file can be read");

    site.program.kill();
    std::fs::write(&file, &whole[..whole.len() / 2]).expect("the file can be cut");
    site.start_again();

    site.is_ready();
    assert_eq!(version(&site).as_deref(), Some("1.0.0"));
    assert!(site.program.log().contains("the one that was loaded last runs in its place"), "{}", site.program.log());
}

#[test]
fn rollback_goes_back_to_the_file_before_the_last() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let (site, _) = site(scratch.path());
    install(&script(scratch.path(), "2.0.0"), &site.plugin_folder());
    eventually("the new one is in place", || (version(&site)? == "2.0.0").then_some(()));

    let told = site.command(&["plugin", "rollback", "script"]);
    assert!(told.contains("1.0.0"), "{told}");
    assert_eq!(version(&site).as_deref(), Some("1.0.0"));
}
