//! A RabbitMQ of a test's own: its node, ports, cookie and data are nobody else's and end with the test.

use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use tempfile::TempDir;
use test_ports::free_ports;

/// RabbitMQ starts an Erlang system, on a busy machine.
const START_TIMEOUT: Duration = Duration::from_secs(120);

const CONFIG: &str = include_str!("../../../../deploy/rabbitmq/rabbitmq.conf");
const PLUGINS: &str = include_str!("../../../../deploy/rabbitmq/enabled_plugins");

/// Ends the groups of these leaders when whoever holds its stdin is gone, however that ended.
const GUARD: &str = r#"cat >/dev/null; for pid in "$@"; do kill -KILL "-$pid" 2>/dev/null; done"#;

/// A running RabbitMQ, configured by the sample in `deploy`.
pub(crate) struct Rabbit {
    /// Where its MQTT plugin listens.
    pub(crate) mqtt: SocketAddr,
    /// Where AMQP 0.9.1 clients connect.
    pub(crate) amqp: SocketAddr,
    guard: Child,
    children: Vec<Child>,
    _folder: TempDir,
}

impl Rabbit {
    /// Starts one that asks the gate at this address; when this returns, it answers.
    pub(crate) fn start(gate: SocketAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [mqtt, amqp, epmd, dist] = free_ports().map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let config = CONFIG
            .replace("127.0.0.1:8085", &gate.to_string())
            .replace("127.0.0.1:1883", &mqtt.to_string())
            .replace("127.0.0.1:5672", &amqp.to_string());
        std::fs::write(folder.path().join("rabbitmq.conf"), config).unwrap();
        std::fs::write(folder.path().join("enabled_plugins"), PLUGINS).unwrap();
        std::fs::write(folder.path().join("env"), "").unwrap();

        // RabbitMQ would start an epmd that outlives it.
        let mut names = Command::new("epmd");
        names.args(["-port", &epmd.port().to_string(), "-address", "127.0.0.1"]);
        let names = names.process_group(0).stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut server = server(folder.path(), epmd.port(), dist.port());
        let mut server = server.process_group(0).spawn().unwrap();
        let guard = Command::new("sh")
            .args(["-c", GUARD, "guard", &server.id().to_string(), &names.id().to_string()])
            .process_group(0)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = lines(server.stdout.take().unwrap());
        let rabbit = Self { mqtt, amqp, guard, children: vec![server, names], _folder: folder };
        rabbit.wait_until_started(&lines);
        // The pipe must not fill up.
        std::thread::spawn(move || lines.iter().count());
        rabbit
    }

    fn wait_until_started(&self, lines: &Receiver<String>) {
        let mut log = String::new();
        loop {
            match lines.recv_timeout(START_TIMEOUT) {
                Ok(line) if line.contains("Server startup complete") => return,
                Ok(line) => log = log + &line + "\n",
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => panic!("no RabbitMQ:\n{log}"),
            }
        }
    }
}

impl Drop for Rabbit {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        for child in std::iter::once(&mut self.guard).chain(&mut self.children) {
            let _status = child.wait();
        }
    }
}

fn server(folder: &Path, epmd: u16, dist: u16) -> Command {
    // Not the one in Debian's path, which changes to the user rabbitmq and its folders.
    let mut server = Command::new("/usr/lib/rabbitmq/bin/rabbitmq-server");
    server
        .env("HOME", folder)
        .env("ERL_EPMD_PORT", epmd.to_string())
        .env("RABBITMQ_CONF_ENV_FILE", folder.join("env"))
        .env("RABBITMQ_NODENAME", format!("gate-{epmd}@localhost"))
        .env("RABBITMQ_DIST_PORT", dist.to_string())
        .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-kernel inet_dist_use_interface {127,0,0,1}")
        .env("RABBITMQ_MNESIA_BASE", folder.join("data"))
        .env("RABBITMQ_LOG_BASE", folder.join("log"))
        .env("RABBITMQ_LOGS", "-")
        .env("RABBITMQ_CONFIG_FILE", folder.join("rabbitmq.conf"))
        .env("RABBITMQ_ENABLED_PLUGINS_FILE", folder.join("enabled_plugins"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    server
}

fn lines(from: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    lines
}
