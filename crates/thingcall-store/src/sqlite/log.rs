//! The write-ahead log's length. SQLite begins it anew when nobody reads from it, which many short reads may prevent for
//! ever, and one that does not end prevents until it does.

use std::path::{Path, PathBuf};

use sqlx::SqliteConnection;
use tokio::time::{Duration, Instant};
use tracing::warn;

use super::open::{BUSY_TIMEOUT_MS, LOG_BYTES_MAX};

/// How often it is asked for where readers are in the way, which takes the time below.
const EVERY: Duration = Duration::from_secs(5);
/// How long readers may take to get out of the way, in milliseconds.
const READERS_MS: u32 = 50;

/// Looks after the log.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    asked: Option<Instant>,
    /// It was told that readers are in the way.
    told: bool,
}

impl Log {
    /// That of this file.
    pub(super) fn new(file: &Path) -> Self {
        let mut log = file.to_owned().into_os_string();
        log.push("-wal");
        Self { path: log.into(), asked: None, told: false }
    }

    /// How long it is.
    pub(super) async fn measure(&self) -> u64 {
        tokio::fs::metadata(&self.path).await.map_or(0, |found| found.len())
    }

    /// Whether it is long, of the so many bytes it may be, and readers were not in the way just now.
    pub(super) fn is_to_begin_anew(&self, bytes: u64, max: u64) -> bool {
        bytes > LOG_BYTES_MAX.min(max / 2) && self.asked.is_none_or(|at| at.elapsed() >= EVERY)
    }

    /// Copies all of it into the file and cuts it off, if readers let it.
    pub(super) async fn begin_anew(
        &mut self,
        conn: &mut SqliteConnection,
        bytes: u64,
        max: u64,
    ) -> Result<(), sqlx::Error> {
        self.asked = (bytes > max).then(Instant::now);
        let begun = begin_anew(conn).await?;
        if !begun && !std::mem::replace(&mut self.told, true) {
            warn!(bytes, "somebody reads the store without an end; its write-ahead log grows until they are done");
        }
        self.told &= !begun;
        Ok(())
    }
}

async fn begin_anew(conn: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    let patience = |ms: u32| sqlx::AssertSqlSafe(format!("PRAGMA busy_timeout = {ms}"));
    sqlx::raw_sql(patience(READERS_MS)).execute(&mut *conn).await?;
    let row: (i64, i64, i64) = sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut *conn).await?;
    sqlx::raw_sql(patience(BUSY_TIMEOUT_MS)).execute(conn).await?;
    Ok(row.0 == 0)
}

/// Folds all of it into the file.
pub(super) async fn fold(conn: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(conn).await.map(drop)
}
