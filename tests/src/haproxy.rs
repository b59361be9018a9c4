//! The load balancer of `deploy/compose`, in front of servers of a test's own.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;
use test_ports::free_port;

use crate::process::Process;
use crate::program::Addresses;
use crate::wait::eventually;

/// Its configuration as it is deployed.
pub const HAPROXY: &str = include_str!("../../deploy/compose/instances/haproxy.cfg");

/// A running HAProxy.
#[derive(Debug)]
pub struct Haproxy {
    process: Process,
    address: SocketAddr,
    _folder: TempDir,
}

impl Haproxy {
    /// Starts one that has these servers behind it and else the deployed configuration; when this returns, it answers.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start(servers: &[Addresses]) -> Self {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let file = folder.path().join("haproxy.cfg");
        std::fs::write(&file, configured(address, servers)).expect("the configuration can be written");
        let mut process = Process::start("haproxy", Command::new(program()).arg("-f").arg(&file));
        process.takes_along(folder.path());
        eventually("haproxy answers", || TcpStream::connect(address).ok());
        Self { process, address, _folder: folder }
    }

    /// Where callers find it.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// All that it wrote.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// What `haproxy -c` says of a file, and whether it takes it.
    ///
    /// # Panics
    /// If it is not installed.
    pub fn check(file: &Path) -> (bool, String) {
        let output = Command::new(program()).args(["-c", "-f"]).arg(file).output();
        let output = output.expect("haproxy is installed: tests/run does that");
        let told = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&told).into_owned())
    }
}

/// The deployed configuration with other addresses, and nothing else.
fn configured(address: SocketAddr, servers: &[Addresses]) -> String {
    let mut text = String::new();
    for line in HAPROXY.lines() {
        let line = line.trim_end();
        if line.trim() == "bind :8080" {
            writeln!(text, "    bind {address}").expect("a String takes all");
        } else if !line.trim().starts_with("server ") {
            writeln!(text, "{line}").expect("a String takes all");
        } else if line.contains("thingcall-1") {
            for (number, server) in servers.iter().enumerate() {
                let (api, checked) = (server.api, server.metrics.port());
                writeln!(text, "    server thingcall-{number} {api} port {checked}").expect("a String takes all");
            }
        }
    }
    text
}

/// Debian puts it where a user's path may not look.
fn program() -> &'static str {
    if Path::new("/usr/sbin/haproxy").exists() { "/usr/sbin/haproxy" } else { "haproxy" }
}
