//! A redis-server of a test's own.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use test_ports::free_port;

use crate::{Config, Redis};

/// A Redis, which ends with its test.
pub(super) struct Server {
    process: Child,
    pub(super) folder: TempDir,
    pub(super) port: u16,
}

impl Server {
    /// One on a free port, with these lines of configuration, in which `PORT` is that port.
    pub(super) fn start(lines: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        Self { process: run(folder.path(), port, lines), folder, port }
    }

    /// Ends it at once, and starts another one on its port and its files.
    pub(super) fn restart(&mut self, lines: &str) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.process = run(self.folder.path(), self.port, lines);
    }

    pub(super) fn signal(&self, signal: &str) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    pub(super) fn config(&self) -> Config {
        Config {
            redis: format!("redis://127.0.0.1:{}", self.port),
            redis_username: None,
            redis_password: None,
            redis_ca_file: None,
            // A busy machine is slow; a test that waits for it says so.
            ask_timeout: Duration::from_secs(20),
        }
    }

    /// A client of it.
    pub(super) fn redis(&self) -> Arc<Redis> {
        Redis::new(&self.config()).unwrap()
    }

    /// What a command says.
    pub(super) async fn command(&self, words: &str) -> String {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}", self.port)).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let mut words = words.split_whitespace();
        let mut command = redis::cmd(words.next().unwrap());
        words.for_each(|word| {
            command.arg(word);
        });
        let told: redis::Value = command.query_async(&mut connection).await.unwrap();
        format!("{told:?}")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

fn run(folder: &Path, port: u16, lines: &str) -> Child {
    let config = format!(
        "port {port}\nbind 127.0.0.1\ndir {}\nlogfile log\n{}\n",
        folder.display(),
        lines.replace("PORT", &port.to_string())
    );
    std::fs::write(folder.join("redis.conf"), config).unwrap();
    std::fs::remove_file(folder.join("log")).ok();
    let mut command = Command::new("redis-server");
    let command = command.arg(folder.join("redis.conf")).stdin(Stdio::null()).stdout(Stdio::null());
    let mut process = command.spawn().expect("redis-server is installed: tests/run does that");
    for _ in 0..3000 {
        if log(folder).contains("Ready to accept connections") {
            return process;
        }
        assert!(process.try_wait().unwrap().is_none(), "redis-server does not start: {}", log(folder));
        std::thread::sleep(Duration::from_millis(20));
    }
    process.kill().ok();
    process.wait().ok();
    panic!("redis-server is not ready: {}", log(folder));
}

fn log(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("log")).unwrap_or_default()
}
