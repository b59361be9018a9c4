//! A Python script of `python/` as a long-lived process that reads and writes one JSON object a line.

use std::io::Write;
use std::path::Path;
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
        let python = beside_tests("sdk-venv/bin/python");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python").join(file);
        let mut process = Process::start(name, Command::new(python).arg("-u").arg(script).arg(argument.to_string()));
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

    /// Ends it at once, as a power cut does.
    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }
}
