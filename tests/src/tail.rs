//! `thingcall tail`, with its output in a pipe.

use std::path::Path;
use std::process::Command;

use crate::process::Process;
use crate::program::command_of;
use crate::store;
use crate::wait::eventually;
use crate::{Finished, program};

/// A running one.
#[derive(Debug)]
pub struct Tail(Process);

impl Tail {
    /// Starts it on this data folder.
    pub fn start(data: &Path, arguments: &[&str]) -> Self {
        Self::of("tail", data, arguments)
    }

    /// Starts `thingcall calls --follow`, which is read as it is.
    pub fn of_calls(data: &Path, arguments: &[&str]) -> Self {
        Self::of("calls", data, &[&["--follow"], arguments].concat())
    }

    fn of(name: &str, data: &Path, arguments: &[&str]) -> Self {
        let mut command = command_of(&program());
        store::tell(command.arg(name).args(arguments).arg("--data").arg(data));
        Self(Process::start(&format!("thingcall {name}"), &mut command))
    }

    /// The next line.
    pub fn line(&self) -> String {
        self.0.line("a message", |line| Some(line.to_owned()))
    }

    /// The next line, if there is one.
    pub fn line_so_far(&self) -> Option<String> {
        self.0.line_so_far()
    }

    /// Waits until it said this beside its lines.
    pub fn says(&self, text: &str) {
        eventually(text, || self.0.log().contains(text).then_some(()));
    }

    /// Asks it to end; its exit status.
    pub fn ends(mut self) -> Option<i32> {
        self.0.signal("TERM");
        self.0.ended().code()
    }

    /// Runs one whose reader goes away at once, and ends when it has: its exit status is what is printed.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn into_closed_pipe(data: &Path) -> Finished {
        let script = r#""$0" tail --data "$1" | true; echo "${PIPESTATUS[0]}""#;
        let mut command = Command::new("timeout");
        command.args(["60", "bash", "-c", script]).arg(program()).arg(data).args(["--data"]).arg(data);
        store::tell(&mut command);
        Finished::of(&command.output().expect("bash starts"))
    }
}
