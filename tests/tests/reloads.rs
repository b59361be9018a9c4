//! A configuration that becomes another while the server runs.

use std::path::Path;

use serde_json::{Value, json};
use thingcall_tests::{Manager, Site, c_plugin, eventually, run};

const SERVICE: &str = "testFb:testService";

/// What `thingcall reload` said: its exit status, and its answer as data.
fn reload(site: &Site) -> (Option<i32>, Value) {
    let data = site.data().to_str().expect("a plain name");
    let finished = run(["reload", "--json", "--data", data]);
    let told = serde_json::from_str(&finished.stdout);
    (finished.code, told.unwrap_or_else(|error| panic!("{finished:?}: {error}")))
}

fn write(site: &Site, toml: &str) {
    let file = site.data().parent().expect("the scratch folder").join("thingcall.toml");
    std::fs::write(file, toml).expect("the scratch folder can be written");
}

fn keys<'a>(told: &'a Value, list: &str) -> Vec<&'a str> {
    told[list].as_array().expect("a list").iter().map(|one| one["key"].as_str().expect("a key")).collect()
}

/// What status says, also of a server whose calls fail.
fn status(site: &Site) -> Value {
    let finished = run(["status", "--json", "--data", site.data().to_str().expect("a plain name")]);
    serde_json::from_str(&finished.stdout).unwrap_or_else(|error| panic!("{finished:?}: {error}"))
}

/// Whether so many calls at once are more than an account may make in a second.
fn throttled(site: &Site) -> bool {
    let waiting: Vec<_> =
        (0..12)
            .map(|_| {
                site.begin(thingcall_tests::Sdk::Tea, "InvokeThingService", &json!({
            "ProductKey": thingcall_tests::PRODUCT, "DeviceName": "nobody", "Identifier": SERVICE, "Args": "{}"
        }))
            })
            .collect();
    let answers: Vec<_> = waiting.into_iter().map(thingcall_tests::Waiting::answer).collect();
    answers.iter().any(|answer| answer.has_raised() && answer.raised().0 == "Throttling.User")
}

#[test]
fn what_may_change_does_and_what_needs_a_restart_is_named_until_it_is_there() {
    let site = Site::with_plugins("[log]\nlevel = \"info\"\n[api]\ncalls_per_second_max = 500\n", &[]);
    assert!(!throttled(&site));
    write(
        &site,
        "[log]\nlevel = \"warn\"\n[api]\ncalls_per_second_max = 2\nconnections_max = 500\n[engine]\nreply_timeout = \"3s\"\n",
    );
    let (code, told) = reload(&site);
    assert_eq!((code, told["done"].as_bool()), (Some(0), Some(true)), "{told}");
    assert_eq!(keys(&told, "changed"), ["api.calls_per_second_max", "log.level"], "{told}");
    assert_eq!(keys(&told, "needRestart"), ["api.connections_max", "engine.reply_timeout"], "{told}");
    let level = told["changed"].as_array().expect("a list").iter().find(|one| one["key"] == "log.level");
    assert_eq!(level.map(|one| (&one["before"], &one["after"])), Some((&json!("info"), &json!("warn"))), "{told}");
    assert!(throttled(&site));

    let now = status(&site);
    assert_eq!(keys(&now, "needRestart"), ["api.connections_max", "engine.reply_timeout"], "{now}");
    assert!(now["well"] == true && now["lastReload"]["done"] == true, "{now}");
    assert!(now["findings"].as_array().expect("a list").iter().any(|one| one["about"] == "needs a restart"), "{now}");
    let metrics = site.program.metrics();
    assert_eq!(metrics.sum("thingcall_reloads_total", &[r#"kind="config""#, r#"result="ok""#]), 1.0);
    assert_eq!(metrics.sum("thingcall_config_keys_need_restart", &[]), 2.0);
    assert_eq!(metrics.sum("thingcall_account_calls_per_second_limit", &[]), 2.0);
    assert!(site.program.log().contains("[engine] reply_timeout"), "{}", site.program.log());

    write(&site, "[log]\nlevel = \"warn\"\n[api]\ncalls_per_second_max = 0\n");
    let (code, told) = reload(&site);
    assert_eq!(
        (code, keys(&told, "changed"), keys(&told, "needRestart")),
        (Some(0), vec!["api.calls_per_second_max"], vec![])
    );
    assert!(!throttled(&site));
    assert_eq!(keys(&status(&site), "needRestart"), <[&str; 0]>::default());
    let again = run(["reload", "--data", site.data().to_str().expect("a plain name")]);
    assert_eq!((again.code, again.stdout.as_str()), (Some(0), "nothing is other than before\n"), "{again:?}");
}

#[test]
fn a_configuration_that_is_wrong_changes_nothing_and_says_what_is_wrong() {
    let site = Site::with_plugins("[log]\nlevel = \"info\"\n[api]\ncalls_per_second_max = 500\n", &[]);
    for (wrong, key) in [
        ("[api]\ncalls_per_second_max = 2\n[log]\nlevel = \"warning\"\n", "log.level"),
        ("[api]\ncalls_per_second_max = 2\nconections_max = 1\n", "api.conections_max"),
        ("[api\n", "not TOML"),
        (
            "[api]\ncalls_per_second_max = 2\n[subscription.tls]\ncert_file = \"/nothing\"\nkey_file = \"/nothing\"\namqp_listen = \"127.0.0.1:0\"\n",
            "subscription.tls.cert_file",
        ),
    ] {
        write(&site, wrong);
        let (code, told) = reload(&site);
        assert_eq!((code, told["done"].as_bool(), keys(&told, "changed").len()), (Some(1), Some(false), 0), "{told}");
        let problems = told["problems"].as_array().expect("a list");
        assert!(problems.iter().any(|one| one.as_str().is_some_and(|one| one.contains(key))), "{key}: {told}");
        assert!(!throttled(&site), "{wrong}");
    }
    let metrics = site.program.metrics();
    assert_eq!(metrics.sum("thingcall_reloads_total", &[r#"kind="config""#, r#"result="failed""#]), 4.0);
    let now = status(&site);
    assert!(now["lastReload"]["done"] == false && now["well"] == true, "{now}");
    assert!(now["findings"].as_array().expect("a list").iter().any(|one| one["about"] == "configuration"), "{now}");
    assert!(site.program.log().contains("nothing of it was changed"), "{}", site.program.log());
}

#[test]
fn a_plugin_whose_section_changed_gets_a_new_generation_and_the_others_stay() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let plugin = |name: &str| {
        let name = format!("NAME=\"{name}\"");
        c_plugin("tests/plugins/script.c", &[&name], folder.path())
    };
    let [one, other, third] = ["one", "other", "third"].map(plugin);
    let claims = |name: &str, more: &str| format!("[plugins.{name}]\nclaims = [\"{name}:x\"]\n{more}");
    let both = |one: &str, other: &str| claims("one", one) + &claims("other", other);
    let site = Site::with_plugins(&both("", ""), &[&one, &other, &third]);
    let generation = |name: &str| site.plugin(name).expect("it is there")["generation"].as_u64().expect("a number");
    let before = [generation("one"), generation("other")];
    write(&site, &both("threads = 3\n", ""));
    let (code, told) = reload(&site);
    assert_eq!((code, keys(&told, "changed")), (Some(0), vec!["plugins.one.threads"]), "{told}");
    assert_eq!([generation("one"), generation("other")], [before[0] + 1, before[1]]);

    // Claims that another plugin has are refused: the first has its section of before again.
    let taken = site.plugin("third").expect("it is there")["claims"][0].as_str().expect("a claim").to_owned();
    write(&site, &both("threads = 4\n", "").replace("other:x", &taken));
    let (code, told) = reload(&site);
    assert_eq!((code, told["done"].as_bool()), (Some(1), Some(false)), "{told}");
    assert!(told["problems"][0].as_str().is_some_and(|why| why.starts_with("[plugins.other]: ")), "{told}");
    assert_eq!(site.plugin("other").expect("it is there")["claims"], json!(["other:x"]));
    write(&site, &both("threads = 3\n", ""));
    let (_, told) = reload(&site);
    assert_eq!(keys(&told, "changed"), <[&str; 0]>::default(), "{told}");

    write(&site, &both("threads = 3\n", "enabled = false\n"));
    let (_, told) = reload(&site);
    assert_eq!(keys(&told, "needRestart"), ["plugins.other.enabled"], "{told}");
}

#[test]
fn a_signal_does_the_same_and_the_service_manager_and_the_audit_log_are_told() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let manager = Manager::listen(folder.path());
    let mut site = Site::with_plugins("[api]\ncalls_per_second_max = 500\n", &[]);
    site.program.terminate();
    assert!(site.program.ended().success());
    site.start_again_in(&[manager.variable()]);
    manager.told("READY=1");
    write(&site, "[api]\ncalls_per_second_max = 7\n");
    site.program.signal("HUP");
    manager.told("RELOADING=1");
    manager.told("READY=1");
    assert_eq!(site.program.metrics().sum("thingcall_account_calls_per_second_limit", &[]), 7.0);
    eventually("the audit log has it", || {
        let entries = site.program.metrics().sum("thingcall_store_audit_entries", &[]);
        (entries >= 1.0).then_some(())
    });
    assert!(Path::new(site.data()).exists());
}
