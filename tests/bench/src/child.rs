//! A process of the benchmark's own: what is measured runs apart from the load, so that it is what a user runs, and its
//! processor time is its own.
//!
//! **Invariant:** it ends with this value.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child as Process, ChildStdout, Command};
use tokio::time::timeout;

const READY_TIMEOUT: Duration = Duration::from_secs(60);

/// The process.
pub(crate) struct Child {
    process: Process,
    /// Kept open, so that it may go on writing.
    _stdout: Lines<BufReader<ChildStdout>>,
    ready: String,
}

impl Child {
    /// Starts a program with these arguments and waits for its line `ready NAME=VALUE ...`. Nothing in the
    /// environment configures it.
    ///
    /// # Errors
    /// If it ends before, or takes longer than a minute.
    pub(crate) async fn start<S: AsRef<OsStr>>(
        program: &Path,
        arguments: impl IntoIterator<Item = S>,
    ) -> anyhow::Result<Self> {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"THINGCALL") {
                command.env_remove(name);
            }
        }
        // Each on a port of its own; a program without a console only says that it knows no such key.
        command.env("THINGCALL__CONSOLE__LISTEN", "127.0.0.1:0");
        let mut process = command.spawn().with_context(|| format!("{} cannot be started", program.display()))?;
        let mut stdout = BufReader::new(process.stdout.take().context("its output")?).lines();
        let ready = async {
            while let Some(line) = stdout.next_line().await? {
                if line.starts_with("ready ") {
                    return Ok(line);
                }
            }
            bail!("the process that is to be measured ended at once")
        };
        let ready = timeout(READY_TIMEOUT, ready).await.context("it is not ready after a minute")??;
        Ok(Self { process, _stdout: stdout, ready })
    }

    /// The value of this name in its line.
    ///
    /// # Errors
    /// If it said none.
    pub(crate) fn said(&self, name: &str) -> anyhow::Result<&str> {
        let mut words = self.ready.split(' ').filter_map(|word| word.split_once('='));
        words.find(|(said, _)| *said == name).map(|(_, value)| value).with_context(|| format!("no {name} in its line"))
    }

    /// Its id, while it runs.
    pub(crate) fn id(&self) -> Vec<u32> {
        self.process.id().into_iter().collect()
    }

    /// Ends it at once: what it keeps is in a scratch folder.
    pub(crate) async fn stop(mut self) {
        // Already ended.
        drop(self.process.kill().await);
    }
}
