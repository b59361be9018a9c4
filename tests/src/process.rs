//! A process of the tests' own: its output is kept for failures, and it never outlives the test run.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use crate::wait::{TIMEOUT, eventually};

/// A running process.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    /// What `kill` takes: a process, or a whole group.
    target: String,
    lines: Mutex<Receiver<String>>,
    log: Arc<Mutex<Vec<String>>>,
    guard: Guard,
}

impl Process {
    /// Starts it. Its stdin stays open as long as this value lives.
    pub(crate) fn start(name: &str, command: &mut Command) -> Self {
        Self::begin(name, command, |pid| pid.to_string())
    }

    /// The same with all that it starts itself: they end together.
    pub(crate) fn start_group(name: &str, command: &mut Command) -> Self {
        Self::begin(name, command.process_group(0), |pid| format!("-{pid}"))
    }

    fn begin(name: &str, command: &mut Command, target: impl FnOnce(u32) -> String) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{name} cannot be started: {error}"));
        let target = target(child.id());
        let guard = Guard::over(&target);
        let log = Arc::new(Mutex::new(Vec::new()));
        let (sender, lines) = channel();
        let stdout = child.stdout.take().expect("stdout is piped");
        let kept = log.clone();
        each_line(stdout, move |line| {
            keep(&kept, format!("stdout: {line}"));
            // Nobody reads any more: only the log is of use.
            let _unread = sender.send(line);
        });
        let stderr = child.stderr.take().expect("stderr is piped");
        let kept = log.clone();
        each_line(stderr, move |line| keep(&kept, line));
        Self { name: name.to_owned(), child, target, lines: Mutex::new(lines), log, guard }
    }

    /// Where it reads from.
    pub(crate) fn stdin(&mut self) -> ChildStdin {
        self.child.stdin.take().expect("stdin is taken once")
    }

    /// The next line of its stdout for which `pick` has an answer; other lines are passed over.
    pub(crate) fn line<T>(&self, what: &str, pick: impl FnMut(&str) -> Option<T>) -> T {
        self.line_within(TIMEOUT, what, pick)
    }

    /// The same with a time-out of its own, for what starts slowly.
    pub(crate) fn line_within<T>(&self, limit: Duration, what: &str, mut pick: impl FnMut(&str) -> Option<T>) -> T {
        let lines = self.lines.lock().expect("no reader panicked");
        let deadline = Instant::now() + limit;
        loop {
            match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    if let Some(found) = pick(&line) {
                        return found;
                    }
                }
                Err(RecvTimeoutError::Timeout) => panic!("{}: no {what} within {limit:?}\n{}", self.name, self.log()),
                Err(RecvTimeoutError::Disconnected) => panic!("{} ended before {what}\n{}", self.name, self.log()),
            }
        }
    }

    /// The next line of its stdout, however long it takes; `None` when it has ended.
    pub(crate) fn any_line(&self) -> Option<String> {
        self.lines.lock().expect("no reader panicked").recv().ok()
    }

    /// The next line of its stdout that is there already.
    pub(crate) fn line_so_far(&self) -> Option<String> {
        self.lines.lock().expect("no reader panicked").try_recv().ok()
    }

    /// All that it wrote, the newest last.
    pub(crate) fn log(&self) -> String {
        format!("---- {} wrote\n{}\n----", self.name, self.log.lock().expect("no writer panicked").join("\n"))
    }

    /// Sends it a signal by name, such as `TERM`.
    pub(crate) fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([&format!("-{signal}"), "--", &self.target]).status();
        assert!(status.is_ok_and(|status| status.success()), "{} took no {signal}\n{}", self.name, self.log());
    }

    /// From now on it may open no more files than this.
    pub(crate) fn files_max(&self, files: u32) {
        let status = Command::new("prlimit").args(["--pid", &self.target, &format!("--nofile={files}")]).status();
        assert!(status.is_ok_and(|status| status.success()), "{} took no limit\n{}", self.name, self.log());
    }

    /// Has this folder removed when the test run ends without dropping this value.
    pub(crate) fn takes_along(&mut self, folder: &Path) {
        self.guard.remove(folder);
    }

    /// Its exit status, once it has ended by itself.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let log = self.log.clone();
        let name = format!("{} ends", self.name);
        let child = &mut self.child;
        eventually(&format!("{name}\n{}", log.lock().expect("no writer panicked").join("\n")), || {
            child.try_wait().expect("a child can be waited for")
        })
    }

    /// Ends it at once, as a crash does.
    pub(crate) fn kill(&mut self) {
        // It may have ended before; a leader that was waited for is no group's any more.
        if matches!(self.child.try_wait(), Ok(None)) {
            let _gone = Command::new("kill").args(["-KILL", "--", &self.target]).stderr(Stdio::null()).status();
        }
        let _status = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprint_log(&self.log());
        }
    }
}

#[expect(clippy::print_stderr, reason = "cargo shows it with the failed test")]
fn eprint_log(log: &str) {
    eprintln!("{log}");
}

/// A file that `tests/run` put into cargo's target folder, or the build did.
pub(crate) fn beside_tests(name: &str) -> PathBuf {
    let tests = std::env::current_exe().expect("the test program has a path");
    let found = tests.ancestors().skip(1).map(|folder| folder.join(name)).find(|file| file.exists());
    found.unwrap_or_else(|| panic!("{name} is not in the target folder; `tests/run` builds all that the tests need"))
}

fn keep(log: &Mutex<Vec<String>>, line: String) {
    log.lock().expect("no writer panicked").push(line);
}

fn each_line(from: impl Read + Send + 'static, mut take: impl FnMut(String) + Send + 'static) {
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines() {
            let Ok(line) = line else { break };
            take(line);
        }
    });
}

/// Ends a process, and removes folders, when this one is gone, however that ended: values in a `static` are never dropped.
#[derive(Debug)]
struct Guard(Child);

/// Reads folders, one a line, until whoever writes them is gone.
const GUARD: &str = r#"pid=$1; shift
while read -r folder; do set -- "$@" "$folder"; done
kill -s KILL -- "$pid" 2>/dev/null
rm -rf -- "$@""#;

impl Guard {
    fn over(target: &str) -> Self {
        let child = Command::new("sh")
            .args(["-c", GUARD, "guard", target])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(child.expect("sh starts"))
    }

    fn remove(&mut self, folder: &Path) {
        let stdin = self.0.stdin.as_mut().expect("stdin is piped");
        writeln!(stdin, "{}", folder.display()).expect("the guard reads");
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // First the guard, then its stdin: it must not kill a newer process with the same number.
        let _gone = self.0.kill();
        let _status = self.0.wait();
    }
}
