//! The table of tokens of calls that are made once: its rows, and the seam to them beside that of the rest in `database`.

use std::collections::HashMap;

use async_trait::async_trait;
use thingcall_core::{Lease, OnceClaim, OnceEnd, OnceKey, UnixMillis};

use crate::columns::Columns;
use crate::failure::Failure;
use crate::once_counts::{Held, ROW_BYTES};

/// Who claims, and until when it is kept.
#[derive(Debug, Clone)]
pub(crate) struct Claimant<'a> {
    /// This process.
    pub(crate) holder: &'a str,
    /// Its lease; `None` where it has the store alone.
    pub(crate) lease: Option<Lease>,
    pub(crate) now: UnixMillis,
    pub(crate) ends_at: UnixMillis,
}

/// A token, as its row says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OnceRow {
    pub(crate) digest: Vec<u8>,
    pub(crate) request_id: String,
    pub(crate) holder: String,
    /// Whether its holder still holds its lease, as far as the database can say.
    pub(crate) holder_lives: bool,
    pub(crate) answer: Option<Vec<u8>>,
    pub(crate) ends_at: UnixMillis,
}

/// An end that is to be written.
#[derive(Debug)]
pub(crate) struct EndRow {
    pub(crate) key: OnceKey,
    pub(crate) request_id: String,
    pub(crate) end: OnceEnd,
    pub(crate) ends_at: UnixMillis,
}

/// What is read of it beside whoever writes.
#[async_trait]
pub(crate) trait OnceReads: Send + Sync {
    /// The token.
    async fn once(&self, key: &OnceKey) -> Result<Option<OnceRow>, Failure>;

    /// How many there are of each account that are not over, and their bytes.
    async fn once_size(&self, now: UnixMillis) -> Result<HashMap<String, Held>, Failure>;
}

/// What is written of it.
#[async_trait]
pub(crate) trait OnceWrites: Send {
    /// Claims tokens, each once and sorted; of each that is taken and not over, its row.
    async fn claim_once(&mut self, claims: &[&OnceClaim], by: &Claimant<'_>) -> Result<Vec<Option<OnceRow>>, Failure>;

    /// Ends what was claimed and has not ended; for each whether it was so.
    async fn end_once(&mut self, ends: &[&EndRow]) -> Result<Vec<bool>, Failure>;

    /// Forgets some of those that are over, so many at most; how many it was.
    async fn forget_once(&mut self, now: UnixMillis, max: i64) -> Result<u64, Failure>;
}

/// What an account has: the number of its tokens and their answers' bytes.
pub(crate) fn held((account, tokens, bytes): (String, i64, i64)) -> (String, Held) {
    let tokens = tokens.unsigned_abs();
    (account, Held { tokens, bytes: bytes.unsigned_abs().saturating_add(tokens.saturating_mul(ROW_BYTES)) })
}

/// Reads a row, with the column `lives` beside it.
pub(crate) fn row(row: &impl Columns) -> Result<OnceRow, sqlx::Error> {
    Ok(OnceRow {
        digest: row.maybe_bytes("digest")?.unwrap_or_default().to_vec(),
        request_id: row.text("request_id")?.to_owned(),
        holder: row.text("holder")?.to_owned(),
        holder_lives: row.flag("lives")?,
        answer: row.maybe_bytes("answer")?.map(<[u8]>::to_vec),
        ends_at: UnixMillis(row.number("ends_at")?),
    })
}
