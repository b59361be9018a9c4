//! Plugins that end the server: they are named at the next start, and one that does so whenever it is loaded is not loaded
//! again (`tests/plugins/ends.c`).

use std::os::unix::process::ExitStatusExt;
use std::path::Path;

use serde_json::{Value, json};
use thingcall_tests::{DeviceSecrets, Site, c_plugin, run};

const SERVICE: &str = "testFb:testService";

fn site(macros: &[&str]) -> (Site, DeviceSecrets) {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let built = c_plugin("tests/plugins/ends.c", macros, folder.path());
    let library = folder.path().join("ends.so");
    std::fs::rename(built, &library).expect("the library can be moved");
    let site = Site::with_plugins("", &[&library]);
    let device = site.device("ends");
    (site, device)
}

fn ended_server(site: &Site) -> Value {
    site.plugin("ends").expect("the plugin is listed")["endedServer"].clone()
}

#[test]
fn plugin_that_ends_the_server_in_a_call_is_named_at_the_next_start() {
    let (mut site, device) = site(&[]);
    // What it does, how the process ends, and by what it is said to have.
    let deeds = [(1, Some(11), "SIGSEGV"), (2, Some(6), "SIGABRT"), (5, Some(6), "SIGSEGV"), (3, None, "exit")];
    for (times, (deed, signal, by)) in (1..).zip(deeds) {
        let _unanswered = site.begin_invoke(&device, SERVICE, &format!(r#"{{"param1":{deed}}}"#));
        let status = site.program.ended();
        assert_eq!(status.signal(), signal, "{by}: it ends as it would without a handler: {status}");
        site.start_again();

        let ended = ended_server(&site);
        assert_eq!([&ended["by"], &ended["times"], &ended["atLoad"]], [&json!(by), &json!(times), &json!(false)]);
        assert_eq!(ended["generation"], json!(1));
        let log = site.program.log();
        let line = log.lines().find(|line| line.contains("the server was ended by a plugin")).expect("it is logged");
        assert!(line.contains("WARN") && line.contains(by) && line.contains("ends.so"), "{line}");
        let counted = site.program.metrics().sum("thingcall_plugin_ended_server_total", &[r#"plugin="ends""#]);
        assert!((counted - f64::from(times)).abs() < f64::EPSILON, "{counted}");

        let id = ended["messageId"].as_str().expect("the call").to_owned();
        let metrics = site.program.addresses.metrics.to_string();
        let told = site.command(&["explain", &id, "--metrics", &metrics]);
        assert!(told.contains("plugin ends ended the server") && told.contains(by), "{told}");
        assert!(site.invoke(&device, SERVICE, r#"{"param1":0}"#).succeeded(), "the plugin is loaded all the same");
    }
}

#[test]
fn what_an_operator_ends_is_no_plugins_doing() {
    let (mut site, _) = site(&[]);
    site.program.signal("SEGV");
    site.program.signal("KILL");
    let _status = site.program.ended();
    site.start_again();
    assert_eq!(ended_server(&site), Value::Null);
}

#[test]
fn file_that_ended_the_server_three_times_at_load_is_loaded_again_by_force_alone() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    for (deed, by) in [(1, json!("SIGSEGV")), (4, Value::Null)] {
        let trigger = scratch.path().join(format!("trigger-{deed}"));
        let (mut site, device) = site(&[&format!("IF_THERE=\"{}\"", trigger.display()), &format!("AT_LOAD={deed}")]);
        site.program.kill();
        std::fs::write(&trigger, "").expect("the trigger");

        (0..3).for_each(|_| dies(site.data()));
        site.start_again();

        let state = site.plugin("ends").expect("the plugin is listed");
        let ended = &state["endedServer"];
        assert_eq!([&state["status"], &ended["atLoadInARow"], &ended["by"]], [&json!("refused"), &json!(3), &by]);
        let error = state["error"].as_str().expect("a reason");
        assert!(error.contains("ended the server 3 times in a row") && error.contains("--force"), "{error}");
        let refused = site.invoke(&device, SERVICE, r#"{"param1":0}"#);
        assert!(refused.failure().1.contains("plugin ends"), "its calls do not pass it by: {refused:?}");

        std::fs::remove_file(&trigger).expect("the trigger goes");
        let metrics = site.program.addresses.metrics.to_string();
        let again = run(["plugin", "reload", "ends", "--metrics", &metrics]);
        assert_eq!(again.code, Some(1), "{}", again.stderr);
        site.command(&["plugin", "reload", "ends", "--force", "--metrics", &metrics]);
        assert!(site.invoke(&device, SERVICE, r#"{"param1":0}"#).succeeded());
        assert_eq!(ended_server(&site)["atLoadInARow"], json!(0), "the next time is the first in a row");
    }
}

/// Starts a server that does not outlive its plugin.
fn dies(data: &Path) {
    let data = data.to_str().expect("a path of ours");
    let own = ["127.0.0.1:0"; 3];
    let ended = run(["serve", "--api", own[0], "--mqtt", own[1], "--metrics", own[2], "--data", data]);
    assert!(!ended.stdout.contains("ready"), "{}{}", ended.stdout, ended.stderr);
}
