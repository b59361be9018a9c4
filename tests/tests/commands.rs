//! The commands of the program, as people and scripts use them.

use std::ffi::OsStr;

use serde_json::json;
use thingcall_tests::{Credential, MqttDevice, PRODUCT, Site, fixture, run, run_ok};

#[test]
fn demo_goes_as_it_should() {
    let finished = run(["demo", "--once"]);

    assert_eq!(finished.code, Some(0), "{}{}", finished.stdout, finished.stderr);
    assert!(finished.stdout.contains("InvokeThingService"), "{}", finished.stdout);
}

#[test]
fn check_names_every_problem_of_a_configuration_with_its_line() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let file = folder.path().join("broken.toml");
    std::fs::write(&file, "[engine]\nreply_timout = \"8s\"\ninstance_slot = 64\n\n[api]\nlisten = \"nowhere\"\n")
        .expect("the file can be written");

    let finished = run(["check".as_ref(), "--config".as_ref(), file.as_os_str()]);

    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    for said in ["broken.toml:2", "reply_timout", "reply_timeout", "broken.toml:6", "api.listen"] {
        assert!(finished.stdout.contains(said), "{said:?} is not in {}", finished.stdout);
    }
}

#[test]
fn check_names_every_problem_of_a_model_with_its_place() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let file = folder.path().join("broken.json");
    let text = std::fs::read_to_string(fixture("sample_tsl.json")).expect("the fixture");
    let broken = text.replace(r#""callType": "sync""#, r#""callType": "sometimes""#).replacen(
        r#""type": "enum""#,
        r#""type": "enumm""#,
        1,
    );
    std::fs::write(&file, broken).expect("the file can be written");

    let finished = run(["check".as_ref(), file.as_os_str()]);

    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    for said in ["broken.json", "sometimes", "enumm"] {
        assert!(finished.stdout.contains(said), "{said:?} is not in {}", finished.stdout);
    }
}

#[test]
fn check_is_content_with_what_is_right() {
    let files = [fixture("sample_tsl.json"), fixture("sample_tsl_testFb.json")];

    run_ok(["check".into()].into_iter().chain(files));
}

#[test]
fn wrong_use_exits_with_2() {
    assert_eq!(run(["serve", "--api", "nowhere"]).code, Some(2));
    assert_eq!(run(["product", "import"]).code, Some(2));
    assert_eq!(run(["call"]).code, Some(2));
}

#[test]
fn call_calls_by_itself_and_tells_how_it_went() {
    let site = Site::embedded(&[]);
    let (device, _connected) = site.linkkit("by-command");
    let name = format!("{}/{}", device.product, device.name);
    let url = format!("http://{}", site.program.addresses.api);
    let by_hand = ["--url", &url, "--key-id", &site.key.id, "--key-secret", &site.key.secret];
    let data = ["--data", site.data().to_str().expect("a plain name")];
    let call = |service: &str, args: &str| {
        let given = run(["call", &name, service, args, "--json"].iter().chain(&by_hand));
        let found = run(["call", &name, service, args, "--json"].iter().chain(&data));
        assert_eq!((given.code, given.stdout.len() > 2), (found.code, found.stdout.len() > 2), "{found:?}");
        given
    };

    let good = call("testFb:testService", r#"{"param1":4}"#);
    assert_eq!(good.code, Some(0), "{}{}", good.stdout, good.stderr);
    let answer: serde_json::Value = serde_json::from_str(&good.stdout).expect("one object");
    assert_eq!((&answer["success"], &answer["result"]["data"]["param1"]), (&true.into(), &4.into()));
    assert!(answer["milliseconds"].as_f64().is_some_and(|took| took > 0.0), "{answer}");

    let bad = call("testFb:testService", r#"{"param1":"four"}"#);
    assert_eq!(bad.code, Some(1), "{}{}", bad.stdout, bad.stderr);
    assert!(bad.stdout.contains("iot.device.InvokeThingServiceFailed"), "{}", bad.stdout);
}

#[test]
fn first_start_makes_a_key_and_shows_it_once() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let options = thingcall_tests::Options { data: folder.path().join("data"), settings: Vec::new(), config: None };

    let mut first = thingcall_tests::Thingcall::start(&options);
    first.terminate();
    assert_eq!(first.ended().code(), Some(0));
    let mut second = thingcall_tests::Thingcall::start(&options);
    second.terminate();
    assert_eq!(second.ended().code(), Some(0));

    // On standard output alone: the log is read by many.
    let log = first.log();
    let shown: Vec<_> = log.lines().filter(|line| line.contains("AccessKeySecret")).collect();
    assert!(shown.len() == 1 && shown[0].starts_with("stdout: AccessKeySecret"), "{log}");
    let secret = shown[0].rsplit(' ').next().expect("a secret");
    assert_eq!(log.matches(secret).count(), 1, "{log}");
    assert!(!second.log().contains("AccessKeySecret"), "{}", second.log());
}

#[test]
fn start_that_fails_late_makes_nothing() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let data = folder.path().join("data");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address").to_string();
    let ports = ["serve", "--api", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--mqtt"];
    let serve =
        |mqtt: &str| run(ports.iter().copied().chain([mqtt, "--data"]).map(AsRef::as_ref).chain([data.as_os_str()]));

    let finished = serve(&address);

    assert_eq!(finished.code, Some(1), "{}{}", finished.stdout, finished.stderr);
    assert!(finished.stderr.contains(&address), "{}", finished.stderr);
    assert!(!data.exists(), "nothing is made before everything was tried");

    let config = folder.path().join("thingcall.toml");
    let tls =
        "[broker.tls]\nlisten = \"127.0.0.1:0\"\ncert_file = \"/nowhere/cert.pem\"\nkey_file = \"/nowhere/key.pem\"\n";
    std::fs::write(&config, tls).expect("the file can be written");
    let arguments = ports.iter().copied().chain(["127.0.0.1:0", "--data"]).map(AsRef::as_ref);
    let finished = run(arguments.chain([data.as_os_str(), "--config".as_ref(), config.as_os_str()]));
    assert!(finished.code != Some(0) && finished.stderr.contains("cert.pem"), "{}", finished.stderr);
    assert!(!data.exists(), "nothing is made before everything was tried");

    let options = thingcall_tests::Options { data, settings: Vec::new(), config: None };
    assert!(thingcall_tests::Thingcall::start(&options).log().contains("AccessKeySecret"), "the key is made now");
}

#[test]
fn commands_that_read_make_no_store() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let data = folder.path().join("data");
    for command in [
        &["device", "list"][..],
        &["device", "show", "p/d"],
        &["product", "list"],
        &["product", "show", "p"],
        &["key", "list"],
        &["explain", "17"],
    ] {
        let finished = run(command.iter().map(AsRef::as_ref).chain(["--data".as_ref(), data.as_os_str()]));
        assert_eq!(finished.code, Some(1), "{command:?} {}", finished.stderr);
        assert!(finished.stderr.contains("there is no store"), "{command:?} {}", finished.stderr);
        assert!(!data.exists(), "{command:?}");
    }
}

#[test]
fn device_that_was_added_by_command_connects_and_is_called_at_once() {
    let site = Site::embedded(&[("STORE__CHANGE_POLL", "1s")]);
    let added = site.command_json(&["device", "add", "--product", PRODUCT, "--name", "at-once"]);
    let text = |name: &str| added[name].as_str().expect("a text").to_owned();
    let device = thingcall_tests::DeviceSecrets {
        product: text("productKey"),
        name: text("deviceName"),
        secret: text("deviceSecret"),
        iot_id: text("iotId"),
    };
    let connected = MqttDevice::connect(site.broker(), &Credential::of(&device, None));

    let waiting = site.begin_invoke(&device, "testFb:testService", r#"{"param1":1}"#);
    let seen = connected.next();
    connected
        .publish(&seen.topic.replace("/request/", "/response/"), &seen.answer(&serde_json::json!({ "param1": 1 })));
    waiting.answer().ok();
}

#[test]
fn devices_are_imported_with_the_names_and_secrets_they_have() {
    let site = Site::embedded(&[]);
    let line = |name: &str, secret: &str| {
        json!({ "productKey": PRODUCT, "deviceName": name, "deviceSecret": secret, "iotId": "of another server" })
            .to_string()
    };
    let file = site.data().join("devices.jsonl");
    let import = |lines: &[String]| {
        std::fs::write(&file, lines.join("\n")).expect("a file");
        let said = ["device", "import", "--json", "--data"].map(OsStr::new);
        run([&said[..], &[site.data().as_os_str(), file.as_os_str()]].concat())
    };
    let lines: Vec<_> = (0..1001).map(|number| line(&format!("imported{number}"), &format!("{number:032}"))).collect();
    for counted in [r#"{"added":1001,"there":0}"#, r#"{"added":0,"there":1001}"#] {
        let imported = import(&lines);
        assert!(imported.code == Some(0) && imported.stdout.trim() == counted, "{imported:?}");
    }
    let device = thingcall_tests::DeviceSecrets {
        product: PRODUCT.to_owned(),
        name: "imported1000".to_owned(),
        secret: format!("{:032}", 1000),
        iot_id: String::new(),
    };
    let _connected = MqttDevice::connect(site.broker(), &Credential::of(&device, None));

    for (wrong, said) in [
        (line("imported7", "another"), "with another secret"),
        ("{}".to_owned(), "line 2: missing field `productKey`"),
        (line("two words", "another"), "line 2: "),
    ] {
        let refused = import(&[line("imported1", &format!("{:032}", 1)), wrong]);
        assert!(refused.code == Some(1) && refused.stdout.contains(said), "{said}: {refused:?}");
        assert!(refused.stdout.contains(r#"{"added":0,"there":1}"#), "{refused:?}");
    }
}

#[test]
fn tables_fit_the_columns_there_are_and_are_whole_in_a_pipe() {
    let site = Site::embedded(&[]);
    let long = "客厅里的灯".repeat(12);
    let add = ["device", "add", "--product", PRODUCT, "--nickname", &long, "--name"];
    site.command(&[&add[..], &["lamp-in-the-hall-of-the-mountain"]].concat());
    site.command(&["key", "add", "--id", &"k".repeat(60), "--account", &"a".repeat(60)]);

    let whole = in_columns(&site, None, &["device", "list"]);
    let at = whole.find("IOTID").expect("a heading");
    let row = whole.lines().find(|line| line.contains("lamp-in-the-hall")).expect("the device");
    assert!(row[..at].ends_with("  ") && !row[at..].starts_with(' '), "{whole}");
    for command in [["device", "list"], ["product", "list"], ["key", "list"]] {
        assert!(!in_columns(&site, None, &command).contains("..."));
        let text = in_columns(&site, Some("80"), &command);
        for line in text.lines() {
            let columns: usize = line.chars().map(|character| if character.is_ascii() { 1 } else { 2 }).sum();
            assert!(columns <= 80, "{columns}: {line}");
        }
        assert!(text.lines().count() > 1 && text.contains("..."), "{text}");
    }
    assert_eq!(site.command_json(&["device", "list"])["nickname"], long, "it is whole in JSON");
}

/// What a command prints into a pipe, where lines may be so wide.
fn in_columns(site: &Site, columns: Option<&str>, arguments: &[&str]) -> String {
    let mut command = std::process::Command::new(thingcall_tests::program());
    command.args(arguments).arg("--data").arg(site.data()).env_remove("COLUMNS");
    command.envs(columns.map(|columns| ("COLUMNS", columns)));
    thingcall_tests::tell_store(&mut command);
    String::from_utf8(command.output().expect("it runs").stdout).expect("text")
}

#[test]
fn unknown_call_cannot_be_explained() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let data = ["--data".as_ref(), folder.path().as_os_str()];
    run_ok(["key", "add"].iter().map(AsRef::as_ref).chain(data));

    let finished = run(["explain", "17"].iter().map(AsRef::as_ref).chain(data));

    assert_eq!(finished.code, Some(1));
    assert!(finished.stderr.contains("17"), "{}", finished.stderr);
}
