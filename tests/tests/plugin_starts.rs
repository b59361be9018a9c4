//! A plugin that takes its time to be created, and sections that are read again.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use thingcall_tests::{HttpCall, Site, c_plugin, eventually, install, program, run};

/// A server that is not ready yet; it ends with the test.
struct Starting(Child);

impl Drop for Starting {
    fn drop(&mut self) {
        let _ended = self.0.kill().and_then(|()| self.0.wait());
    }
}

impl Starting {
    fn on(data: &Path) -> Self {
        let own = "127.0.0.1:0";
        let mut command = Command::new(program());
        command.args(["serve", "--api", own, "--mqtt", own, "--metrics", own, "--data"]).arg(data);
        Self(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the program starts"))
    }

    fn terminate(mut self) -> Option<i32> {
        let pid = self.0.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().expect("a signal can be sent");
        assert!(sent.success());
        self.0.wait().expect("a child can be waited for").code()
    }
}

/// A data folder with a plugin that is created once there is a file.
fn slow(scratch: &Path) -> (PathBuf, PathBuf) {
    let (data, awaited) = (scratch.join("data"), scratch.join("awaited"));
    let built = c_plugin("tests/plugins/ends.c", &[&format!("AWAITS=\"{}\"", awaited.display())], scratch);
    install(&built, &data.join("plugins"));
    (data, awaited)
}

/// What the server on this folder says of the plugin, once it answers.
fn listed(data: &Path) -> Value {
    eventually("the server answers", || {
        let told = run(["plugin", "list", "--json", "--data", data.to_str()?]);
        let plugins = told.stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        plugins.into_iter().find(|plugin| plugin["name"] == json!("ends"))
    })
}

#[test]
fn server_answers_while_a_plugin_is_created_and_is_ready_after() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let (data, awaited) = slow(scratch.path());
    let mut server = Starting::on(&data);
    assert_eq!(listed(&data)["status"], json!("starting"));
    let addresses = std::fs::read_to_string(data.join("server.json")).unwrap_or_default();
    let metrics =
        serde_json::from_str::<Value>(&addresses).ok().and_then(|all| Some(all["metrics"].as_str()?.to_owned()));
    let metrics = metrics.expect("the address is left in the data folder").parse().expect("an address");
    let ask = |path: &str| HttpCall::send(metrics, "GET", path).answer();
    assert_eq!(ask("/healthz").status, 200);
    let ready = ask("/readyz");
    assert!(ready.status == 503 && ready.body.contains("plugin ends: being created"), "{}", ready.body);

    std::fs::write(&awaited, "").expect("the file");
    let stdout = server.0.stdout.take().expect("its output");
    let line = std::io::BufRead::lines(std::io::BufReader::new(stdout))
        .find_map(|line| line.ok().filter(|line| line.starts_with("ready ")));
    assert!(line.is_some(), "it says that it is ready");
    assert_eq!((ask("/readyz").status, listed(&data)["status"].clone()), (200, json!("active")));
}

#[test]
fn signal_ends_a_server_whose_plugin_is_still_being_created() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let (data, awaited) = slow(scratch.path());
    let server = Starting::on(&data);
    assert_eq!(listed(&data)["status"], json!("starting"));
    assert_eq!(server.terminate(), Some(0));

    std::fs::write(&awaited, "").expect("the file");
    let _server = Starting::on(&data);
    assert_eq!(listed(&data).get("endedServer"), None, "the plugin is not blamed");
}

#[test]
fn reload_reads_the_plugins_section_again() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let library = scratch.path().join("script.so");
    std::fs::rename(c_plugin("tests/plugins/script.c", &[], scratch.path()), &library).expect("it can be moved");
    let site = Site::with_plugins("[plugins.script]\nthreads = 1\n", &[&library]);
    let config = site.data().parent().expect("the scratch folder").join("thingcall.toml");
    let metrics = site.program.addresses.metrics.to_string();
    let reload = |section: &str| {
        std::fs::write(&config, section).expect("the configuration");
        run(["plugin", "reload", "script", "--metrics", &metrics])
    };
    let claims = || site.plugin("script").map(|plugin| plugin["claims"].clone()).unwrap_or_default();

    let wrong = reload("[plugins.script]\nthreads = \"many\"\n");
    assert_eq!(wrong.code, Some(1), "{}", wrong.stderr);
    assert!(wrong.stderr.contains("thingcall.toml:2") && wrong.stderr.contains("threads"), "{}", wrong.stderr);
    assert_eq!(claims(), json!(["testFb:testService"]), "the old one runs");
    let right = reload("[api]\nno_such_key = 1\n[plugins.script]\nclaims = [\"Measure\"]\n");
    assert_eq!(right.code, Some(0), "{}", right.stderr);
    assert_eq!(claims(), json!(["Measure"]));
}
