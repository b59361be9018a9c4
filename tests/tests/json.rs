//! What `--json` prints: objects in camelCase, without nulls, errors too.

use serde_json::Value;
use thingcall_tests::{Finished, PRODUCT, Site, fixture, run, run_into, run_ok, rust_plugin};

/// Members that hold what others wrote: devices, callers, the API.
const OF_OTHERS: &[&str] = &["result", "args", "data", "failures", "sampleArgs", "json"];

fn in_camel_case(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn walk(value: &Value, command: &str) {
    match value {
        Value::Null => panic!("a null: {command}"),
        Value::Object(members) => {
            for (name, member) in members {
                assert!(in_camel_case(name), "{name:?}: {command}");
                if name == "error" {
                    assert!(
                        member["message"].as_str().is_some_and(|message| !message.is_empty()),
                        "{command}: {member}"
                    );
                }
                if !OF_OTHERS.contains(&name.as_str()) {
                    walk(member, command);
                }
            }
        }
        Value::Array(members) => members.iter().for_each(|member| walk(member, command)),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Runs a command, written in one line, and walks what it prints.
fn objects(line: &str, of: &Finished) -> Vec<Value> {
    let read = |text: &str| serde_json::from_str(text).unwrap_or_else(|error| panic!("{line}: {error}: {text}"));
    let objects: Vec<Value> = of.stdout.lines().map(read).collect();
    for object in &objects {
        assert!(object.is_object(), "{line}: {object}");
        walk(object, line);
    }
    objects
}

fn words<'a>(line: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    line.split(' ').chain(more.iter().copied()).collect()
}

#[test]
fn every_command_prints_objects_in_camel_case_without_nulls() {
    let test_fb = rust_plugin("test-fb");
    let site = Site::with_plugins("[engine]\nreply_timeout = \"1s\"\n", &[&test_fb, &rust_plugin("virtual-device")]);
    std::fs::write(site.plugin_folder().join("none.so"), "none").expect("the folder can be written");
    site.command(&["plugin", "list"]);
    let _devices = site.simulate(1);
    let device = format!("{PRODUCT}/sim-0001");
    let (main, module) = (fixture("sample_tsl.json"), fixture("sample_tsl_testFb.json"));
    let (main, module) = (main.to_str().expect("a plain name"), module.to_str().expect("a plain name"));
    let broken = site.data().join("broken.toml");
    std::fs::write(&broken, "[api]\nlisten = \"nowhere\"\n").expect("the folder can be written");
    let plugin = test_fb.to_str().expect("a plain name");
    let data = ["--json", "--data", site.data().to_str().expect("a plain name")];

    let done = |line: String, code: i32| {
        let store = !["check", "plugin inspect", "plugin test"].iter().any(|command| line.starts_with(command));
        let finished = run(words(&line, &data[..if store { 3 } else { 1 }]));
        assert_eq!(finished.code, Some(code), "{line}: {finished:?}");
        let objects = objects(&line, &finished);
        assert!(!objects.is_empty(), "{line}: {finished:?}");
        objects
    };
    thingcall_tests::eventually("the device is there", || {
        run(words("call", &[&[device.as_str(), "testFb:testService", r#"{"param1":1}"#][..], &data].concat()))
            .code
            .filter(|code| *code == 0)
    });
    let mut answers = Vec::new();
    for (line, code) in [
        (format!("call {device} testFb:testService {{\"param1\":1}}"), 0),
        (format!("call {device} testFb:resetLater"), 0),
        (format!("call {device} testFb:testService {{\"param1\":\"x\"}}"), 1),
    ] {
        answers.extend(done(line, code));
    }
    let text = |answer: &Value, name: &str| answer[name].as_str().expect("an id").to_owned();
    let known = [text(&answers[1], "messageId"), text(&answers[2], "requestId")];
    let explained = known.map(|id| (format!("explain {id}"), 0));
    let broken = broken.to_str().expect("a plain name");
    for (line, code) in commands(&device, [main, module], [plugin, broken]).into_iter().chain(explained) {
        done(line, code);
    }
}

/// Commands and their exit statuses.
fn commands(device: &str, [main, module]: [&str; 2], [plugin, broken]: [&str; 2]) -> Vec<(String, i32)> {
    vec![
        (format!("product import --key a1Other --transport embedded --sync-topic ext {main} {module}"), 0),
        (format!("product import --key a1Other --dry-run {main}"), 0),
        ("product list".to_owned(), 0),
        (format!("product show {PRODUCT}"), 0),
        ("device add --product a1Other --name d1".to_owned(), 0),
        ("device list".to_owned(), 0),
        (format!("device show {device}"), 0),
        ("device show a1Other/d1".to_owned(), 0),
        ("device disable a1Other/d1".to_owned(), 0),
        ("device enable a1Other/d1".to_owned(), 0),
        ("device route a1Other/d1 --transport embedded".to_owned(), 0),
        ("device remove a1Other/d1".to_owned(), 0),
        ("key add --id k1".to_owned(), 0),
        ("key list".to_owned(), 0),
        ("key disable k1".to_owned(), 0),
        ("key enable k1".to_owned(), 0),
        ("plugin list".to_owned(), 0),
        ("plugin reload test-fb".to_owned(), 0),
        ("plugin reload".to_owned(), 1),
        (format!("plugin inspect {plugin} {main}"), 1),
        (format!("plugin test {plugin} --call testFb:testService {{\"param1\":1}} --reply {{}} --reply offline"), 1),
        (format!("check {main} {module}"), 0),
        (format!("check --config {}", broken), 1),
    ]
}

#[test]
fn errors_are_one_object_on_stdout() {
    let site = Site::embedded(&[]);
    let nowhere = tempfile::tempdir().expect("a scratch folder");
    let (data, nowhere) = (site.data().to_str().expect("a plain name"), nowhere.path().join("data"));
    let nowhere = nowhere.to_str().expect("a plain name");
    for (line, code) in [
        (format!("device list --data {nowhere}"), 1),
        (format!("call p/d s --data {nowhere}"), 1),
        (format!("plugin list --data {nowhere}"), 1),
        (format!("device show {PRODUCT}/nobody --data {data}"), 1),
        (format!("device add --product a1Nobody --data {data}"), 1),
        (format!("product show a1Nobody --data {data}"), 1),
        (format!("key disable nobody --data {data}"), 1),
        (format!("explain 17 --data {data}"), 1),
        (format!("plugin reload nobody --data {data}"), 1),
        (format!("plugin forget nobody --data {data}"), 1),
        ("call p/d s --key-id k --url http://127.0.0.1:1".to_owned(), 2),
        ("call p/d s --key-id k --key-secret s --url http://127.0.0.1:1".to_owned(), 1),
        ("product import /nowhere.json".to_owned(), 2),
        ("device add".to_owned(), 2),
        ("device list --products".to_owned(), 2),
        ("plugin test /nowhere.so --decode 00 --config []".to_owned(), 1),
        ("explain nothing".to_owned(), 2),
    ] {
        let finished = run(words(&line, &["--json"]));
        assert_eq!(finished.code, Some(code), "{line}: {finished:?}");
        if line.starts_with("plugin test") {
            objects(&line, &finished);
            continue;
        }
        let objects = objects(&line, &finished);
        assert_eq!((objects.len(), finished.stderr.as_str()), (1, ""), "{line}: {finished:?}");
        let members: Vec<_> = objects[0].as_object().expect("an object").keys().collect();
        assert_eq!(members, ["error"], "{line}");
    }
    let finished = run(["device", "add", "--json"]);
    let message = serde_json::from_str::<Value>(&finished.stdout).expect("an object")["error"]["message"].clone();
    assert!(message.as_str().is_some_and(|message| message.contains("--product") && !message.contains("Usage")));
}

#[test]
fn a_command_fails_whose_output_cannot_be_written_and_not_one_that_nobody_reads() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().to_str().expect("a plain name");
    run_ok(["key", "add", "--data", data]);
    for line in ["--version", "help", "product list", "key list --json", "key add", "key add --json"] {
        let of_store = if line.contains(' ') { &["--data", data][..] } else { &[] };
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
        let finished = run_into(full, words(line, of_store));
        assert_eq!(finished.code, Some(1), "{line}: {finished:?}");
        assert!(finished.stderr.contains("could not be written: No space left on device"), "{line}: {finished:?}");
    }
    for line in ["--version", "product list", "product list --json"] {
        let of_store = if line.contains(' ') { &["--data", data][..] } else { &[] };
        let (_, nobody_reads) = std::io::pipe().expect("a pipe");
        let finished = run_into(nobody_reads, words(line, of_store));
        assert_eq!((finished.code, &*finished.stderr), (Some(0), ""), "{line}");
    }
}
