//! Nonces of signed requests, one set for all instances.
//!
//! **Invariants:** of all that use a nonce, one inserts its row. Those that ask while a statement runs share the next one, so
//! no request adds more than one round trip, and a busy instance few of them. A crash of the database empties the set; since
//! when it remembers is in it too, so that is told.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use thingcall_core::{NonceUse, NonceVerdict, SharedError, SharedNonces, UnixMillis};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{MissedTickBehavior, interval};
use tracing::debug;

use super::error::PostgresError;
use super::session::{Lent, Session};
use crate::Config;

/// How many share a statement at most: with 48 bytes each, it goes out in one piece (see [`Lists::pieces`](super::lists::Lists)).
const BATCH_NONCES_MAX: usize = 300;
/// How many may wait for it; more wait for a place.
const QUEUE_NONCES_MAX: usize = 4_000;
/// How often it is looked for some that need not be remembered any more, and how many go at once: more than an instance
/// can take in meanwhile, and few enough that nobody waits for it.
const FORGET_EVERY: Duration = Duration::from_millis(500);
const FORGET_NONCES_MAX: i64 = 10_000;

/// The nonces in a PostgreSQL. Forgets what is over as long as it is held.
#[derive(Debug)]
pub struct PostgresNonces {
    queue: mpsc::Sender<Asked>,
}

/// 128 bits stand for a nonce: nobody finds two that share them.
type Hash = [u8; 16];

/// One that asks.
#[derive(Debug)]
struct Asked {
    hash: Hash,
    signed_at: UnixMillis,
    keep: Duration,
    done: oneshot::Sender<Result<NonceVerdict, SharedError>>,
}

impl PostgresNonces {
    /// Those of the store that is configured; `None` if it is a file, which one server has alone.
    ///
    /// # Errors
    /// If the configuration cannot be used.
    pub fn of(config: &Config) -> Result<Option<Arc<Self>>, PostgresError> {
        let Some(url) = &config.url else { return Ok(None) };
        let (queue, asked) = mpsc::channel(QUEUE_NONCES_MAX);
        let writer = Writer { session: Session::new(config, url, false)?, began: AtomicI64::new(0) };
        tokio::spawn(writer.run(asked));
        Ok(Some(Arc::new(Self { queue })))
    }
}

#[async_trait]
impl SharedNonces for PostgresNonces {
    async fn note(&self, used: NonceUse<'_>) -> Result<NonceVerdict, SharedError> {
        let NonceUse { key, nonce, signed_at, keep } = used;
        let (done, verdict) = oneshot::channel();
        let gone = |_| SharedError("the task that asks for nonces ended".to_owned());
        let asked = Asked { hash: hash_of(key, nonce), signed_at, keep, done };
        self.queue.send(asked).await.map_err(|_| SharedError("the task that asks for nonces ended".to_owned()))?;
        verdict.await.map_err(gone)?
    }
}

/// Where a key ends is part of it.
fn hash_of(key: &str, nonce: &str) -> Hash {
    let length = u64::try_from(key.len()).unwrap_or(u64::MAX).to_be_bytes();
    let whole = Sha256::new().chain_update(length).chain_update(key).chain_update(nonce).finalize();
    std::array::from_fn(|place| whole.get(place).copied().unwrap_or_default())
}

/// The task that asks the database.
struct Writer {
    session: Session,
    /// Since when all are remembered. In milliseconds. A crash that empties the set ends the connection, so a
    /// connection sees one beginning.
    began: AtomicI64,
}

impl Writer {
    async fn run(self, mut asked: mpsc::Receiver<Asked>) {
        let mut forget = interval(FORGET_EVERY);
        forget.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut batch = Vec::new();
        loop {
            tokio::select! {
                count = asked.recv_many(&mut batch, BATCH_NONCES_MAX) => {
                    if count == 0 {
                        return;
                    }
                    self.answer(std::mem::take(&mut batch)).await;
                }
                _ = forget.tick() => self.forget().await,
            }
        }
    }

    async fn answer(&self, batch: Vec<Asked>) {
        match self.session.run(self.note(&batch)).await {
            Ok((mut new, since)) => {
                for Asked { hash, signed_at, done, .. } in batch {
                    // The first of a batch that has it is the one whose row was written.
                    let verdict = match new.remove(&hash) {
                        _ if signed_at < since => NonceVerdict::TooOld { began: since },
                        true => NonceVerdict::New,
                        false => NonceVerdict::Used,
                    };
                    let _gone = done.send(Ok(verdict));
                }
            }
            Err(error) => {
                debug!(%error, "nonces cannot be noted");
                batch.into_iter().for_each(|one| drop(one.done.send(Err(SharedError(error.clone())))));
            }
        }
    }

    /// Those that were not there, and since when all are.
    async fn note(&self, batch: &[Asked]) -> Result<(HashSet<Hash>, UnixMillis), sqlx::Error> {
        let mut conn = self.session.lend().await?;
        let since = self.since(&mut conn).await?;
        let fit = batch.iter().filter(|one| one.signed_at >= since);
        let (hashes, keep): (Vec<&[u8]>, Vec<i64>) =
            fit.map(|one| (&one.hash[..], i64::try_from(one.keep.as_millis()).unwrap_or(i64::MAX))).unzip();
        if hashes.is_empty() {
            conn.keep();
            return Ok((HashSet::new(), since));
        }
        // In one order everywhere: two instances that wait for each other would end each other's statement.
        let new: Vec<Vec<u8>> = sqlx::query_scalar(
            "INSERT INTO nonces (hash, ends_at) SELECT hash, clock_timestamp() + keep * INTERVAL '1 millisecond' \
             FROM UNNEST($1::BYTEA[], $2::BIGINT[]) AS asked (hash, keep) ORDER BY hash ON CONFLICT DO NOTHING RETURNING hash",
        )
        .bind(hashes)
        .bind(keep)
        .fetch_all(&mut *conn)
        .await?;
        conn.keep();
        Ok((new.into_iter().filter_map(|hash| Hash::try_from(hash).ok()).collect(), since))
    }

    /// Makes room; nobody waits for it.
    async fn forget(&self) {
        let work = async {
            let mut conn = self.session.lend().await?;
            self.since(&mut conn).await?;
            let gone = sqlx::query(
                "DELETE FROM nonces WHERE hash IN (SELECT hash FROM nonces WHERE ends_at < clock_timestamp() \
                 ORDER BY ends_at LIMIT $1 FOR UPDATE SKIP LOCKED)",
            )
            .bind(FORGET_NONCES_MAX)
            .execute(&mut *conn)
            .await?;
            conn.keep();
            Ok(gone.rows_affected())
        };
        match self.session.run(work).await {
            Ok(0) => {}
            Ok(gone) => debug!(gone, "nonces forgotten"),
            Err(error) => debug!(%error, "nonces cannot be forgotten"),
        }
    }

    /// Since when all are remembered.
    async fn since(&self, conn: &mut Lent<'_>) -> Result<UnixMillis, sqlx::Error> {
        if conn.is_new {
            self.began.store(began(conn).await?, Ordering::Relaxed);
        }
        Ok(UnixMillis(self.began.load(Ordering::Relaxed)))
    }
}

/// Since when all are remembered: from the next whole second on, where nobody asked before.
async fn began(conn: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query(
        "INSERT INTO nonces_since (began) VALUES (date_trunc('second', clock_timestamp()) + INTERVAL '1 second') \
         ON CONFLICT DO NOTHING",
    )
    .execute(&mut *conn)
    .await?;
    let began = sqlx::query_scalar("SELECT (EXTRACT(EPOCH FROM began) * 1000)::BIGINT FROM nonces_since");
    began.fetch_one(conn).await
}

#[cfg(test)]
mod tests;
