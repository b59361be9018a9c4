//! RabbitMQs of the tests' own: node, ports, cookie and data are nobody else's and end with the tests, also with those
//! that are killed.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tempfile::TempDir;
use test_ports::free_ports;
use tokio::sync::Mutex;

/// RabbitMQ starts an Erlang system, on a busy machine.
const START_TIMEOUT: Duration = Duration::from_secs(120);

/// Reads process ids, one a line, until whoever writes them is gone; then ends their groups and removes the folder.
const GUARD: &str = r#"folder=$1; shift
while read -r pid; do set -- "$@" "$pid"; done
for pid in "$@"; do kill -KILL "-$pid" 2>/dev/null; done
rm -rf -- "$folder""#;

/// A device's user, whose name says whose it is.
pub(super) const DEVICE_USER: &str = "d1&pk";
pub(super) const DEVICE_PASSWORD: &str = "d1's";

pub(super) struct Rabbit {
    pub(super) amqp: u16,
    pub(super) amqps: u16,
    pub(super) mqtt: u16,
    epmd: u16,
    dist: u16,
    folder: PathBuf,
    server: Child,
    names: Child,
    guard: Child,
}

/// The one that most tests share; nothing that one does to it concerns the others.
pub(super) fn shared() -> Arc<Rabbit> {
    static SHARED: OnceLock<Arc<Rabbit>> = OnceLock::new();
    SHARED.get_or_init(|| Arc::new(Rabbit::start())).clone()
}

/// The one that is restarted and blocked, by one test at a time.
pub(super) fn faulty() -> &'static Mutex<Rabbit> {
    static FAULTY: OnceLock<Mutex<Rabbit>> = OnceLock::new();
    FAULTY.get_or_init(|| Mutex::new(Rabbit::start()))
}

impl Rabbit {
    fn start() -> Self {
        let folder = TempDir::new().unwrap().keep();
        let [amqp, amqps, mqtt, epmd, dist] = free_ports();
        certificates(&folder);
        std::fs::write(folder.join("rabbitmq.conf"), config(&folder, [amqp, amqps, mqtt])).unwrap();
        std::fs::write(folder.join("enabled_plugins"), "[rabbitmq_mqtt,rabbitmq_event_exchange].").unwrap();
        std::fs::write(folder.join("env"), "").unwrap();
        std::fs::write(folder.join("definitions.json"), definitions()).unwrap();
        let mut guard = Command::new("sh")
            .args(["-c", GUARD, "guard"])
            .arg(&folder)
            .process_group(0)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        // RabbitMQ would start one that outlives it.
        let mut names = Command::new("epmd");
        names.args(["-port", &epmd.to_string(), "-address", "127.0.0.1"]).process_group(0);
        let names = names.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        tell(&mut guard, names.id());
        let server = run(&folder, epmd, dist, &mut guard);
        Self { amqp, amqps, mqtt, epmd, dist, folder, server, names, guard }
    }

    /// Kills it, as a crash does.
    pub(super) fn kill(&mut self) {
        let group = format!("-{}", self.server.id());
        signal("-KILL", &group);
        self.server.wait().unwrap();
    }

    /// Stops it in its tracks, until the value is dropped.
    pub(super) fn pause(&self) -> Paused {
        let group = format!("-{}", self.server.id());
        signal("-STOP", &group);
        Paused(group)
    }

    /// Starts it again, after [`Self::kill`], with its data and on its ports.
    pub(super) fn start_again(&mut self) {
        self.server = run(&self.folder, self.epmd, self.dist, &mut self.guard);
    }

    /// Runs `rabbitmqctl`.
    pub(super) fn control(&self, args: &[&str]) -> String {
        let mut command = Command::new("/usr/lib/rabbitmq/bin/rabbitmqctl");
        let output = environment(&mut command, &self.folder, self.epmd).args(args).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{args:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
        text
    }

    /// The line of a list that names this. Waits for it: a list leaves out what its server did not say in time.
    pub(super) async fn line(&self, list: &[&str], named: &str) -> String {
        let mut line = None;
        let all = [&["-q"], list].concat();
        let find = || {
            line = self.control(&all).lines().find(|line| line.contains(named)).map(str::to_owned);
            line.is_some()
        };
        super::until(&format!("in {list:?}: {named}"), find).await;
        line.unwrap()
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// A server that is stopped.
pub(super) struct Paused(String);

impl Drop for Paused {
    fn drop(&mut self) {
        signal("-CONT", &self.0);
    }
}

fn signal(signal: &str, group: &str) {
    Command::new("kill").args([signal, "--", group]).status().unwrap();
}

impl Drop for Rabbit {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        for child in [&mut self.guard, &mut self.server, &mut self.names] {
            let _status = child.wait();
        }
    }
}

fn tell(guard: &mut Child, pid: u32) {
    writeln!(guard.stdin.as_mut().unwrap(), "{pid}").unwrap();
}

fn run(folder: &Path, epmd: u16, dist: u16, guard: &mut Child) -> Child {
    // Not the one in Debian's path, which changes to the user rabbitmq and its folders.
    let mut server = Command::new("/usr/lib/rabbitmq/bin/rabbitmq-server");
    environment(&mut server, folder, epmd)
        .env("RABBITMQ_DIST_PORT", dist.to_string())
        .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-kernel inet_dist_use_interface {127,0,0,1}")
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut server = server.spawn().unwrap();
    tell(guard, server.id());
    let stdout = server.stdout.take().unwrap();
    let (tell, told) = channel();
    std::thread::spawn(move || {
        // Read to the end, so that the pipe does not fill up.
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            let _unread = tell.send(line);
        }
    });
    wait_until_started(&told);
    server
}

fn wait_until_started(told: &Receiver<String>) {
    let mut log = String::new();
    loop {
        match told.recv_timeout(START_TIMEOUT) {
            Ok(line) if line.contains("Server startup complete") => return,
            Ok(line) => writeln!(log, "{line}").unwrap(),
            Err(_) => panic!("no RabbitMQ:\n{log}"),
        }
    }
}

fn environment<'a>(command: &'a mut Command, folder: &Path, epmd: u16) -> &'a mut Command {
    command
        .env("HOME", folder)
        .env("ERL_EPMD_PORT", epmd.to_string())
        .env("RABBITMQ_CONF_ENV_FILE", folder.join("env"))
        .env("RABBITMQ_NODENAME", format!("amqp-{epmd}@localhost"))
        .env("RABBITMQ_MNESIA_BASE", folder.join("data"))
        .env("RABBITMQ_LOG_BASE", folder.join("log"))
        .env("RABBITMQ_LOGS", "-")
        .env("RABBITMQ_CONFIG_FILE", folder.join("rabbitmq.conf"))
        .env("RABBITMQ_ENABLED_PLUGINS_FILE", folder.join("enabled_plugins"))
}

fn config(folder: &Path, [amqp, amqps, mqtt]: [u16; 3]) -> String {
    let folder = folder.display();
    format!(
        "listeners.tcp.1 = 127.0.0.1:{amqp}\n\
         listeners.ssl.1 = 127.0.0.1:{amqps}\n\
         ssl_options.cacertfile = {folder}/ca.pem\n\
         ssl_options.certfile = {folder}/server.pem\n\
         ssl_options.keyfile = {folder}/server.key\n\
         ssl_options.verify = verify_peer\n\
         ssl_options.fail_if_no_peer_cert = true\n\
         mqtt.listeners.tcp.1 = 127.0.0.1:{mqtt}\n\
         mqtt.allow_anonymous = false\n\
         load_definitions = {folder}/definitions.json\n\
         disk_free_limit.absolute = 1MB\n\
         log.console = true\n\
         log.console.level = info\n"
    )
}

fn definitions() -> String {
    let user = |name: &str, password: &str| format!(r#"{{"name":"{name}","password":"{password}","tags":""}}"#);
    let all = |user: &str| format!(r#"{{"user":"{user}","vhost":"/","configure":".*","write":".*","read":".*"}}"#);
    let (guest, device) = (user("guest", "guest"), user(DEVICE_USER, DEVICE_PASSWORD));
    let (guests, devices) = (all("guest"), all(DEVICE_USER));
    format!(r#"{{"vhosts":[{{"name":"/"}}],"users":[{guest},{device}],"permissions":[{guests},{devices}]}}"#)
}

/// An authority, and certificates by it for the broker and for us.
fn certificates(folder: &Path) {
    let openssl = |args: &str| {
        let args = args.split_whitespace();
        let output = Command::new("openssl").args(args).current_dir(folder).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2";
    openssl(&format!("req -x509 {key} -keyout ca.key -out ca.pem -subj /CN=ca"));
    for (name, subject) in [("server", "subjectAltName=IP:127.0.0.1"), ("client", "subjectAltName=DNS:client")] {
        std::fs::write(folder.join("ext"), subject).unwrap();
        openssl(&format!("req {key} -keyout {name}.key -out {name}.csr -subj /CN={name}"));
        openssl(&format!(
            "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out {name}.pem"
        ));
    }
}
