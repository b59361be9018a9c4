//! RabbitMQ as the external broker, as `deploy/rabbitmq` sets it up: it asks thingcall who a device is.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use test_ports::free_ports;

use crate::process::Process;
use crate::wait::eventually;

/// It starts an Erlang system, on a busy machine.
const START_TIMEOUT: Duration = Duration::from_secs(120);

const CONFIG: &str = include_str!("../../deploy/rabbitmq/rabbitmq.conf");
const TOPICS: &str = include_str!("../../deploy/topics.md");
const PLUGINS: &str = include_str!("../../deploy/rabbitmq/enabled_plugins");

/// A user of the broker's own.
#[derive(Debug, Clone, Copy)]
pub struct RabbitUser<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its password.
    pub password: &'a str,
}

/// Thingcall's own, which the broker knows by itself.
pub const THINGCALL: RabbitUser<'static> = RabbitUser { name: "thingcall", password: "thingcall's" };

/// A RabbitMQ of a test's own: node, ports, cookie and data are nobody else's.
#[derive(Debug)]
pub struct RabbitMq {
    gate: SocketAddr,
    amqp: u16,
    mqtt: u16,
    dist: u16,
    names: u16,
    server: Option<Process>,
    _names: Process,
    folder: TempDir,
}

impl RabbitMq {
    /// Starts one that will ask a thingcall whose gate is on a free port; when this returns, it answers.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let [gate, amqp, mqtt, dist, names] = free_ports();
        // RabbitMQ would start one that outlives it.
        let port = names.to_string();
        let epmd = Process::start("epmd", Command::new("epmd").args(["-port", &port, "-address", "127.0.0.1"]));
        eventually("epmd answers", || TcpStream::connect(local(names)).ok());
        let gate = local(gate);
        let mut broker = Self { gate, amqp, mqtt, dist, names, server: None, _names: epmd, folder };
        broker.configure();
        broker.start_again();
        broker
    }

    fn configure(&self) {
        let config = CONFIG
            .replace("127.0.0.1:8085", &self.gate.to_string())
            .replace("127.0.0.1:1883", &self.mqtt().to_string())
            .replace("127.0.0.1:5672", &self.amqp().to_string());
        let definitions = self.folder.path().join("definitions.json");
        let own = format!(
            "\nload_definitions = {}\ndisk_free_limit.absolute = 1MB\nlog.console.level = info\n",
            definitions.display()
        );
        let write = |name: &str, text: &str| {
            std::fs::write(self.folder.path().join(name), text).expect("the scratch folder can be written");
        };
        write("rabbitmq.conf", &(config + &own));
        write("enabled_plugins", PLUGINS);
        write("env", "");
        write("definitions.json", &definitions_of(&[THINGCALL]).to_string());
    }

    /// Starts it on the same ports with the same data, after [`Self::kill`].
    ///
    /// # Panics
    /// If it does not start.
    pub fn start_again(&mut self) {
        let mut server = self.command("rabbitmq-server");
        server
            .env("RABBITMQ_DIST_PORT", self.dist.to_string())
            .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-kernel inet_dist_use_interface {127,0,0,1}");
        let mut server = Process::start_group("rabbitmq", &mut server);
        server.takes_along(self.folder.path());
        let started = |line: &str| line.contains("Server startup complete").then_some(());
        server.line_within(START_TIMEOUT, "started broker", started);
        self.server = Some(server);
    }

    /// Ends it at once, as a crash does.
    pub fn kill(&mut self) {
        self.server = None;
    }

    /// Stops it in its tracks.
    pub fn pause(&self) {
        self.signal("STOP");
    }

    /// Lets it go on, after [`Self::pause`].
    pub fn resume(&self) {
        self.signal("CONT");
    }

    fn signal(&self, signal: &str) {
        self.server.as_ref().expect("it runs").signal(signal);
    }

    /// From now on it finds that it has too little `memory` or `disk`; or, if `false`, that it has enough.
    ///
    /// # Panics
    /// If it can be short of nothing of that name.
    pub fn is_short_of(&self, what: &str, short: bool) {
        let command = match (what, short) {
            ("memory", true) => ["set_vm_memory_high_watermark", "0.000001"],
            ("memory", false) => ["set_vm_memory_high_watermark", "0.6"],
            ("disk", true) => ["set_disk_free_limit", "1000000GB"],
            ("disk", false) => ["set_disk_free_limit", "1MB"],
            (other, _) => panic!("short of {other}"),
        };
        self.control(&command);
    }

    /// Where AMQP 0.9.1 clients connect.
    pub fn amqp(&self) -> SocketAddr {
        local(self.amqp)
    }

    /// Where its MQTT plugin listens.
    pub fn mqtt(&self) -> SocketAddr {
        local(self.mqtt)
    }

    /// Where it asks who a device is.
    pub fn gate(&self) -> SocketAddr {
        self.gate
    }

    /// Adds users of the broker's own, who may do everything.
    pub fn add_users(&self, users: &[RabbitUser<'_>]) {
        let file = self.folder.path().join("users.json");
        std::fs::write(&file, definitions_of(users).to_string()).expect("the scratch folder can be written");
        self.control(&["import_definitions", &file.display().to_string()]);
    }

    /// Closes all connections, as an operator may.
    pub fn close_connections(&self) {
        self.control(&["close_all_connections", "a test"]);
    }

    /// Runs `rabbitmqctl`.
    fn control(&self, arguments: &[&str]) -> String {
        let output = self.command("rabbitmqctl").args(arguments).stdin(Stdio::null()).output();
        let output = output.expect("rabbitmqctl starts");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{arguments:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
        text
    }

    /// A program of RabbitMQ's: not the one in Debian's path, which changes to the user rabbitmq and its folders.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(format!("/usr/lib/rabbitmq/bin/{program}"));
        let folder = self.folder.path();
        command
            // Where it leaves what it dumps.
            .current_dir(folder)
            .env("HOME", folder)
            .env("ERL_EPMD_PORT", self.names.to_string())
            .env("RABBITMQ_CONF_ENV_FILE", folder.join("env"))
            .env("RABBITMQ_NODENAME", format!("test-{}@localhost", self.names))
            .env("RABBITMQ_MNESIA_BASE", folder.join("data"))
            .env("RABBITMQ_LOG_BASE", folder.join("log"))
            .env("RABBITMQ_LOGS", "-")
            .env("RABBITMQ_CONFIG_FILE", folder.join("rabbitmq.conf"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", folder.join("enabled_plugins"));
        command
    }
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// What thingcall's user may configure, write and read, as `deploy/topics.md` has it.
fn thingcalls() -> [&'static str; 3] {
    let command = TOPICS.lines().find(|line| line.starts_with("rabbitmqctl set_permissions thingcall "));
    let mut quoted = command.expect("the page has it").split('\'').skip(1).step_by(2);
    std::array::from_fn(|_| quoted.next().expect("three patterns"))
}

/// Users and what they may do, as RabbitMQ imports them.
fn definitions_of(users: &[RabbitUser<'_>]) -> Value {
    let list = |one: &dyn Fn(&RabbitUser<'_>) -> Value| users.iter().map(one).collect::<Vec<_>>();
    json!({
        "vhosts": [{ "name": "/" }],
        "users": list(&|user| json!({ "name": user.name, "password": user.password, "tags": "" })),
        "permissions": list(&|user| {
            let [configure, write, read] = if user.name == THINGCALL.name { thingcalls() } else { [".*"; 3] };
            json!({ "user": user.name, "vhost": "/", "configure": configure, "write": write, "read": read })
        }),
    })
}
