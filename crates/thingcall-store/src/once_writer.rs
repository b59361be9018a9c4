//! Tokens of calls that are made once: what is written of them, many in one transaction.
//!
//! **Invariant:** who is told that a token is his, or that it has ended, is told so behind the commit.

use std::sync::Arc;
use std::time::Duration;

use thingcall_core::{OnceClaim, OnceEnd, OnceError, UnixMillis};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};
use tracing::debug;

use crate::Config;
use crate::failure::{Failure, Written};
use crate::once_table::{Claimant, EndRow, OnceRow};
use crate::shared::{self, Shared, WriteSide};
use crate::sizes::wide;

/// How many are written in one transaction.
const AT_ONCE: usize = 256;
/// How many may wait to be written.
pub(crate) const QUEUE: usize = 20_000;
/// How often those that are over are forgotten, and the others counted.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Longer than any call takes: its token is not over before it has ended.
const CALL_MS_MAX: i64 = 600_000;
/// How many are forgotten in one transaction.
const FORGOTTEN_AT_ONCE: i64 = 1000;
/// How many such transactions there are before the next look.
const STEPS_MAX: usize = 100;

/// What is to be written, and who waits for it.
#[derive(Debug)]
pub(crate) enum Work {
    Claim(OnceClaim, oneshot::Sender<Result<Option<OnceRow>, OnceError>>),
    End(EndRow, oneshot::Sender<Result<bool, OnceError>>),
}

/// Writes what it is given until the store closes.
pub(crate) async fn run(shared: Arc<Shared>, mut work: mpsc::Receiver<Work>, mut closing: watch::Receiver<bool>) {
    let (mut batch, mut look_at) = (Vec::new(), Instant::now());
    loop {
        tokio::select! {
            count = work.recv_many(&mut batch, AT_ONCE) => {
                if count == 0 {
                    return;
                }
                write_all(&shared, std::mem::take(&mut batch)).await;
            }
            () = sleep_until(look_at) => {
                look_at = Instant::now() + LOOK_EVERY;
                look_after(&shared).await;
            }
            () = shared::closed(&mut closing), if !work.is_closed() => work.close(),
        }
    }
}

async fn write_all(shared: &Shared, batch: Vec<Work>) {
    let (mut claims, mut ends) = (Vec::new(), Vec::new());
    for work in batch {
        match work {
            Work::Claim(claim, done) => claims.push((claim, done)),
            Work::End(end, done) => ends.push((end, done)),
        }
    }
    // In one order for all instances, so that none of them waits for another in a circle.
    claims.sort_by(|(a, _), (b, _)| a.key.cmp(&b.key));
    ends.sort_by(|(a, _), (b, _)| a.key.cmp(&b.key));
    let mut side = shared.write.lock().await;
    let rows = (
        claims.iter().map(|(claim, _)| claim).collect::<Vec<_>>(),
        ends.iter().map(|(end, _)| end).collect::<Vec<_>>(),
    );
    // Who asked may have gone.
    match write(shared, &mut side, &rows.0, &rows.1).await {
        Ok((claimed, ended)) => {
            for ((_, done), row) in claims.into_iter().zip(claimed) {
                let _gone = done.send(row);
            }
            for ((_, done), was_there) in ends.into_iter().zip(ended) {
                let _gone = done.send(Ok(was_there));
            }
        }
        Err(problem) => {
            let why = shared.failed(&mut side, &problem).to_string();
            let error = || OnceError::Unwritable { why: why.clone(), in_doubt: problem.written() != Written::No };
            for (_, done) in claims {
                let _gone = done.send(Err(error()));
            }
            for (_, done) in ends {
                let _gone = done.send(Err(error()));
            }
        }
    }
}

type Wrote = (Vec<Result<Option<OnceRow>, OnceError>>, Vec<bool>);

async fn write(
    shared: &Shared,
    side: &mut WriteSide,
    claims: &[&OnceClaim],
    ends: &[&EndRow],
) -> Result<Wrote, Failure> {
    let lease = shared.held.first();
    let mut tx = side.conn.begin().await?;
    let is_lost = match lease {
        Some(lease) => !tx.fence(&[lease]).await?.is_empty(),
        None => shared.reads.is_shared(),
    };
    let now = UnixMillis::now();
    let by = Claimant {
        holder: &shared.once.holder,
        lease,
        now,
        ends_at: UnixMillis(kept_until(&shared.config, now).0.saturating_add(CALL_MS_MAX)),
    };
    let claimed = if is_lost {
        claims.iter().map(|_| Err(OnceError::NoLease)).collect()
    } else if claims.is_empty() {
        Vec::new()
    } else {
        tx.claim_once(claims, &by).await?.into_iter().map(Ok).collect::<Vec<_>>()
    };
    let ended = if ends.is_empty() { Vec::new() } else { tx.end_once(ends).await? };
    tx.commit().await?;
    for (claim, _) in claims.iter().zip(&claimed).filter(|(_, row)| matches!(row, Ok(None))) {
        shared.once.claimed(&claim.key.account);
    }
    for row in ends {
        match &row.end {
            OnceEnd::Answer(answer) => shared.once.answered(&row.key.account, wide(answer.len())),
            OnceEnd::Release => {}
        }
    }
    Ok((claimed, ended))
}

/// Forgets what is over, and counts what is there: other instances write, too.
async fn look_after(shared: &Shared) {
    if shared.claimed().is_some() {
        for _ in 0..STEPS_MAX {
            let mut side = shared.write.lock().await;
            match forget(&mut side).await {
                Ok(0) => break,
                Ok(forgotten) => debug!(forgotten, "tokens of calls that are made once are over"),
                Err(problem) => {
                    shared.failed(&mut side, &problem);
                    return;
                }
            }
        }
    }
    match shared.reads.once_size(UnixMillis::now()).await {
        Ok(accounts) => shared.once.counted(accounts),
        Err(problem) => debug!(%problem, "tokens of calls that are made once cannot be counted"),
    }
}

async fn forget(side: &mut WriteSide) -> Result<u64, Failure> {
    let mut tx = side.conn.begin().await?;
    let forgotten = tx.forget_once(UnixMillis::now(), FORGOTTEN_AT_ONCE).await?;
    if forgotten > 0 {
        tx.commit().await?;
    }
    Ok(forgotten)
}

/// Until when it is kept from now on.
pub(crate) fn kept_until(config: &Config, now: UnixMillis) -> UnixMillis {
    let keep = i64::try_from(config.idempotency_keep.as_millis()).unwrap_or(i64::MAX);
    UnixMillis(now.0.saturating_add(keep))
}
