//! A script of `python/` or `node/` as a long-lived process that reads and writes one JSON object a line.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command};
use std::sync::Mutex;

use serde_json::Value;

use crate::process::{Process, beside_tests};

/// A running script.
#[derive(Debug)]
pub(crate) struct Script {
    process: Process,
    stdin: Mutex<ChildStdin>,
}

impl Script {
    /// Starts `python/{file}` with the SDKs that `tests/run` installed.
    pub(crate) fn start(name: &str, file: &str, argument: &Value) -> Self {
        let mut python = Command::new(beside_tests("sdk-venv/bin/python"));
        python.arg("-u").arg(folder("python").join(file));
        Self::of(name, python, argument)
    }

    /// Starts `packages/{file}` with what `tests/run` installed for it.
    pub(crate) fn start_package(name: &str, file: &str, argument: &Value) -> Self {
        let mut python = Command::new(beside_tests("packages-venv/bin/python"));
        python.arg("-u").arg(folder("packages").join(file));
        Self::of(name, python, argument)
    }

    /// Starts `node/{file}` with the packages that `tests/run` installed.
    pub(crate) fn start_node(name: &str, file: &str, argument: &Value) -> Self {
        let mut node = Command::new("node");
        node.env("NODE_PATH", beside_tests("node/node_modules")).arg(folder("node").join(file));
        Self::of(name, node, argument)
    }

    fn of(name: &str, mut command: Command, argument: &Value) -> Self {
        let mut process = Process::start(name, command.arg(argument.to_string()));
        let stdin = Mutex::new(process.stdin());
        Self { process, stdin }
    }

    /// Sends one object.
    pub(crate) fn send(&self, object: &Value) {
        let mut stdin = self.stdin.lock().expect("no sender panicked");
        let sent = writeln!(stdin, "{object}").and_then(|()| stdin.flush());
        sent.unwrap_or_else(|error| panic!("the script takes no input: {error}\n{}", self.log()));
    }

    /// The next object for which `pick` has an answer; others are passed over.
    pub(crate) fn next<T>(&self, what: &str, mut pick: impl FnMut(&Value) -> Option<T>) -> T {
        self.process.line(what, |line| pick(&serde_json::from_str(line).ok()?))
    }

    /// The next object whose `event` is this; others are passed over.
    pub(crate) fn event(&self, name: &str) -> Value {
        self.next(name, |event| (event.get("event")?.as_str()? == name).then(|| event.clone()))
    }

    /// The next object that is there already; lines that are none are passed over.
    pub(crate) fn so_far(&self) -> Option<Value> {
        std::iter::from_fn(|| self.process.line_so_far()).find_map(|line| serde_json::from_str(&line).ok())
    }

    /// The next object, however long it takes; `None` when the script has ended.
    pub(crate) fn forever(&self) -> Option<Value> {
        loop {
            let line = self.process.any_line()?;
            if let Ok(object) = serde_json::from_str(&line) {
                return Some(object);
            }
        }
    }

    /// All that it wrote.
    pub(crate) fn log(&self) -> String {
        self.process.log()
    }

    /// Sends it a signal by name.
    pub(crate) fn signal(&self, signal: &str) {
        self.process.signal(signal);
    }

    /// Ends it at once, as a power cut does.
    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }
}

/// A folder of scripts.
fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}
