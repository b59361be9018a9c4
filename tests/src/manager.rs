//! A service manager, as far as a server speaks to it: the socket that systemd names in `NOTIFY_SOCKET`.

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

use crate::wait::TIMEOUT;

/// What it listens on.
#[derive(Debug)]
pub struct Manager {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Manager {
    /// Listens in this folder.
    ///
    /// # Panics
    /// If it cannot.
    pub fn listen(folder: &Path) -> Self {
        let path = folder.join("notify");
        let socket = UnixDatagram::bind(&path).expect("a socket");
        Self { socket, path }
    }

    /// What a server is told about it.
    ///
    /// # Panics
    /// If the folder's name is no text.
    pub fn variable(&self) -> (&'static str, &str) {
        ("NOTIFY_SOCKET", self.path.to_str().expect("a plain name"))
    }

    /// The next message with this line, and when it came; what else comes before is passed over.
    ///
    /// # Panics
    /// If there is none in time.
    pub fn told(&self, line: &str) -> (String, Instant) {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let message = self.next(left).unwrap_or_else(|| panic!("{line:?} was not told within {TIMEOUT:?}"));
            if message.0.lines().any(|one| one.starts_with(line)) {
                return message;
            }
        }
    }

    /// Waits for a message with each of these lines, in any order.
    ///
    /// # Panics
    /// If one is missing in time.
    pub fn told_each(&self, lines: &[&str]) {
        let deadline = Instant::now() + TIMEOUT;
        let mut left = lines.to_vec();
        while !left.is_empty() {
            let message = self.next(deadline.saturating_duration_since(Instant::now()));
            let (message, _) = message.unwrap_or_else(|| panic!("{left:?} were not told within {TIMEOUT:?}"));
            left.retain(|line| !message.lines().any(|one| one.starts_with(line)));
        }
    }

    /// The next message, if one comes within this time.
    ///
    /// # Panics
    /// If the socket is broken, or what comes is no text.
    pub fn next(&self, within: Duration) -> Option<(String, Instant)> {
        self.socket.set_read_timeout(Some(within.max(Duration::from_millis(1)))).expect("a time-out can be set");
        let mut bytes = vec![0; 64 * 1024];
        let length = self.socket.recv(&mut bytes).ok()?;
        bytes.truncate(length);
        Some((String::from_utf8(bytes).expect("text"), Instant::now()))
    }
}
