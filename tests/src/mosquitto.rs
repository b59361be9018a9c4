//! Mosquitto as the external broker.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;
use test_ports::free_port;

use crate::process::Process;
use crate::wait::eventually;

/// A Mosquitto of a test's own, on a port of its own.
#[derive(Debug)]
pub struct Mosquitto {
    port: u16,
    folder: TempDir,
    process: Option<Process>,
    /// Whether it has users and rules.
    confined: bool,
    /// Whether it keeps sessions when it is ended in order.
    keeps: bool,
}

impl Mosquitto {
    /// Starts one where anybody may do anything; when this returns, it answers.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start() -> Self {
        let mut broker = Self::new(false);
        broker.start_again();
        broker
    }

    /// The same, and what it has for those who are away outlives [`Self::end`].
    ///
    /// # Panics
    /// If it does not start.
    pub fn keeping_sessions() -> Self {
        let mut broker = Self { keeps: true, ..Self::new(false) };
        broker.start_again();
        broker
    }

    /// Starts one with these access rules (`acl_file`), which knows these users and nobody else.
    ///
    /// # Panics
    /// If it does not start.
    pub fn confined(acl: &str, users: &[&str]) -> Self {
        let mut broker = Self::new(true);
        std::fs::write(broker.folder.path().join("acl"), acl).expect("the rules can be written");
        let passwords = broker.folder.path().join("passwd");
        std::fs::write(&passwords, "").expect("the passwords can be written");
        for user in users {
            let mut made = Command::new("mosquitto_passwd");
            let made = made.arg("-b").arg(&passwords).args([*user, &Self::password(user)]).status();
            assert!(made.is_ok_and(|status| status.success()), "{user} gets a password");
        }
        broker.start_again();
        broker
    }

    /// Starts one as the compose file in this folder of a copy of `deploy/compose` does, whose secrets are made; these devices, each a
    /// line `USER:PASSWORD`, get their users as its head says.
    ///
    /// # Panics
    /// If it does not start.
    pub fn composed(folder: &Path, devices: &str) -> Self {
        let mut broker = Self::new(true);
        let data = broker.folder.path().to_owned();
        let here = |text: &str| {
            let text = text.replace("/mosquitto/data", &data.display().to_string());
            text.replace("/run/secrets", &folder.join("secrets").display().to_string())
                .replace(" /acl", &format!(" {}", folder.join("../../mosquitto/acl").display()))
        };
        let file = |name: &str| std::fs::read_to_string(folder.join(name)).expect("a file of the folder");
        let users = here(&file("users.sh"));
        for (argument, input) in [("", ""), ("devices", devices)] {
            let mut made = Command::new("sh");
            let mut made =
                made.args(["-c", &users, "users.sh", argument]).stdin(Stdio::piped()).spawn().expect("a shell");
            let mut stdin = made.stdin.take().expect("it is piped");
            stdin.write_all(input.as_bytes()).expect("the shell reads");
            drop(stdin);
            assert!(made.wait().is_ok_and(|status| status.success()), "users.sh {argument}");
        }
        let text = here(&file("mosquitto.conf"))
            .replace("listener 1883 0.0.0.0", &format!("listener {} 127.0.0.1", broker.port));
        broker.run(&format!("user root\n{text}"));
        broker
    }

    /// With what one of its users connects.
    pub fn password(user: &str) -> String {
        format!("{user}'s")
    }

    fn new(confined: bool) -> Self {
        let folder = tempfile::tempdir().expect("a scratch folder");
        Self { port: free_port(), folder, process: None, confined, keeps: false }
    }

    /// Starts it on the same port, after [`Self::kill`].
    ///
    /// # Panics
    /// If it does not start.
    pub fn start_again(&mut self) {
        let folder = self.folder.path().display();
        // It would give up what root may, and the folder is ours.
        let mut text = String::from("user root\nset_tcp_nodelay true\n");
        match self.keeps {
            true => writeln!(text, "persistence true\npersistence_location {folder}/"),
            false => writeln!(text, "persistence false"),
        }
        .expect("a String takes all");
        if self.confined {
            let rules = format!("allow_anonymous false\npassword_file {folder}/passwd\nacl_file {folder}/acl\n");
            text.push_str(&rules);
        } else {
            text.push_str("allow_anonymous true\n");
        }
        writeln!(text, "listener {} 127.0.0.1", self.port).expect("a String takes all");
        self.run(&text);
    }

    /// Runs it with this configuration.
    fn run(&mut self, text: &str) {
        let file = self.folder.path().join("mosquitto.conf");
        std::fs::write(&file, text).expect("the configuration can be written");
        let mut process = Process::start("mosquitto", Command::new(program()).arg("-c").arg(file));
        process.takes_along(self.folder.path());
        self.process = Some(process);
        eventually("mosquitto answers", || TcpStream::connect(self.address()).ok());
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
        self.process.as_ref().expect("it runs").signal(signal);
    }

    /// Ends it in order.
    ///
    /// # Panics
    /// If it does not run.
    pub fn end(&mut self) {
        self.signal("TERM");
        self.process.as_mut().expect("it runs").ended();
        self.process = None;
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
    if Path::new("/usr/sbin/mosquitto").exists() { "/usr/sbin/mosquitto" } else { "mosquitto" }
}
