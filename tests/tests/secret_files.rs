//! Secrets in files: those of containers, of systemd, and the first access key.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::json;
use thingcall_tests::{App, Caller, Key, Options, PRODUCT, Sdk, Site, Thingcall, run, run_ok};

/// A file of its owner's alone.
fn secret(folder: &Path, name: &str, text: &str) -> String {
    let file = folder.join(name);
    fs::write(&file, text).expect("a scratch file");
    fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("a mode");
    file.display().to_string()
}

#[test]
fn the_first_key_of_a_new_store_is_the_one_that_is_given() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let file = secret(folder.path(), "first", "the-first-ones-own-0123456789\n");
    let setting = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let settings = vec![setting("FIRST_KEY__ID", "operator"), setting("FIRST_KEY__SECRET_FILE", &file)];
    let options = Options { data: folder.path().join("data"), settings, config: None };
    let key = Key { id: "operator".to_owned(), secret: "the-first-ones-own-0123456789".to_owned(), token: None };
    // The second start finds it there, and does not look at the file again for it.
    for _ in 0..2 {
        let server = Thingcall::start(&options);
        let caller = Caller { endpoint: server.addresses.api, key: &key, sdk: Sdk::Tea };
        let list = json!({ "CurrentPage": 1, "PageSize": 10 });
        App::get().begin(&caller, "QueryProductList", &list).answer().ok();
        let log = server.log();
        assert!(!log.contains("AccessKeySecret") && !log.contains(&key.secret), "{log}");
        fs::write(&file, "another\n").expect("a scratch file");
    }
    let keys = run_ok([Path::new("key"), Path::new("list"), Path::new("--data"), &options.data]);
    assert!(keys.contains("operator"), "{keys}");
}

#[test]
fn a_brokers_password_comes_from_a_file_and_one_that_is_not_there_is_told() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let file = secret(folder.path(), "password", "for-whoever-asks\n");
    let site = Site::external(&[("MQTT__USERNAME", "thingcall"), ("MQTT__PASSWORD_FILE", &file)]);
    let (device, _connected) = site.linkkit("with-a-file");
    site.invoke(&device, "testFb:testService", r#"{"param1":1}"#).ok();
    assert!(!site.program.log().contains("for-whoever-asks"));

    let config = folder.path().join("thingcall.toml");
    let about = |mode: u32, name: &str| {
        fs::set_permissions(&file, Permissions::from_mode(mode)).expect("a mode");
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("a mode");
        let text = format!("[broker]\nenabled = false\n[mqtt]\nusername = \"u\"\npassword_file = \"{name}\"\n");
        fs::write(&config, text).expect("a scratch file");
        let flags = ["check", "--api", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--config"];
        run(flags.iter().map(Path::new).chain([&*config, Path::new("--data"), folder.path()]))
    };
    let right = about(0o600, &file);
    assert!(right.code == Some(0) && !right.stdout.contains("warning"), "{right:?}");
    let open = about(0o644, &file);
    assert!(open.code == Some(0) && open.stdout.contains("every user can read it"), "{open:?}");
    let missing = about(0o600, "credential:broker");
    assert!(missing.code == Some(1) && missing.stdout.contains(":5: mqtt.password_file is "), "{missing:?}");
    assert!(missing.stdout.contains("LoadCredential=broker:FILE"), "{missing:?}");
    // Who asks about the store needs no broker's secret.
    let list = run([
        Path::new("product"),
        Path::new("list"),
        Path::new("--config"),
        &config,
        Path::new("--data"),
        site.data(),
    ]);
    assert!(list.code == Some(0) && list.stdout.contains(PRODUCT), "{list:?}");
}
