//! The one server of a data folder, and what others on its file learn of it.
//!
//! **Invariant:** the lock's file holds the number of the last change that the server has taken over, and is the server's
//! only while it is locked.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tracing::debug;

use crate::open::OpenError;
use crate::{Config, owner};

/// Who only looks whether there is a server holds the lock for a moment.
const LOOKERS_TIME: Duration = Duration::from_millis(300);
const PAUSE: Duration = Duration::from_millis(10);
/// How long a command waits for the server, beside the time after which it looks.
const SERVER_TIME: Duration = Duration::from_secs(2);

/// The lock that only one server per data folder can hold; it ends with the process or with this value.
#[derive(Debug)]
pub(crate) struct Claim {
    file: File,
    before: Before,
}

/// Whether a server ran on a data folder before this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// This is the first.
    Nobody,
    /// Another did, until a moment ago perhaps.
    Another,
}

/// Whether a server knows what this process has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// No server runs on this data folder.
    NoServer,
    /// It does.
    Yes,
    /// It did not in time.
    NotYet,
}

impl Claim {
    /// Takes the lock.
    pub(crate) async fn take(store: &Path) -> Result<Self, OpenError> {
        let path = path(store);
        let failed = |source| OpenError::File { path: path.clone(), source };
        let before = if path.exists() { Before::Another } else { Before::Nobody };
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = file.map_err(failed)?;
        owner::as_its_folder(&path).map_err(failed)?;
        let until = Instant::now() + LOOKERS_TIME;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { file, before }),
                Err(TryLockError::WouldBlock) if Instant::now() < until => sleep(PAUSE).await,
                Err(TryLockError::WouldBlock) => return Err(OpenError::InUse { path }),
                Err(TryLockError::Error(source)) => return Err(OpenError::File { path, source }),
            }
        }
    }

    pub(crate) fn before(&self) -> Before {
        self.before
    }

    /// The server has taken over all changes up to this one.
    pub(crate) fn note(&self, change: i64) {
        // Of one length, so that nobody reads half a number.
        if let Err(error) = self.file.write_all_at(format!("{change:020}\n").as_bytes(), 0) {
            debug!(%error, "commands cannot learn which changes the server knows");
        }
    }
}

/// Whether a server runs on this data folder.
pub fn is_served(config: &Config, folder: &Path) -> bool {
    let file = File::open(path(&folder.join(&config.file)));
    file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// Whether a server that runs on this store knows the change; waits for it.
pub(crate) async fn known(store: &Path, change: i64, change_poll: Duration) -> Known {
    let until = Instant::now() + SERVER_TIME + change_poll * 2;
    // Without a file there never was a server.
    let Ok(file) = File::open(path(store)) else { return Known::NoServer };
    loop {
        if file.try_lock_shared().is_ok() {
            drop(file.unlock());
            return Known::NoServer;
        }
        if taken_over(&file) >= change {
            return Known::Yes;
        }
        if Instant::now() >= until {
            return Known::NotYet;
        }
        sleep(PAUSE).await;
    }
}

fn taken_over(file: &File) -> i64 {
    let mut digits = [0; 20];
    let read = file.read_exact_at(&mut digits, 0).ok();
    read.and_then(|()| std::str::from_utf8(&digits).ok()?.parse().ok()).unwrap_or(0)
}

fn path(store: &Path) -> PathBuf {
    store.with_extension("lock")
}
