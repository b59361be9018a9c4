//! Temporary access keys that have ended are removed.
//!
//! **Invariant:** one that has ended is kept for an hour where there is room, so that who still uses it is told that it has
//! ended and not that it never was.

use std::sync::Arc;
use std::time::Duration;

use thingcall_core::UnixMillis;
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::debug;

use crate::change::Subject;
use crate::changes;
use crate::failure::Failure;
use crate::shared::{self, Shared, WriteSide};

/// How long one that has ended is kept.
const KEPT_MS: i64 = 3_600_000;
/// How often they are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// How many are removed in one transaction.
const REMOVED_AT_ONCE: i64 = 100;

/// Removes them until the store closes, where this process is the server, or one of them.
pub(crate) async fn run(shared: Arc<Shared>, mut closing: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = shared::closed(&mut closing) => return,
            () = sleep(LOOK_EVERY) => {}
        }
        if shared.claimed().is_none() {
            continue;
        }
        let mut side = shared.write.lock().await;
        let before = UnixMillis(UnixMillis::now().0.saturating_sub(KEPT_MS));
        if let Err(problem) = remove(&shared, &mut side, before).await {
            debug!(%problem, "temporary keys that have ended could not be removed; it is tried again");
            shared.failed(&mut side, &problem);
        }
    }
}

/// Removes some of those that ended before this.
pub(crate) async fn remove(shared: &Shared, side: &mut WriteSide, before: UnixMillis) -> Result<(), Failure> {
    let mut tx = side.conn.begin().await?;
    let ids = tx.remove_ended_keys(before, REMOVED_AT_ONCE).await?;
    if ids.is_empty() {
        return Ok(());
    }
    let subjects: Vec<_> = ids.into_iter().map(Subject::Key).collect();
    changes::commit_all(tx, &subjects).await?;
    changes::catch_up(shared, side).await
}
