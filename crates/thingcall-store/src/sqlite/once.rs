//! Tokens of calls that are made once: the SQL.

use std::collections::HashMap;

use async_trait::async_trait;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqlitePool;
use thingcall_core::{OnceClaim, OnceEnd, OnceKey, UnixMillis};

use super::Sqlite;
use super::trouble::failure;
use super::tx::SqliteTx;
use crate::failure::Failure;
use crate::once_counts::Held;
use crate::once_table::{Claimant, EndRow, OnceReads, OnceRow, OnceWrites, held, row};

/// Nobody else makes calls here, so who is another one is gone.
const ONE: &str = "SELECT *, FALSE AS lives FROM once WHERE account = ? AND token = ?";

#[async_trait]
impl OnceReads for Sqlite {
    async fn once(&self, key: &OnceKey) -> Result<Option<OnceRow>, Failure> {
        one(&self.reads, key).await.map_err(failure)
    }

    async fn once_size(&self, now: UnixMillis) -> Result<HashMap<String, Held>, Failure> {
        let size = sqlx::query_as(
            "SELECT account, COUNT(*), COALESCE(SUM(LENGTH(answer)), 0) FROM once WHERE ends_at > ? GROUP BY account",
        );
        let accounts = size.bind(now.0).fetch_all(&self.reads).await.map_err(failure)?;
        Ok(accounts.into_iter().map(held).collect())
    }
}

#[async_trait]
impl OnceWrites for SqliteTx<'_> {
    async fn claim_once(&mut self, claims: &[&OnceClaim], by: &Claimant<'_>) -> Result<Vec<Option<OnceRow>>, Failure> {
        claim(self, claims, by).await.map_err(failure)
    }

    async fn end_once(&mut self, ends: &[&EndRow]) -> Result<Vec<bool>, Failure> {
        end(self, ends).await.map_err(failure)
    }

    async fn forget_once(&mut self, now: UnixMillis, max: i64) -> Result<u64, Failure> {
        forget(self, now, max).await.map_err(failure)
    }
}

async fn one(reads: &SqlitePool, key: &OnceKey) -> Result<Option<OnceRow>, sqlx::Error> {
    let one = sqlx::query(ONE).bind(&key.account).bind(&key.token).fetch_optional(reads).await?;
    one.as_ref().map(row).transpose()
}

/// One after the other: a statement for many would not say which is taken.
async fn claim(
    conn: &mut SqliteConnection,
    claims: &[&OnceClaim],
    by: &Claimant<'_>,
) -> Result<Vec<Option<OnceRow>>, sqlx::Error> {
    let mut all = Vec::with_capacity(claims.len());
    for claim in claims {
        let OnceKey { account, token } = &claim.key;
        let over = sqlx::query("DELETE FROM once WHERE account = ? AND token = ? AND ends_at <= ?");
        over.bind(account).bind(token).bind(by.now.0).execute(&mut *conn).await?;
        let insert = sqlx::query(
            "INSERT INTO once (account, token, digest, request_id, holder, ends_at) VALUES (?, ?, ?, ?, ?, ?) \
             ON CONFLICT DO NOTHING",
        )
        .bind(account)
        .bind(token)
        .bind(claim.digest.as_slice())
        .bind(claim.request_id.to_string())
        .bind(by.holder)
        .bind(by.ends_at.0);
        if insert.execute(&mut *conn).await?.rows_affected() > 0 {
            all.push(None);
            continue;
        }
        let taken = sqlx::query(ONE).bind(account).bind(token).fetch_one(&mut *conn).await?;
        all.push(Some(row(&taken)?));
    }
    Ok(all)
}

async fn end(conn: &mut SqliteConnection, ends: &[&EndRow]) -> Result<Vec<bool>, sqlx::Error> {
    let mut all = Vec::with_capacity(ends.len());
    for EndRow { key, request_id, end, ends_at } in ends {
        let ended = match end {
            OnceEnd::Answer(answer) => sqlx::query(
                "UPDATE once SET answer = ?, ends_at = ? WHERE account = ? AND token = ? AND request_id = ? AND answer IS NULL",
            )
            .bind(answer)
            .bind(ends_at.0),
            OnceEnd::Release => {
                sqlx::query("DELETE FROM once WHERE account = ? AND token = ? AND request_id = ? AND answer IS NULL")
            }
        };
        let ended = ended.bind(&key.account).bind(&key.token).bind(request_id).execute(&mut *conn).await?;
        all.push(ended.rows_affected() > 0);
    }
    Ok(all)
}

async fn forget(conn: &mut SqliteConnection, now: UnixMillis, max: i64) -> Result<u64, sqlx::Error> {
    let delete = "DELETE FROM once WHERE rowid IN (SELECT rowid FROM once WHERE ends_at <= ? ORDER BY ends_at LIMIT ?)";
    Ok(sqlx::query(delete).bind(now.0).bind(max).execute(conn).await?.rows_affected())
}
