//! The commands for people who write and run plugins.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use thingcall_tests::{Site, build_output, c_plugin, program, run, run_ok, rust_plugin};

fn succeeds(what: &str, command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{what}: {error}"));
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&said));
}

#[test]
fn new_plugin_in_c_builds_and_passes_its_own_test() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let path = folder.path().to_str().expect("a plain name");
    run_ok(["plugin", "new", "my-meter", "--lang", "c", "--path", path]);

    let made = folder.path().join("my-meter");
    let thingcall = format!("THINGCALL={}", program().display());
    succeeds("make test", Command::new("make").arg("test").arg(thingcall).current_dir(&made));

    let again = run(["plugin", "new", "my-meter", "--lang", "c", "--path", path]);
    assert_eq!(again.code, Some(1), "what is there is not written over: {}", again.stdout);
}

#[test]
fn new_plugin_in_rust_builds_and_passes_its_own_test() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let path = folder.path().to_str().expect("a plain name");
    run_ok(["plugin", "new", "my-lamp", "--lang", "rust", "--path", path]);

    // The versions of this workspace, so that nothing newer is fetched; the build's own folder is kept for the next run.
    let made = folder.path().join("my-lamp");
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock");
    std::fs::copy(lock, made.join("Cargo.lock")).expect("the lock file");
    let target = build_output("other-compiler").with_file_name("new-plugin");
    let mut cargo = Command::new(env!("CARGO"));
    succeeds("cargo test", cargo.arg("test").current_dir(&made).env("CARGO_TARGET_DIR", &target));
    let mut cargo = Command::new(env!("CARGO"));
    succeeds("cargo build", cargo.arg("build").current_dir(&made).env("CARGO_TARGET_DIR", &target));

    let inspected =
        run_ok(["plugin", "inspect", "--json", target.join("debug/libmy_lamp.so").to_str().expect("plain")]);
    let inspected: Value = serde_json::from_str(inspected.trim()).expect("JSON");
    assert!(inspected.to_string().contains(r#""name":"my-lamp""#), "{inspected}");
}

#[test]
fn inspect_says_what_a_file_is_without_running_it() {
    let library = rust_plugin("test-fb");
    let text = run_ok(["plugin", "inspect", library.to_str().expect("a plain name")]);
    for word in ["test-fb", "testFb:testService", "unwind", "x86_64"] {
        assert!(text.contains(word), "{word}: {text}");
    }

    let refused = run(["plugin", "inspect", "/etc/passwd"]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stdout.contains("not a 64-bit ELF file"), "{}{}", refused.stdout, refused.stderr);
}

#[test]
fn test_drives_a_plugin_without_a_server() {
    let library = rust_plugin("test-fb");
    let library = library.to_str().expect("a plain name");
    let call = ["plugin", "test", library, "--call", "testFb:testService", r#"{"param1":7}"#];

    let good = run([&call[..], &["--reply", r#"{"param1":20}"#, "--reply", r#"{"param1":24}"#]].concat());
    assert_eq!(good.code, Some(0), "{}{}", good.stdout, good.stderr);
    assert!(good.stdout.contains(r#"code 200 {"param1":22}"#), "{}", good.stdout);

    let offline = run([&call[..], &["--reply", "offline", "--reply", r#"{"param1":24}"#]].concat());
    assert_eq!(offline.code, Some(1), "{}", offline.stdout);
    assert!(offline.stdout.contains("offline"), "{}", offline.stdout);
}

#[test]
fn codec_is_tested_without_a_server() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let codec = c_plugin("plugins/raw-codec/raw_codec.c", &[], folder.path());
    let codec = codec.to_str().expect("a plain name");

    let encode = r#"{"id":"7","version":"1.0","params":{"channel":1},"method":"thing.service.readMeter"}"#;
    let bytes = run_ok(["plugin", "test", codec, "--encode", encode]);
    assert!(bytes.replace(' ', "").contains("6806010000000701cf6f"), "{bytes}");

    let json = run_ok(["plugin", "test", codec, "--decode", "6812810000000700000030d408fc007bfffffe0cbe93"]);
    assert!(json.contains(r#""energy":12.500"#), "{json}");

    let broken = run(["plugin", "test", codec, "--decode", "68"]);
    assert_eq!(broken.code, Some(1), "{}", broken.stdout);
}

#[test]
fn own_test_of_the_codec_passes() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let codec = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/raw-codec");
    let out = format!("OUT={}", folder.path().display());
    succeeds("make test", Command::new("make").arg("test").arg(out).current_dir(codec));
}

#[test]
fn list_and_reload_ask_the_running_server() {
    let site = Site::with_plugins("", &[&rust_plugin("test-fb")]);
    let metrics = site.program.addresses.metrics.to_string();

    let listed = run_ok(["plugin", "list", "--json", "--metrics", &metrics]);
    let first: Value = serde_json::from_str(listed.lines().next().expect("a line")).expect("JSON");
    let plugin = first.as_array().and_then(|all| all.first()).unwrap_or(&first);
    assert_eq!((&plugin["name"], &plugin["generation"]), (&json!("test-fb"), &json!(1)));

    run_ok(["plugin", "reload", "test-fb", "--metrics", &metrics]);
    assert_eq!(site.plugin("test-fb").expect("it is there")["generation"], json!(2));

    let unknown = run(["plugin", "reload", "nobody", "--metrics", &metrics]);
    assert_eq!(unknown.code, Some(1));
    assert!(unknown.stderr.contains("nobody"), "{}", unknown.stderr);
}

#[test]
fn web_page_cannot_reload_a_plugin() {
    let site = Site::with_plugins("", &[&rust_plugin("test-fb")]);

    let answer =
        thingcall_tests::HttpCall::send(site.program.addresses.metrics, "POST", "/plugins/test-fb/reload").answer();

    assert!((400..500).contains(&answer.status), "{answer:?}");
    assert_eq!(site.plugin("test-fb").expect("it is there")["generation"], json!(1));
}
