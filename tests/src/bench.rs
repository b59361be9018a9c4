//! The benchmark under test, and programs for it to measure.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use crate::process::{Process, beside_tests};
use crate::program::{Finished, Running, command_of};

/// Runs the benchmark to its end.
///
/// # Panics
/// If it cannot be started.
pub fn bench<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Finished {
    Finished::of(&command_of(&beside_tests("bench")).args(arguments).output().expect("the benchmark starts"))
}

/// Starts the benchmark.
///
/// # Panics
/// If it cannot be started.
pub fn bench_in_background<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Running {
    let mut command = command_of(&beside_tests("bench"));
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    Running(command.spawn().expect("the benchmark starts"))
}

/// Sends back what it is sent.
const PEER: &str = "
import http.server, os
class Peer(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    disable_nagle_algorithm = True
    def do_POST(self):
        body = self.rfile.read(int(self.headers['content-length']))
        head = f'HTTP/1.1 200 OK\\r\\ncontent-length: {len(body)}\\r\\n\\r\\n'
        self.wfile.write(head.encode() + body)
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Peer)
print('ready', os.getpid(), f'127.0.0.1:{server.server_port}', flush=True)
server.serve_forever()
";

/// A program that does what the benchmark's peers do, in a process group of its own.
#[derive(Debug)]
pub struct Peer {
    _process: Process,
    pid: u32,
    address: SocketAddr,
}

impl Peer {
    /// Starts one.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start() -> Self {
        let process = Process::start_group("a peer", Command::new("python3").args(["-c", PEER]));
        let ready = |line: &str| {
            let (pid, address) = line.strip_prefix("ready ")?.split_once(' ')?;
            Some((pid.parse().ok()?, address.parse().ok()?))
        };
        let (pid, address) = process.line("ready", ready);
        Self { _process: process, pid, address }
    }

    /// The flags that name it, under this name.
    pub fn flags(&self, name: &str) -> [String; 4] {
        let (pid, address) = (self.pid, self.address);
        ["--peer".to_owned(), format!("{name}=http://{address},{pid}"), "--with".to_owned(), format!("{name}={pid}")]
    }

    /// Whether it is stopped: what `ps` shows as `T`.
    ///
    /// # Panics
    /// If it has ended.
    pub fn is_stopped(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).expect("it runs");
        stat.rsplit_once(") ").is_some_and(|(_, fields)| fields.starts_with('T'))
    }
}
