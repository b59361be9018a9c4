//! TLS of our own listeners: official SDKs, curl and the commands over https, and a certificate that is exchanged while calls run.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;
use thingcall_tests::{Site, eventually, run};

const SERVICE: &str = "testFb:testService";
const ARGS: &str = r#"{"param1":1}"#;

/// An authority of the test's own, and what it vouches for.
struct Authority(TempDir);

impl Authority {
    fn new() -> Self {
        let this = Self(tempfile::tempdir().expect("a scratch folder"));
        this.openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=authority -days 30 -keyout ca.key -out ca.pem");
        std::fs::write(this.file("names"), "subjectAltName=IP:127.0.0.1,DNS:localhost\n")
            .expect("the folder can be written");
        this.vouches(20);
        this
    }

    /// A certificate for so many days is in the files from now on.
    fn vouches(&self, days: u32) {
        self.openssl(
            "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=server -keyout new.key -out new.csr",
        );
        self.openssl(&format!(
            "x509 -req -in new.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days {days} -extfile names -out new.pem"
        ));
        for (new, name) in [("new.key", "key.pem"), ("new.pem", "cert.pem")] {
            std::fs::rename(self.file(new), self.file(name)).expect("a file can be moved");
        }
    }

    fn openssl(&self, arguments: &str) {
        let made = Command::new("openssl").args(arguments.split(' ')).current_dir(&self.0).output().expect("openssl");
        assert!(made.status.success(), "{arguments}: {made:?}");
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn table(&self, more: &str) -> String {
        let [cert, key] = ["cert.pem", "key.pem"].map(|name| self.file(name).display().to_string());
        format!("tls = {{ cert_file = \"{cert}\", key_file = \"{key}\"{more} }}\n")
    }

    /// What curl is answered: the status, head and body.
    fn curl(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("curl");
        command
            .args(["--silent", "--show-error", "--include", "--max-time", "20", "--cacert"])
            .arg(self.file("ca.pem"));
        let output = command.args(arguments).output().expect("curl");
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }
}

fn site(authority: &Authority) -> Site {
    let table = authority.table("");
    Site::with_plugins(&format!("[api]\n{table}[metrics]\n{table}[console]\n{table}"), &[])
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a plain name")
}

/// Whether this command does it.
fn does(arguments: &[&str]) -> bool {
    run(arguments).code == Some(0)
}

/// The device answers from here on.
fn answers(site: &Site) {
    let data = text(site.data());
    eventually("the device answers", || {
        does(&["call", "--data", data, "a1BwAGVxxxx/sim-0001", SERVICE, ARGS]).then_some(())
    });
}

fn cut(authority: &Authority, metrics: SocketAddr, reason: &str) -> f64 {
    let told = authority.curl(&[&format!("https://{metrics}/metrics")]);
    let series = format!("thingcall_listener_connections_cut_total{{listener=\"api\",reason=\"{reason}\"}} ");
    let line = told.lines().find_map(|line| line.strip_prefix(&series));
    line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {series} in {told}"))
}

#[test]
fn commands_and_curl_speak_https_and_who_does_not_is_told_so() {
    let authority = Authority::new();
    let site = site(&authority);
    let (api, metrics) = (site.program.addresses.api, site.program.addresses.metrics);
    let (data, ca) = (text(site.data()).to_owned(), authority.file("ca.pem"));
    let _devices = site.simulate(1);
    answers(&site);
    for command in [&["status"][..], &["health", "--ready"], &["pending"], &["plugin", "list"], &["reload"]] {
        assert!(does(&[command, &["--data", &data]].concat()), "{command:?}");
    }
    // Elsewhere nothing of the folder is known.
    let url = format!("https://{api}");
    let by_url = [
        "call",
        "--url",
        &url,
        "--key-id",
        "testid",
        "--key-secret",
        "testsecret",
        "a1BwAGVxxxx/sim-0001",
        SERVICE,
        ARGS,
    ];
    let refused = run(by_url);
    assert!(refused.code == Some(1) && refused.stderr.contains("--ca FILE says whom to believe"), "{refused:?}");
    assert!(does(&[&by_url[..], &["--ca", text(&ca)]].concat()));
    let address = metrics.to_string();
    assert!(does(&["status", "--metrics", &address, "--ca", text(&ca)]));
    assert!(!does(&["status", "--metrics", &address]));

    let told = authority.curl(&[&url]);
    assert!(told.starts_with("HTTP/1.1 4") && told.contains("RequestId"), "{told}");
    let told = authority.curl(&[&format!("http://{api}/?Action=x")]);
    assert!(told.starts_with("HTTP/1.1 400 ") && told.contains("this listener speaks https"), "{told}");
    assert!(cut(&authority, metrics, "without_tls") >= 1.0);
    let told = authority.curl(&["--tls-max", "1.1", &url]);
    assert!(!told.starts_with("HTTP/"), "{told}");
    assert!(cut(&authority, metrics, "no_handshake") >= 1.0);
    let console = site.console();
    assert!(authority.curl(&[&format!("https://{console}/login")]).starts_with("HTTP/1.1 200 "));
}

/// Calls until nobody reads any more, and says of each how it went.
const CALLER: &str = r#"
import sys
from alibabacloud_iot20180120.client import Client
from alibabacloud_iot20180120 import models
from alibabacloud_tea_openapi import models as open_api
endpoint, ca = sys.argv[1:]
config = open_api.Config(access_key_id="testid", access_key_secret="testsecret", endpoint=endpoint, protocol="HTTPS", ca=ca)
while True:
    try:
        request = models.InvokeThingServiceRequest(product_key="a1BwAGVxxxx", device_name="sim-0001", identifier="testFb:testService", args='{"param1":1}')
        body = Client(config).invoke_thing_service(request).body
        print("ok" if body.success else "failed: %s" % body.error_message, flush=True)
    except BrokenPipeError:
        break
    except Exception as error:
        print("failed: %s" % error, flush=True)
"#;

#[test]
fn a_certificate_is_exchanged_while_an_official_sdk_calls_and_no_call_is_lost() {
    let authority = Authority::new();
    let site = site(&authority);
    let (api, metrics) = (site.program.addresses.api.to_string(), site.program.addresses.metrics);
    let _devices = site.simulate(1);
    answers(&site);
    let ends = || {
        let told = authority.curl(&[&format!("https://{metrics}/metrics")]);
        let series = "thingcall_certificate_not_after_timestamp_seconds{listener=\"api\"} ";
        let value = told.lines().find_map(|line| line.strip_prefix(series)?.parse::<f64>().ok());
        value.unwrap_or_else(|| panic!("no {series} in {told}"))
    };
    let before = ends();
    let mut caller = Command::new(sdk_python())
        .args(["-c", CALLER, &api, text(&authority.file("ca.pem"))])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the SDK's Python");
    let mut lines = BufReader::new(caller.stdout.take().expect("it is piped")).lines();
    let mut next = || lines.next().expect("it runs").expect("text");
    assert_eq!(next(), "ok");
    authority.vouches(25);
    let mut calls = 0;
    while ends() == before {
        assert_eq!(next(), "ok", "call {calls}");
        calls += 1;
    }
    for _ in 0..50 {
        assert_eq!(next(), "ok");
    }
    drop(lines);
    caller.kill().expect("it runs");
    caller.wait().expect("a child can be waited for");
    assert!(site.program.log().contains("a new certificate is shown"));

    // One that cannot be used leaves that of before in force.
    std::fs::write(authority.file("cert.pem"), "nothing").expect("the folder can be written");
    eventually("it is told", || site.program.log().contains("the certificate of before is shown").then_some(()));
    assert!(authority.curl(&[&format!("https://{api}/")]).starts_with("HTTP/1.1 4"));
}

#[test]
fn callers_show_a_certificate_where_the_operators_listener_asks_for_one() {
    let authority = Authority::new();
    let ca = text(&authority.file("ca.pem")).to_owned();
    let site =
        Site::with_plugins(&format!("[metrics]\n{}", authority.table(&format!(", client_ca_file = \"{ca}\""))), &[]);
    let data = text(site.data()).to_owned();
    assert!(!does(&["status", "--data", &data]));
    let (cert, key) = (authority.file("cert.pem"), authority.file("key.pem"));
    assert!(does(&["status", "--data", &data, "--client-cert", text(&cert), "--client-key", text(&key)]));
}

#[test]
fn files_that_cannot_be_read_are_told_by_check() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let file = folder.path().join("t.toml");
    std::fs::write(&file, "[api]\ntls = { cert_file = \"/nothing\", key_file = \"/nothing\" }\n")
        .expect("the folder can be written");
    let data = folder.path().join("data");
    let checked = run(["check", "--config", text(&file), "--data", text(&data)]);
    assert_eq!(checked.code, Some(1), "{checked:?}");
    for key in ["api.tls.cert_file is ", "api.tls.key_file is "] {
        assert!(checked.stdout.contains(key), "{checked:?}");
    }
}

fn sdk_python() -> PathBuf {
    let program = thingcall_tests::program();
    let target = program.ancestors().find(|folder| folder.join("sdk-venv").exists());
    target.expect("`tests/run` installs the SDKs").join("sdk-venv/bin/python")
}
