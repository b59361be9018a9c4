//! The program under test, from outside: its server, and its commands.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};

use crate::http::HttpCall;
use crate::metrics::Metrics;
use crate::process::{Process, beside_tests};
use crate::store;

/// How a server is started.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder with its store.
    pub data: PathBuf,
    /// Configuration keys as `SECTION__KEY`, and their values.
    pub settings: Vec<(String, String)>,
    /// The configuration file, if there is one.
    pub config: Option<PathBuf>,
}

/// Where a server listens, as it says itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// The API.
    pub api: SocketAddr,
    /// The embedded broker, where it runs.
    pub mqtt: Option<SocketAddr>,
    /// `/metrics` and its like.
    pub metrics: SocketAddr,
    /// The console, where there is one.
    pub console: Option<SocketAddr>,
    /// Where consumers speak AMQP 1.0 with TLS, where they may.
    pub amqp10: Option<SocketAddr>,
    /// Where they speak STOMP with TLS.
    pub stomp: Option<SocketAddr>,
    /// Where they speak AMQP 1.0 in plain text.
    pub amqp10_plain: Option<SocketAddr>,
    /// Where they speak STOMP in plain text.
    pub stomp_plain: Option<SocketAddr>,
}

/// A running `thingcall serve`.
#[derive(Debug)]
pub struct Thingcall {
    process: Process,
    /// Where it listens.
    pub addresses: Addresses,
}

impl Thingcall {
    /// Starts it on free ports; when this returns, it is ready.
    ///
    /// # Panics
    /// If it does not become ready.
    pub fn start(options: &Options) -> Self {
        Self::start_with(options, &[])
    }

    /// The same with these variables in its environment.
    ///
    /// # Panics
    /// If it does not become ready.
    pub fn start_with(options: &Options, environment: &[(&str, &str)]) -> Self {
        let mut command = command();
        command.args(["serve", "--api", "127.0.0.1:0", "--mqtt", "127.0.0.1:0", "--metrics", "127.0.0.1:0"]);
        command.arg("--data").arg(&options.data);
        store::tell(&mut command);
        if let Some(config) = &options.config {
            command.arg("--config").arg(config);
        }
        command.envs(options.settings.iter().map(|(key, value)| (format!("THINGCALL__{key}"), value)));
        command.envs(environment.iter().copied());
        let process = Process::start("thingcall serve", &mut command);
        let addresses = process.line("ready", ready);
        Self { process, addresses }
    }

    /// Has this folder removed when the test run ends without dropping this value.
    pub fn takes_along(&mut self, folder: &Path) {
        self.process.takes_along(folder);
    }

    /// What its operator's listener answers at this path.
    pub fn operator(&self, path: &str) -> (u16, String) {
        let answer = HttpCall::send(self.addresses.metrics, "GET", path).answer();
        (answer.status, answer.body)
    }

    /// What it measures now.
    pub fn metrics(&self) -> Metrics {
        Metrics::parse(&self.operator("/metrics").1)
    }

    /// Sends it a signal by name, such as `HUP`.
    pub fn signal(&self, signal: &str) {
        self.process.signal(signal);
    }

    /// From now on it may open no more files than this.
    ///
    /// # Panics
    /// If the system does not let it be said.
    pub fn files_max(&self, files: u32) {
        self.process.files_max(files);
    }

    /// Asks it to end, as a service manager does.
    pub fn terminate(&self) {
        self.process.signal("TERM");
    }

    /// Its exit status, once it has ended by itself.
    pub fn ended(&mut self) -> ExitStatus {
        self.process.ended()
    }

    /// All that it wrote.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Ends it at once, as a crash does.
    pub fn kill(&mut self) {
        self.process.kill();
    }
}

/// Simulated devices of the program's own, for what needs many.
#[derive(Debug)]
pub struct Simulation {
    process: Process,
}

impl Simulation {
    /// Starts `thingcall device simulate` with these arguments.
    pub fn start(arguments: &[&str]) -> Self {
        let mut command = command();
        store::tell(command.args(["device", "simulate"]).args(arguments));
        let process = Process::start("simulated devices", &mut command);
        Self { process }
    }

    /// All that it wrote.
    pub fn log(&self) -> String {
        self.process.log()
    }
}

/// How a command ended, and what it wrote.
#[derive(Debug, Clone)]
pub struct Finished {
    /// The exit status; `None` if a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it said beside.
    pub stderr: String,
}

/// Runs a command of the program to its end.
///
/// # Panics
/// If it cannot be started.
pub fn run<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Finished {
    let mut command = command();
    store::tell(command.args(arguments));
    Finished::of(&command.output().expect("the program starts"))
}

/// The same of one whose output goes where it cannot be written, or where nobody reads it; what it prints there is not told.
///
/// # Panics
/// If it cannot be started.
pub fn run_into<S: AsRef<OsStr>>(stdout: impl Into<Stdio>, arguments: impl IntoIterator<Item = S>) -> Finished {
    let mut command = command();
    store::tell(command.args(arguments).stdout(stdout).stderr(Stdio::piped()));
    Running(command.spawn().expect("the program starts")).finished()
}

/// Starts a command of the program.
///
/// # Panics
/// If it cannot be started.
pub fn run_in_background<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Running {
    let mut command = command();
    store::tell(command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()));
    Running(command.spawn().expect("the program starts"))
}

/// A command of the program that runs.
#[derive(Debug)]
pub struct Running(pub(crate) Child);

impl Running {
    /// Asks it to end.
    ///
    /// # Panics
    /// If it has ended.
    pub fn terminate(&self) {
        let status = Command::new("kill").arg(self.0.id().to_string()).status();
        assert!(status.is_ok_and(|status| status.success()), "it runs");
    }

    /// What Ctrl-C does.
    ///
    /// # Panics
    /// If it has ended.
    pub fn interrupt(&self) {
        let status = Command::new("kill").args(["-INT", &self.0.id().to_string()]).status();
        assert!(status.is_ok_and(|status| status.success()), "it runs");
    }

    /// Ends it at once.
    ///
    /// # Panics
    /// If it has ended.
    pub fn kill(mut self) {
        self.0.kill().expect("it runs");
        self.0.wait().expect("a child can be waited for");
    }

    /// How it ended, once it has.
    ///
    /// # Panics
    /// If that cannot be known.
    pub fn finished(self) -> Finished {
        Finished::of(&self.0.wait_with_output().expect("a child can be waited for"))
    }
}

impl Finished {
    pub(crate) fn of(output: &Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Runs a command that must succeed, and returns what it printed.
///
/// # Panics
/// If it fails.
pub fn run_ok<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> String {
    let finished = run(arguments);
    assert_eq!(finished.code, Some(0), "{}{}", finished.stdout, finished.stderr);
    finished.stdout
}

/// The program, with as many file descriptors as the system allows and nothing of the caller's configuration.
fn command() -> Command {
    command_of(&program())
}

/// The same for another program of this workspace.
pub(crate) fn command_of(program: &Path) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", r#"ulimit -n "$(ulimit -Hn)"; exec "$@""#, "sh"]).arg(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("THINGCALL") || name == "RUST_LOG" {
            command.env_remove(name);
        }
    }
    // Each on a port of its own.
    command.env("THINGCALL__CONSOLE__LISTEN", "127.0.0.1:0");
    command
}

/// Where the program is.
pub fn program() -> PathBuf {
    beside_tests("thingcall")
}

fn ready(line: &str) -> Option<Addresses> {
    let rest = line.strip_prefix("ready ")?;
    let of = |name: &str| rest.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('=')?.parse().ok());
    Some(Addresses {
        api: of("api")?,
        mqtt: of("mqtt"),
        metrics: of("metrics")?,
        console: of("console"),
        amqp10: of("amqp10"),
        stomp: of("stomp"),
        amqp10_plain: of("amqp10_plain"),
        stomp_plain: of("stomp_plain"),
    })
}
