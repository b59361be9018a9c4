//! The write-ahead log's length. SQLite begins it anew when nobody reads from it, which many short reads may prevent for
//! ever, and one that does not end prevents until it does.
//!
//! **Invariant:** where it may not grow any more, new asynchronous calls are refused; what belongs to accepted ones is
//! written.

use std::sync::atomic::Ordering;

use tokio::time::{Duration, Instant};
use tracing::warn;

use crate::open::LOG_BYTES_MAX;
use crate::shared::{Shared, WriteSide};

/// How often it is asked for where readers are in the way, which takes the time below.
const EVERY: Duration = Duration::from_secs(5);
/// How long readers may take to get out of the way, in milliseconds.
const READERS_MS: u32 = 50;

/// Looks after the log; kept by the writer.
#[derive(Debug, Default)]
pub(super) struct Log {
    asked: Option<Instant>,
    /// It was told that readers are in the way.
    told: bool,
}

impl Log {
    /// Measures it, and has it begun anew where it is long.
    pub(super) async fn look_after(&mut self, shared: &Shared, side: &mut WriteSide) {
        let max = shared.config.log_bytes_max.get();
        let long = LOG_BYTES_MAX.min(max / 2);
        let mut bytes = measure(shared).await;
        if bytes > long && self.asked.is_none_or(|at| at.elapsed() >= EVERY) {
            match begin_anew(side).await {
                Ok(begun) => self.tell(begun, bytes),
                Err(problem) => {
                    shared.failed(side, &problem);
                }
            }
            self.asked = (bytes > max).then(Instant::now);
            bytes = measure(shared).await;
        }
        shared.sizes.log_bytes.store(bytes, Ordering::Relaxed);
        shared.health.set_log_full(bytes > max);
    }

    fn tell(&mut self, begun: bool, bytes: u64) {
        if !begun && !std::mem::replace(&mut self.told, true) {
            warn!(bytes, "somebody reads the store without an end; its write-ahead log grows until they are done");
        }
        self.told &= !begun;
    }
}

async fn measure(shared: &Shared) -> u64 {
    let mut log = shared.path.clone().into_os_string();
    log.push("-wal");
    tokio::fs::metadata(log).await.map_or(0, |found| found.len())
}

/// Copies all of it into the file and cuts it off; says whether readers let it.
async fn begin_anew(side: &mut WriteSide) -> Result<bool, sqlx::Error> {
    let conn = side.conn.read().await?;
    let patience = |ms: u32| sqlx::AssertSqlSafe(format!("PRAGMA busy_timeout = {ms}"));
    sqlx::raw_sql(patience(READERS_MS)).execute(&mut *conn).await?;
    let row: (i64, i64, i64) = sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut *conn).await?;
    sqlx::raw_sql(patience(crate::open::BUSY_TIMEOUT_MS)).execute(conn).await?;
    Ok(row.0 == 0)
}
