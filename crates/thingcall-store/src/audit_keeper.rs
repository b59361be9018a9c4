//! The one task that brings the log of changes to the database, and drops its oldest entries.
//!
//! **Invariant:** entries are written in the order in which they came, and forgotten here once they are there.

use std::sync::Arc;
use std::time::Duration;

use thingcall_core::UnixMillis;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tracing::debug;

use crate::audit_table::{AuditLimits, AuditSize};
use crate::config::Config;
use crate::failure::Failure;
use crate::shared::{self, Shared};
use crate::sizes::wide;

/// How long others may join the first one that waits.
const GATHER: Duration = Duration::from_millis(100);
/// How soon those that could not be written are tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How often it is looked for entries to drop.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How many of these looks there are between two that count all anew.
const LOOKS_TO_COUNT: u32 = 60;
/// How many share a transaction.
const BATCH_ENTRIES_MAX: usize = 256;
/// Of what may be kept, this part may be of strangers.
const OF_STRANGERS: usize = 10;

/// Writes and drops until the store closes, then writes what is left.
pub(crate) async fn run(shared: Arc<Shared>, mut closing: watch::Receiver<bool>) {
    let mut look = interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut looks = 0;
    loop {
        tokio::select! {
            () = shared::closed(&mut closing) => break,
            () = comes(&shared) => {
                if !write_all(&shared).await {
                    sleep(AGAIN_AFTER).await;
                }
            }
            _ = look.tick() => {
                let serves = shared.claimed().is_some() || shared.held.first().is_some();
                if serves && (looks % LOOKS_TO_COUNT == 0 || is_too_much(shared.audit.size(), &shared.config)) {
                    drop_some(&shared).await;
                }
                looks = looks.wrapping_add(1);
            }
        }
    }
    write_all(&shared).await;
    shared.audit.lose_all();
}

/// Returns when something is to be written.
async fn comes(shared: &Shared) {
    if shared.audit.queued() == 0 {
        shared.audit.came.notified().await;
    }
    sleep(GATHER).await;
}

/// Writes all that waits; whether nothing is left.
pub(crate) async fn write_all(shared: &Shared) -> bool {
    loop {
        let mut side = shared.write.lock().await;
        let batch = shared.audit.oldest(BATCH_ENTRIES_MAX);
        if batch.is_empty() {
            return true;
        }
        let written = async {
            let mut tx = side.conn.begin().await?;
            tx.insert_audit(&batch).await?;
            tx.commit().await
        };
        let written: Result<(), Failure> = written.await;
        if let Err(problem) = written {
            debug!(%problem, "the audit log could not be written; it is tried again");
            shared.failed(&mut side, &problem);
            return false;
        }
        shared.audit.written(&batch);
    }
}

fn is_too_much(size: AuditSize, config: &Config) -> bool {
    let max = config.audit_entries_max.get();
    size.entries > wide(max) || size.strangers > wide(max / OF_STRANGERS)
}

/// Drops what is too old or too much, and counts the rest.
async fn drop_some(shared: &Shared) {
    let max = shared.config.audit_entries_max.get();
    let signed = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let keep = i64::try_from(shared.config.audit_keep.as_millis()).unwrap_or(i64::MAX);
    let limits = AuditLimits {
        since: UnixMillis(UnixMillis::now().0.saturating_sub(keep)),
        entries_max: signed(max),
        strangers_max: signed(max / OF_STRANGERS),
    };
    let mut side = shared.write.lock().await;
    let dropped = async {
        let mut tx = side.conn.begin().await?;
        tx.drop_audit(&limits).await?;
        tx.commit().await
    };
    let dropped: Result<(), Failure> = dropped.await;
    if let Err(problem) = dropped {
        debug!(%problem, "the audit log could not be cut; it is tried again");
        shared.failed(&mut side, &problem);
        return;
    }
    drop(side);
    if let Ok(size) = shared.reads.audit_size().await {
        shared.audit.measure(size);
    }
}
