//! Mosquitto as the external broker.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Command;

use tempfile::TempDir;

use crate::process::Process;
use crate::wait::{eventually, free_port};

/// A Mosquitto of a test's own, on a port of its own. Anybody may do anything.
#[derive(Debug)]
pub struct Mosquitto {
    port: u16,
    folder: TempDir,
    process: Option<Process>,
}

impl Mosquitto {
    /// Starts one; when this returns, it answers.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let mut broker = Self { port: free_port(), folder, process: None };
        broker.start_again();
        broker
    }

    /// Starts it on the same port, after [`Self::kill`].
    ///
    /// # Panics
    /// If it does not start.
    pub fn start_again(&mut self) {
        let mut text = String::from("allow_anonymous true\nset_tcp_nodelay true\npersistence false\n");
        writeln!(text, "listener {} 127.0.0.1", self.port).expect("a String takes all");
        let file = self.folder.path().join("mosquitto.conf");
        std::fs::write(&file, text).expect("the configuration can be written");
        let mut process = Process::start("mosquitto", Command::new(program()).arg("-c").arg(file));
        process.takes_along(self.folder.path());
        self.process = Some(process);
        eventually("mosquitto answers", || TcpStream::connect(self.address()).ok());
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }
}

/// Debian puts it where a user's path may not look.
fn program() -> &'static str {
    if std::path::Path::new("/usr/sbin/mosquitto").exists() { "/usr/sbin/mosquitto" } else { "mosquitto" }
}
