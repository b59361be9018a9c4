//! Wrong configurations: `check` names each problem, and `serve` refuses to start with the very same words.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;
use thingcall_tests::{Finished, Site, Thingcall, program, run, run_ok};

/// What a case needs on the disk: `$D` in a text is this folder.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().expect("a scratch folder"));
        for name in ["one", "other"] {
            let args = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj"];
            let mut openssl = Command::new("openssl");
            openssl.args(args).arg(format!("/CN={name}"));
            openssl.arg("-keyout").arg(place.path(&format!("{name}.key")));
            openssl.arg("-out").arg(place.path(&format!("{name}.pem")));
            let made = openssl.output().expect("openssl is installed");
            assert!(made.status.success(), "{made:?}");
        }
        let empty = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
        for (name, text) in [("text", "nothing"), ("empty.pem", empty), ("junk.db", &"junk ".repeat(1000))] {
            fs::write(place.path(name), text).expect("a scratch file");
        }
        place
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    /// The same text as a file, with ports of its own.
    fn config(&self, text: &str) -> String {
        let text = text.replace("$D", &self.0.path().display().to_string());
        let file = self.path("thingcall.toml");
        fs::write(&file, text).expect("a scratch file");
        file
    }
}

/// The flags that make no port somebody else's.
const FREE: [&str; 6] = ["--api", "127.0.0.1:0", "--mqtt", "127.0.0.1:0", "--metrics", "127.0.0.1:0"];

/// A server that must not start; it is ended if it does.
fn serve(arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new("timeout");
    let output = command.arg("60").arg(program()).arg("serve").args(arguments).output().expect("timeout is installed");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Where the sentence about this key is, in what `check` or `serve` say.
fn sentence<'a>(said: &'a str, key: &str) -> Option<&'a str> {
    let about = format!("{key} is ");
    said.lines().find_map(|line| line.find(&about).and_then(|at| line.get(at..)))
}

fn check(arguments: &[&str]) -> Finished {
    run(["check"].iter().chain(arguments))
}

/// The configuration, and each wrong key with words that must be in its sentence.
const WRONG: &[(&str, &[(&str, &str)])] = &[
    ("[log]\nlevel = \"warning\"", &[("log.level", "right is error, warn, info")]),
    ("[api]\nconnections_max = 0", &[("api.connections_max", "0; right is a whole number, 1 or more")]),
    ("[store]\nfile = \"server.json\"", &[("store.file", "that nothing else in the data folder has")]),
    ("[engine]\nlate_replies_max = 9223372036854775807", &[("engine.late_replies_max", "at most 100000000")]),
    ("[store]\nwrite_queue_records_max = 9223372036854775807", &[("store.write_queue_records_max", "at most")]),
    ("[api]\nlisten = \"nowhere\"", &[("api.listen", "right is ADDRESS:PORT")]),
    ("[gate]\nlisten = \"203.0.113.77:7\"\nsecret = \"x\"", &[("gate.listen", "right is an address of this machine")]),
    (
        "[gate]\nlisten = \"127.0.0.1:1\"\n[broker.websocket]\nlisten = \"127.0.0.1:1\"",
        &[("broker.websocket.listen", "as is gate.listen")],
    ),
    (
        "[broker.tls]\nlisten = \"127.0.0.1:0\"\ncert_file = \"$D/no.pem\"\nkey_file = \"$D/text\"",
        &[("broker.tls.cert_file", "No such file"), ("broker.tls.key_file", "it holds none")],
    ),
    (
        "[broker.tls]\nlisten = \"127.0.0.1:0\"\ncert_file = \"$D/one.pem\"\nkey_file = \"$D/other.key\"",
        &[("broker.tls.key_file", "the key of another certificate")],
    ),
    (
        "[broker.tls]\nlisten = \"127.0.0.1:0\"\ncert_file = \"$D/empty.pem\"\nkey_file = \"$D/one.key\"",
        &[("broker.tls.cert_file", "right is a file with a certificate")],
    ),
    (
        "[mqtt]\nurl = \"mqtts://127.0.0.1:2\"\n[mqtt.tls]\nca_file = \"$D\"",
        &[("mqtt.tls.ca_file", "right is a file with a certificate")],
    ),
    (
        "[mqtt]\nurl = \"mqtts://127.0.0.1:2\"\n[mqtt.tls]\nca_file = \"$D/one.pem\"\nclient_cert_file = \"$D/one.pem\"\nclient_key_file = \"$D/other.key\"",
        &[("mqtt.tls.client_cert_file", "the key of another certificate")],
    ),
    (
        "[amqp_brokers.b]\nurl = \"amqps://127.0.0.1:2\"\n[amqp_brokers.b.tls]\nca_file = \"$D/empty.pem\"",
        &[("amqp_brokers.b.tls.ca_file", "empty.pem")],
    ),
    (
        "[amqp]\nurl = \"amqp://127.0.0.1:7071\"\n[gate]\nlisten = \"127.0.0.1:7071\"",
        &[("amqp.url", "gate.listen of this server")],
    ),
    ("[engine]\ndefault_transport = \"north\"", &[("engine.default_transport", "configured: embedded")]),
    ("[loader]\nfolder = \"$D/text\"", &[("loader.folder", "Not a directory")]),
    ("[store]\nfile = \"../x.db\"", &[("store.file", "right is a file's name")]),
    (
        "[plugins.x]\nthreads = 99\n[store]\ndevices_max = 0\n[broker]\nkeep_alive_max = \"0s\"",
        &[("plugins.x.threads", "1 to 64"), ("store.devices_max", "1 or more"), ("broker.keep_alive_max", "1s to")],
    ),
    // What cannot be read, and what is wrong around what can be.
    (
        "[engine]\npending_calls_max = \"many\"\n[loader]\nfolder = \"$D/text\"",
        &[("engine.pending_calls_max", "a whole number"), ("loader.folder", "Not a directory")],
    ),
];

#[test]
fn check_and_serve_refuse_the_same_with_the_same_words() {
    let place = Place::new();
    for (text, wrong) in WRONG {
        let data = place.path("data");
        let config = place.config(text);
        // An address of the file must not be hidden by a flag.
        let free = if text.contains("[api]\nlisten") { &FREE[2..] } else { &FREE[..] };
        let arguments: Vec<_> = free.iter().copied().chain(["--config", &config, "--data", &data]).collect();
        let checked = check(&arguments);
        let (code, said) = serve(&arguments);
        assert_eq!(checked.code, Some(1), "{text}: {}{}", checked.stdout, checked.stderr);
        assert!(code == Some(1) || code == Some(2), "{text}: {code:?} {said}");
        for (key, words) in *wrong {
            let told = sentence(&checked.stdout, key).unwrap_or_else(|| panic!("{key}: {}", checked.stdout));
            assert!(told.contains(words), "{text}: {told}");
            assert_eq!(sentence(&said, key), Some(told), "{text}: {said}");
        }
        assert_eq!(checked.stdout.lines().count(), wrong.len(), "{text}: {}", checked.stdout);
        assert!(!Path::new(&data).exists(), "{text}: something was made");
    }
}

#[test]
fn data_folder_and_store_that_cannot_be_used_are_refused_by_both() {
    let place = Place::new();
    fs::create_dir(place.path("junk")).expect("a scratch folder");
    fs::rename(place.path("junk.db"), place.path("junk/thingcall.db")).expect("a scratch file");
    for (data, key, words) in [
        (place.path("text/below"), "data", "right is a folder that this user can write"),
        (place.path("text"), "data", "it is no folder"),
        (place.path("junk"), "store.file", "damaged or not a thingcall store"),
    ] {
        let arguments: Vec<_> = FREE.iter().copied().chain(["--data", &data]).collect();
        let (checked, (code, said)) = (check(&arguments), serve(&arguments));
        let told = sentence(&checked.stdout, key).unwrap_or_else(|| panic!("{key}: {}", checked.stdout));
        assert!(told.contains(words), "{told}");
        assert_eq!((checked.code, code, sentence(&said, key)), (Some(1), Some(1), Some(told)), "{said}");
    }
}

#[test]
fn port_of_somebody_else_is_refused_by_both_and_listed_as_data() {
    let place = Place::new();
    let somebody = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = somebody.local_addr().expect("an address").to_string();
    let data = place.path("data");
    let arguments = ["--api", &address, "--mqtt", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--data", &data];
    let (checked, (code, said)) = (check(&arguments), serve(&arguments));
    let told = sentence(&checked.stdout, "api.listen").expect("the port is told");
    assert!(checked.stdout.starts_with("--api: ") && told.contains("--api ADDR"), "{}", checked.stdout);
    assert_eq!((checked.code, code, sentence(&said, "api.listen")), (Some(1), Some(1), Some(told)), "{said}");
    let json = check(&[&arguments[..], &["--json"]].concat()).stdout;
    let json: serde_json::Value = json.lines().last().and_then(|line| serde_json::from_str(line).ok()).expect("JSON");
    assert_eq!((&json["key"], &json["flag"]), (&"api.listen".into(), &"--api".into()), "{json}");
    assert!(json["value"].as_str().is_some_and(|value| value.starts_with(&address)), "{json}");
    assert_eq!(json["serverStarts"], false, "{json}");
    assert!(json.get("file").is_none() && json.get("line").is_none(), "{json}");
}

#[test]
fn log_filter_of_the_environment_that_silences_all_is_refused_by_both() {
    let place = Place::new();
    for command in ["check", "serve"] {
        let mut ours = Command::new("timeout");
        ours.arg("60").arg(program()).arg(command).args(FREE).args(["--data", &place.path("data")]);
        let output = ours.env("RUST_LOG", "warning").output().expect("timeout is installed");
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(
            said.contains("environment variable RUST_LOG: is \"warning\" (\"warning\" is no level); right is error"),
            "{said}"
        );
    }
}

#[test]
fn right_ones_pass_both() {
    let place = Place::new();
    let data = place.path("data");
    for text in [
        "",
        "[broker.tls]\nlisten = \"127.0.0.1:0\"\ncert_file = \"$D/one.pem\"\nkey_file = \"$D/one.key\"\n\
         [broker.websocket]\nlisten = \"127.0.0.1:0\"\n[gate]\nlisten = \"127.0.0.1:0\"",
        "[mqtt]\nurl = \"mqtts://127.0.0.1:2\"\n[mqtt.tls]\nca_file = \"$D/one.pem\"\n\
         client_cert_file = \"$D/other.pem\"\nclient_key_file = \"$D/other.key\"\n\
         [amqp]\nurl = \"amqps://127.0.0.1:2\"\n[amqp.tls]\nca_file = \"$D/one.pem\"\n\
         client_cert_file = \"$D/other.pem\"\nclient_key_file = \"$D/other.key\"",
    ] {
        let config = place.config(text);
        run_ok(["check"].into_iter().chain(FREE).chain(["--config", &config, "--data", &data]));
        let options =
            thingcall_tests::Options { data: (&data).into(), settings: Vec::new(), config: Some((&config).into()) };
        drop(Thingcall::start(&options));
    }
}

#[test]
fn check_passes_beside_the_server_of_the_folder_and_a_second_server_does_not() {
    let site = Site::embedded(&[]);
    let addresses = site.program.addresses;
    let (api, metrics) = (addresses.api.to_string(), addresses.metrics.to_string());
    let mqtt = addresses.mqtt.expect("the embedded broker").to_string();
    let data = site.data().display().to_string();
    let own = ["--api", &api, "--mqtt", &mqtt, "--metrics", &metrics, "--data", &data];
    run_ok(["check"].iter().chain(&own));

    let (code, said) = serve(&own);
    assert_eq!(code, Some(1), "{said}");
    assert!(sentence(&said, "data").is_some_and(|told| told.contains("another thingcall server uses it")), "{said}");
    assert!(sentence(&said, "api.listen").is_some_and(|told| told.contains("Address already in use")), "{said}");

    // Of another folder, they are somebody else's.
    let other = tempfile::tempdir().expect("a scratch folder");
    let other = other.path().display().to_string();
    let checked = check(&["--api", &api, "--mqtt", &mqtt, "--metrics", &metrics, "--data", &other]);
    assert_eq!(checked.stdout.lines().filter(|line| line.contains("already in use")).count(), 3, "{}", checked.stdout);
}

#[test]
fn device_whose_transport_is_not_configured_is_told_by_check_and_warned_of_by_serve() {
    let place = Place::new();
    let data = place.path("data");
    run_ok([
        "product",
        "import",
        "--key",
        "p",
        "--data",
        &data,
        &thingcall_tests::fixture("sample_tsl.json").display().to_string(),
    ]);
    run_ok(["device", "add", "--product", "p", "--name", "d1", "--transport", "north", "--data", &data]);
    let checked = check(&[&FREE[..], &["--data", &data]].concat());
    let told = sentence(&checked.stdout, "transport of device p/d1").expect("the device is told");
    assert!(checked.code == Some(1) && told.starts_with("transport of device p/d1 is north; right is"), "{told}");
    let options = thingcall_tests::Options { data: (&data).into(), settings: Vec::new(), config: None };
    let server = Thingcall::start(&options);
    assert!(server.log().contains(told), "{}", server.log());
    drop(server);
    let config = place.config("[mqtt_brokers.north]\nurl = \"mqtt://127.0.0.1:2\"");
    run_ok(["check"].into_iter().chain(FREE).chain(["--config", &config, "--data", &data]));
}

#[test]
fn plugin_that_would_be_refused_is_told_by_check_without_being_run() {
    let place = Place::new();
    let (data, plugins) = (place.path("data"), place.path("data/plugins"));
    fs::create_dir_all(&plugins).expect("a scratch folder");
    fs::write(place.path("data/plugins/libx.so"), "no library").expect("a scratch file");
    let config = place.config("[plugins.gone]\nclaims = [\"fb:*\"]");
    let checked = check(&[&FREE[..], &["--config", &config, "--data", &data]].concat());
    assert_eq!(checked.code, Some(1), "{}", checked.stdout);
    assert!(checked.stderr.contains("would start"), "{}", checked.stderr);
    assert!(checked.stdout.contains("libx.so: is refused (not a 64-bit ELF file)"), "{}", checked.stdout);
    assert!(
        sentence(&checked.stdout, "plugins.gone").is_some_and(|told| told.contains(&plugins)),
        "{}",
        checked.stdout
    );
}
