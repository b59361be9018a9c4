//! Backups of a server that answers calls meanwhile, restored elsewhere and served from there.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use thingcall_tests::{
    App, Caller, Finished, LinkkitDevice, Options, PRODUCT, Postgres, Sdk, Site, Thingcall, database_of, eventually,
    goes_with, in_postgres, invocation, run, run_ok,
};

/// Devices that are called while the backup is made.
const CALLERS: usize = 3;

fn command(words: &[&str], path: &Path, data: &Path) -> Finished {
    let (first, rest) = words.split_first().expect("a command");
    let rest = rest.iter().map(Path::new);
    run([Path::new(first), path].into_iter().chain(rest).chain([Path::new("--data"), data]))
}

fn ok(words: &[&str], path: &Path, data: &Path) -> Value {
    let finished = command(&[words, &["--json"]].concat(), path, data);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    serde_json::from_str(&finished.stdout).expect("JSON")
}

/// Makes a backup of a site that runs, by the tool of its store, and restores it for this data folder.
fn moved(site: &Site, data: &Path) {
    let file = data.with_file_name("backup");
    if in_postgres() {
        let told = command(&["backup"], &file, site.data());
        assert!(told.code == Some(1) && told.stderr.contains("pg_dump --format=custom"), "{told:?}");
        database_of(site.data()).dump(&file);
        let database = Postgres::shared().database();
        database.restore(&file);
        return goes_with(data, &database);
    }
    let made = ok(&["backup"], &file, site.data());
    assert!(made["rows"]["devices"].as_u64() > Some(0) && made["schema"].as_u64() > Some(0), "{made}");
    let again = command(&["backup"], &file, site.data());
    assert!(again.code == Some(1) && again.stderr.contains("is there already"), "{again:?}");
    let restored = ok(&["restore"], &file, data);
    assert_eq!((&restored["rows"], &restored["replaced"]), (&made["rows"], &Value::Null));
}

/// What these commands print, which must be the same before and after.
fn printed(data: &Path) -> Vec<String> {
    let lines = ["product list", "key list", "group list", &format!("product show {PRODUCT}"), "product show second"];
    let print =
        |line: &str| run_ok(line.split(' ').chain(["--json"]).map(Path::new).chain([Path::new("--data"), data]));
    lines.into_iter().map(print).collect()
}

#[test]
fn a_server_that_serves_from_a_restored_backup_has_all_that_was_acknowledged_before() {
    let site = Site::embedded(&[]);
    let callees: Vec<_> = (0..CALLERS).map(|number| site.linkkit(&format!("callee-{number}"))).collect();
    let away = site.device("away");
    site.import("second", &[]);
    site.command(&["key", "add", "--id", "another", "--account", "other"]);
    site.ask("CreateConsumerGroup", &json!({ "GroupName": "readers" })).ok();
    let asynchronous = |number: usize| site.invoke(&callees[number % CALLERS].0, "SetScene", "{}").ok().message_id();
    let mut acknowledged: Vec<_> = (0..10).map(asynchronous).collect();
    let mut waits = invocation(&away, "testFb:resetLater", r#"{"delay":1.5}"#);
    waits["Qos"] = json!(1);
    acknowledged.push(site.ask("InvokeThingService", &waits).ok().message_id());
    let before = printed(site.data());

    let folder = tempfile::tempdir().expect("a scratch folder");
    let data = folder.path().join("data");
    let done = AtomicBool::new(false);
    let calls = std::thread::scope(|threads| {
        let calls = |(device, _): &(_, LinkkitDevice)| {
            let mut calls = 0;
            while !done.load(Ordering::Relaxed) {
                site.invoke(device, "testFb:testService", r#"{"param1":1}"#).ok();
                site.invoke(device, "SetScene", "{}").ok();
                calls += 2;
            }
            calls
        };
        let callers: Vec<_> = callees.iter().map(|callee| threads.spawn(move || calls(callee))).collect();
        moved(&site, &data);
        done.store(true, Ordering::Relaxed);
        callers.into_iter().map(|caller| caller.join().expect("each call has its answer")).sum::<usize>()
    });
    assert!(calls > 0, "calls went on");

    assert_eq!(printed(&data), before);
    let setting = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let settings = vec![setting("METRICS__LISTEN", "127.0.0.1:0")];
    let server = Thingcall::start(&Options { data: data.clone(), settings, config: None });
    for id in &acknowledged {
        let told = run([Path::new("explain"), Path::new(id), Path::new("--data"), &data]);
        assert!(!id.is_empty() && told.stdout.contains(id), "{told:?}");
    }
    let broker = server.addresses.mqtt.expect("a broker");
    let connect = |device| {
        LinkkitDevice::connect(broker, device, thingcall_tests::Behaviour { subscribes: false, leaves: false })
    };
    let callee = &callees[0].0;
    let _connected = connect(callee);
    let caller = Caller { endpoint: server.addresses.api, key: &site.key, sdk: Sdk::Tea };
    let params = invocation(callee, "testFb:testService", r#"{"param1":1}"#);
    eventually("the device answers there", || {
        let answer = App::get().begin(&caller, "InvokeThingService", &params).answer();
        (answer.at("Success") == &json!(true)).then_some(())
    });
    // What waited for a device that was away waits there, too.
    let connected = connect(&away);
    assert_eq!(connected.called()["params"], json!({ "delay": 1.5 }));
}

#[test]
fn a_backup_is_restored_into_an_empty_folder_or_in_place_of_what_is_there() {
    if in_postgres() {
        return;
    }
    let mut site = Site::embedded(&[]);
    let folder = tempfile::tempdir().expect("a scratch folder");
    let backup: PathBuf = folder.path().join("backup");
    ok(&["backup"], &backup, site.data());
    let served = command(&["restore", "--replace"], &backup, site.data());
    assert!(served.code == Some(1) && served.stderr.contains("a server runs on"), "{served:?}");
    site.device("added-later");
    site.program.terminate();
    site.program.ended();
    let taken = command(&["restore"], &backup, site.data());
    assert!(taken.code == Some(1) && taken.stderr.contains("--replace"), "{taken:?}");
    let restored = ok(&["restore", "--replace"], &backup, site.data());
    let aside = PathBuf::from(restored["replaced"].as_str().expect("a folder"));
    assert!(aside.join("thingcall.db").is_file());
    let listed = run_ok([Path::new("device"), Path::new("list"), Path::new("--data"), site.data()]);
    assert!(!listed.contains("added-later"), "{listed}");

    let store = backup.join("thingcall.db");
    let mut bytes = fs::read(&store).expect("the store");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&store, bytes).expect("the store");
    let other = folder.path().join("other");
    let damaged = command(&["restore"], &backup, &other);
    assert!(damaged.code == Some(1) && damaged.stderr.contains("is damaged: its SHA-256 is"), "{damaged:?}");
    assert!(!other.join("thingcall.db").exists());
}
